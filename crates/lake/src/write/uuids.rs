//! UUID columns in a Parquet schema: Arrow knows them as bytes of a fixed length alone.

use std::sync::Arc;

use iceberg::spec::{PrimitiveType, Schema, Type as TableType};
use parquet::basic::LogicalType;
use parquet::errors::Result;
use parquet::schema::types::{Type, TypePtr};

/// The same node, with every leaf below it that is a UUID by its field id in `table` marked as one.
///
/// # Errors
/// Such a leaf is no 16 bytes.
pub(super) fn marked(node: &TypePtr, table: &Schema) -> Result<TypePtr> {
    match node.as_ref() {
        Type::GroupType { basic_info, fields } => {
            let fields = fields.iter().map(|field| marked(field, table)).collect::<Result<_>>()?;
            Ok(Arc::new(Type::GroupType { basic_info: basic_info.clone(), fields }))
        }
        Type::PrimitiveType { basic_info, physical_type, type_length, .. } => {
            let id = basic_info.has_id().then(|| basic_info.id());
            let field = id.and_then(|id| table.field_by_id(id));
            let uuid = TableType::Primitive(PrimitiveType::Uuid);
            if field.is_none_or(|field| *field.field_type != uuid) {
                return Ok(node.clone());
            }

            let leaf = Type::primitive_type_builder(basic_info.name(), *physical_type)
                .with_length(*type_length)
                .with_repetition(basic_info.repetition())
                .with_logical_type(Some(LogicalType::Uuid))
                .with_id(id);
            leaf.build().map(Arc::new)
        }
    }
}

#[cfg(test)]
mod tests {
    use iceberg::spec::{NestedField, StructType};
    use parquet::arrow::ArrowSchemaConverter;
    use parquet::schema::types::SchemaDescriptor;

    use super::*;

    #[test]
    fn uuids_are_told_from_other_bytes_at_every_level() {
        let primitive = |id, name, kind| NestedField::optional(id, name, TableType::Primitive(kind)).into();
        let inner = StructType::new(vec![primitive(2, "u", PrimitiveType::Uuid)]);
        let outer = NestedField::optional(1, "s", TableType::Struct(inner)).into();
        let fields =
            [outer, primitive(3, "f", PrimitiveType::Fixed(16)), primitive(4, "v", PrimitiveType::Uuid)];
        let table = Schema::builder().with_fields(fields).build().unwrap();
        let arrow = iceberg::arrow::schema_to_arrow_schema(&table).unwrap();
        let plain = ArrowSchemaConverter::new().convert(&arrow).unwrap();
        let schema = SchemaDescriptor::new(marked(&plain.root_schema_ptr(), &table).unwrap());
        let uuid = |leaf: usize| schema.column(leaf).logical_type_ref() == Some(&LogicalType::Uuid);
        assert_eq!([0, 1, 2].map(uuid), [true, false, true]);
    }
}
