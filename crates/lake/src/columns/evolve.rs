//! Schema policy `evolve`: what a table's schema becomes so that it holds the columns of a file.
//!
//! Columns that the table does not know are added, all optional; types are widened as Iceberg allows (int to long,
//! float to double, decimals to a higher precision). Nothing else changes, so that each row that is in the table
//! stays what it is.

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use iceberg::spec::{
    ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type,
};

use super::create::{column as column_of, join};
use super::mapping::Misfit;

/// The schema that `schema` becomes for a file that misfits it so. `last_column_id` is the table's: the ids of new
/// columns follow it.
///
/// # Errors
/// The text names the first misfit that no allowed change mends.
pub fn evolve(schema: &Schema, last_column_id: i32, misfits: &[Misfit]) -> Result<Schema, String> {
    let mendable = |misfit: &&Misfit| matches!(misfit, Misfit::Unknown { .. } | Misfit::Type { .. });
    if let Some(misfit) = misfits.iter().find(|misfit| !mendable(misfit)) {
        return Err(misfit.to_string());
    }
    let mut growth = Growth { misfits, next_id: last_column_id.max(schema.highest_field_id()) + 1 };
    let fields = growth.fields(schema.as_struct().fields(), "")?;
    Schema::builder()
        .with_fields(fields)
        .with_identifier_field_ids(schema.identifier_field_ids())
        .build()
        .map_err(|e| e.to_string())
}

struct Growth<'a> {
    misfits: &'a [Misfit],
    next_id: i32,
}

impl Growth<'_> {
    fn fields(&mut self, fields: &[NestedFieldRef], parent: &str) -> Result<Vec<NestedFieldRef>, String> {
        let mut grown = Vec::with_capacity(fields.len());
        for field in fields {
            grown.push(self.field(field, &join(parent, &field.name))?);
        }
        for misfit in self.misfits {
            if let Misfit::Unknown { parent: of, column } = misfit
                && of == parent
            {
                let added = self.added(&grown, column, parent)?;
                grown.push(added);
            }
        }
        Ok(grown)
    }

    fn field(&mut self, field: &NestedFieldRef, path: &str) -> Result<NestedFieldRef, String> {
        let grown = self.grown(&field.field_type, path)?;
        Ok(Arc::new(NestedField { field_type: Box::new(grown), ..field.as_ref().clone() }))
    }

    /// A map's key, which Iceberg does not let change.
    fn key(&mut self, field: &NestedFieldRef, path: &str) -> Result<NestedFieldRef, String> {
        let grown = self.field(field, path)?;
        if grown == *field {
            Ok(grown)
        } else {
            Err(format!("column `{path}` is a map's key, which cannot change"))
        }
    }

    fn grown(&mut self, old: &Type, path: &str) -> Result<Type, String> {
        let misfit =
            self.misfits.iter().find(|misfit| matches!(misfit, Misfit::Type { path: at, .. } if at == path));
        if let Some(misfit @ Misfit::Type { from, .. }) = misfit {
            return widened(old, from).ok_or_else(|| format!("{misfit}, and cannot be widened to it"));
        }
        Ok(match old {
            Type::Primitive(_) => old.clone(),
            Type::Struct(fields) => Type::Struct(StructType::new(self.fields(fields.fields(), path)?)),
            Type::List(list) => Type::List(ListType {
                element_field: self.field(&list.element_field, &join(path, "element"))?,
            }),
            Type::Map(map) => Type::Map(MapType {
                key_field: self.key(&map.key_field, &join(path, "key"))?,
                value_field: self.field(&map.value_field, &join(path, "value"))?,
            }),
        })
    }

    /// A new column, the last of its siblings.
    fn added(
        &mut self,
        siblings: &[NestedFieldRef],
        column: &Field,
        parent: &str,
    ) -> Result<NestedFieldRef, String> {
        let path = join(parent, column.name());
        let lower = column.name().to_lowercase();
        if let Some(twin) = siblings.iter().find(|field| field.name.to_lowercase() == lower) {
            // Engines that ignore case could not tell the two apart any more.
            return Err(format!(
                "column `{path}` differs from the table's `{}` only in case; the option `case-sensitive=false` takes them for one",
                twin.name
            ));
        }
        column_of(column, parent, &mut self.next_id)?.ok_or_else(|| format!("column `{path}` has no type"))
    }
}

