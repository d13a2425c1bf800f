//! What a Parquet schema says beyond Arrow's types. Arrow's leaves are Parquet's leaves, in the same order.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema as ArrowSchema, TimeUnit};
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::fit::INT96_ZONE;

/// Key of a field's metadata under which its Parquet type stands where Arrow has none of its own.
const LOGICAL_TYPE: &str = "parquet.logical-type";

/// A Parquet type that Arrow holds as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    Uuid,
    Enum,
    Geometry,
    Geography,
    /// A leaf of a group that is a variant.
    Variant,
    /// A type that was defined after this program.
    Unknown,
}

const NAMES: [(Logical, &str); 6] = [
    (Logical::Uuid, "UUID"),
    (Logical::Enum, "ENUM"),
    (Logical::Geometry, "GEOMETRY"),
    (Logical::Geography, "GEOGRAPHY"),
    (Logical::Variant, "VARIANT"),
    (Logical::Unknown, "an unknown logical type"),
];

impl Logical {
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(logical, _)| *logical == self).map_or("", |(_, name)| name)
    }

    /// That of a leaf which [`with_logical_types`] has seen.
    pub(super) fn of(field: &Field) -> Option<Self> {
        let name = field.metadata().get(LOGICAL_TYPE)?;
        NAMES.iter().find(|(_, known)| known == name).map(|(logical, _)| *logical)
    }

    fn of_parquet(t: &Type) -> Option<Self> {
        let info = t.get_basic_info();
        match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::Uuid), _) => Some(Logical::Uuid),
            (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) => Some(Logical::Enum),
            (Some(LogicalType::Geometry { .. }), _) => Some(Logical::Geometry),
            (Some(LogicalType::Geography { .. }), _) => Some(Logical::Geography),
            (Some(LogicalType::Variant { .. }), _) => Some(Logical::Variant),
            (Some(LogicalType::_Unknown { .. }), _) => Some(Logical::Unknown),
            _ => None,
        }
    }
}

/// The file's columns, each leaf with its Parquet type where Arrow's says less.
pub(crate) fn with_logical_types(parquet: &SchemaDescriptor, arrow: &ArrowSchema) -> ArrowSchema {
    let mut logical = Vec::with_capacity(parquet.num_columns());
    collect(parquet.root_schema(), None, &mut logical);
    let mut logical = logical.into_iter();
    let fields = each_leaf(arrow.fields(), &mut |leaf| match logical.next().flatten() {
        Some(found) => {
            let mut metadata = leaf.metadata().clone();
            metadata.insert(LOGICAL_TYPE.to_owned(), found.name().to_owned());
            Arc::new(leaf.as_ref().clone().with_metadata(metadata))
        }
        None => leaf.clone(),
    });
    ArrowSchema::new(fields)
}

fn collect(t: &Type, inherited: Option<Logical>, leaves: &mut Vec<Option<Logical>>) {
    let own = inherited.or_else(|| Logical::of_parquet(t));
    if t.is_group() {
        t.get_fields().iter().for_each(|field| collect(field, own, leaves));
    } else {
        leaves.push(own);
    }
}

/// The leaves of a file that are INT96 times, by their places.
pub(crate) fn int96_leaves(parquet: &SchemaDescriptor) -> Vec<usize> {
    let leaves = parquet.columns().iter().enumerate();
    leaves.filter(|(_, leaf)| leaf.physical_type() == PhysicalType::INT96).map(|(place, _)| place).collect()
}

/// The schema by which a file has to be read if it has INT96 times: in microseconds. In nanoseconds, the reader's
/// choice, years before 1677 and after 2262 would wrap around.
pub(crate) fn reading_schema(parquet: &SchemaDescriptor, arrow: &ArrowSchema) -> Option<ArrowSchema> {
    let int96 = int96_leaves(parquet);
    if int96.is_empty() {
        return None;
    }
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some(INT96_ZONE.into()));
    let mut leaves = 0..;
    let mut is_int96 = || leaves.next().is_some_and(|place| int96.binary_search(&place).is_ok());
    let fields = each_leaf(arrow.fields(), &mut |leaf| match is_int96() {
        true => Arc::new(leaf.as_ref().clone().with_data_type(micros.clone())),
        false => leaf.clone(),
    });
    Some(ArrowSchema::new_with_metadata(fields, arrow.metadata().clone()))
}

fn each_leaf(fields: &Fields, change: &mut impl FnMut(&FieldRef) -> FieldRef) -> Fields {
    fields.iter().map(|field| each_leaf_of(field, change)).collect()
}

fn each_leaf_of(field: &FieldRef, change: &mut impl FnMut(&FieldRef) -> FieldRef) -> FieldRef {
    let changed = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(each_leaf(fields, change)),
        DataType::List(element) => DataType::List(each_leaf_of(element, change)),
        DataType::Map(entries, sorted) => DataType::Map(each_leaf_of(entries, change), *sorted),
        _ => return change(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(changed))
}

#[cfg(test)]
mod tests {
    use parquet::arrow::parquet_to_arrow_schema;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    #[test]
    fn leaves_are_found_at_every_depth() {
        let message = "message m {
            optional int96 a;
            optional group l (LIST) { repeated group list { optional fixed_len_byte_array(16) element (UUID); } }
            optional group s { optional binary e (ENUM); optional int96 t; }
        }";
        let parquet = SchemaDescriptor::new(Arc::new(parse_message_type(message).unwrap()));
        let arrow = parquet_to_arrow_schema(&parquet, None).unwrap();
        let reading = reading_schema(&parquet, &arrow).unwrap();
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some(INT96_ZONE.into()));
        assert_eq!(reading.field(0).data_type(), &micros);
        let DataType::Struct(fields) = reading.field(2).data_type() else { panic!("{reading}") };
        assert_eq!((fields[0].data_type(), fields[1].data_type()), (&DataType::Binary, &micros));

        let marked = with_logical_types(&parquet, &reading);
        let DataType::List(element) = marked.field(1).data_type() else { panic!("{marked}") };
        let DataType::Struct(fields) = marked.field(2).data_type() else { panic!("{marked}") };
        assert_eq!(Logical::of(element), Some(Logical::Uuid));
        assert_eq!(Logical::of(&fields[0]), Some(Logical::Enum));
        assert_eq!((Logical::of(marked.field(0)), Logical::of(&fields[1])), (None, None));
    }
}