/// The type that holds the values of both, if Iceberg allows the change.
fn widened(old: &Type, file: &DataType) -> Option<Type> {
    let column = Field::new("column", file.clone(), true);
    let wanted = column_of(&column, "", &mut 0).ok()??.field_type.as_primitive_type()?.clone();
    let allowed = match (old.as_primitive_type()?, &wanted) {
        (PrimitiveType::Int, PrimitiveType::Long) | (PrimitiveType::Float, PrimitiveType::Double) => true,
        (
            PrimitiveType::Decimal { precision: from, scale: old },
            PrimitiveType::Decimal { precision: to, scale: new },
        ) => from < to && old == new,
        _ => false,
    };
    allowed.then_some(Type::Primitive(wanted))
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Fields, Schema as ArrowSchema};
    use iceberg::arrow::schema_to_arrow_schema;

    use super::super::{Matching, map, schema_for};
    use super::*;

    fn file(columns: &[(&str, DataType)]) -> Fields {
        columns.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect()
    }

    fn made_for(columns: &Fields) -> Schema {
        schema_for(&ArrowSchema::new(columns.clone())).unwrap()
    }

    fn misfits(columns: &Fields, schema: &Schema) -> Vec<Misfit> {
        map(columns, schema_to_arrow_schema(schema).unwrap().fields(), Matching::default()).1
    }

    fn grown(from: &Fields, by: &Fields, last_column_id: i32) -> Result<Schema, String> {
        let schema = made_for(from);
        evolve(&schema, last_column_id, &misfits(by, &schema))
    }

    #[test]
    fn what_a_table_became_for_a_file_holds_that_file_and_all_before() {
        let inner = |extra: bool| {
            let mut fields =
                vec![Field::new("x", if extra { DataType::Int64 } else { DataType::Int32 }, true)];
            fields.extend(extra.then(|| Field::new("y", DataType::Utf8, true)));
            DataType::Struct(fields.into())
        };
        let list = |of: DataType| DataType::List(Arc::new(Field::new("element", of, true)));
        let old = file(&[
            ("a", DataType::Int32),
            ("f", DataType::Float32),
            ("d", DataType::Decimal128(9, 2)),
            ("s", inner(false)),
            ("l", list(inner(false))),
        ]);
        let new = file(&[
            ("d", DataType::Decimal128(20, 2)),
            ("a", DataType::UInt32),
            ("f", DataType::Float64),
            ("s", inner(true)),
            ("l", list(inner(true))),
            ("n", inner(true)),
        ]);
        let schema = grown(&old, &new, 100).unwrap();
        assert_eq!(misfits(&new, &schema), []);
        assert_eq!(misfits(&old, &schema), []);
        let before = made_for(&old);
        for (id, name) in before.field_id_to_name_map() {
            assert_eq!(schema.field_id_by_name(name), Some(*id), "`{name}` keeps its id");
        }
        let added = ["s.y", "l.element.y", "n", "n.x", "n.y"];
        let ids: Vec<i32> = added.iter().map(|name| schema.field_id_by_name(name).unwrap()).collect();
        assert!(ids.iter().all(|id| (101..=105).contains(id)), "{ids:?}");
    }

    #[test]
    fn changes_that_would_lose_or_confuse_values_are_refused_by_name() {
        let cases = [
            (DataType::Int32, DataType::Utf8, "cannot be widened"),
            (DataType::Utf8, DataType::Int32, "cannot be widened"),
            (DataType::Decimal128(9, 2), DataType::Decimal128(9, 3), "cannot be widened"),
            (DataType::Int64, DataType::Float64, "cannot be widened"),
        ];
        for (from, to, why) in cases {
            let reason = grown(&file(&[("a", from)]), &file(&[("a", to)]), 1).unwrap_err();
            assert!(reason.contains("`a`") && reason.contains(why), "{reason}");
        }
        let reason =
            grown(&file(&[("a", DataType::Int32)]), &file(&[("A", DataType::Int32)]), 1).unwrap_err();
        assert!(reason.contains("case-sensitive"), "{reason}");
    }

    #[test]
    fn ids_of_columns_that_were_dropped_are_not_used_again() {
        let schema = grown(&file(&[("a", DataType::Int32)]), &file(&[("b", DataType::Int32)]), 7).unwrap();
        assert_eq!(schema.field_id_by_name("b"), Some(8));
    }
}
