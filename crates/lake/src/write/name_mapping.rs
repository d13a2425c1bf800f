//! The table property by which readers find the columns of files without field ids.

use std::collections::HashMap;

use arrow_schema::{DataType, Fields};
use iceberg::spec::{DEFAULT_SCHEMA_NAME_MAPPING, MappedField, NameMapping, NestedFieldRef, Schema, Type};

use super::target::Target;
use crate::columns::{Mapping, Node, Origin, entry, join};

/// The mapping of a schema's names to its field ids, as JSON.
pub fn name_mapping(schema: &Schema) -> String {
    json(&NameMapping::new(schema.as_struct().fields().iter().map(own).collect()))
}

/// `current`, the table's mapping, as it has to become for readers to find the columns of files that were mapped so; none if it
/// is so already. What it holds beyond that stays.
///
/// # Errors
/// The text says which name the table's mapping gives to another column, or that it is no mapping.
pub fn needed_mapping(
    current: Option<&str>,
    target: &Target,
    mapping: &Mapping,
    file: &Fields,
) -> Result<Option<String>, String> {
    let held = match current {
        Some(text) => serde_json::from_str(text).map_err(|e| {
            format!("the table's property `{DEFAULT_SCHEMA_NAME_MAPPING}` is no mapping: {e}")
        })?,
        None => NameMapping::new(Vec::new()),
    };
    let wanted = wanted(target.schema.as_struct().fields(), &mapping.columns, file)?;
    let merged = NameMapping::new(merge(copies(held.fields()), wanted, "")?);
    Ok((current.is_none() || merged != held).then(|| json(&merged)))
}

fn json(mapping: &NameMapping) -> String {
    serde_json::to_string(mapping).expect("names and numbers are JSON")
}

fn own(field: &NestedFieldRef) -> MappedField {
    let below = match field.field_type.as_ref() {
        Type::Primitive(_) => Vec::new(),
        Type::Struct(inner) => inner.fields().iter().map(own).collect(),
        Type::List(list) => vec![own(&list.element_field)],
        Type::Map(map) => vec![own(&map.key_field), own(&map.value_field)],
    };
    MappedField::new(Some(field.id), vec![field.name.clone()], below)
}

/// The table's names, and those of the file where they are spelt in another case.
fn wanted(table: &[NestedFieldRef], origins: &[Origin], file: &Fields) -> Result<Vec<MappedField>, String> {
    let mapped = |(column, origin): (&NestedFieldRef, &Origin)| match origin {
        Origin::Column(place, node) => {
            let found = &file[*place];
            let below = below(column, node, found.data_type())?;
            let mut names = vec![column.name.clone()];
            if *found.name() != column.name {
                names.push(found.name().clone());
            }
            Ok(MappedField::new(Some(column.id), names, below))
        }
        Origin::Absent | Origin::Constant(_) => Ok(own(column)),
    };
    table.iter().zip(origins).map(mapped).collect()
}

fn below(column: &NestedFieldRef, node: &Node, file: &DataType) -> Result<Vec<MappedField>, String> {
    Ok(match (column.field_type.as_ref(), node, file) {
        (Type::Struct(held), Node::Struct(origins), DataType::Struct(fields)) => {
            wanted(held.fields(), origins, fields)?
        }
        (Type::List(held), Node::List(node), DataType::List(element)) => {
            vec![named(&held.element_field, node, element.data_type())?]
        }
        (Type::Map(held), Node::Map(key_node, value_node), DataType::Map(entries, _)) => {
            let (key, value) = entry(entries)?;
            vec![
                named(&held.key_field, key_node, key.data_type())?,
                named(&held.value_field, value_node, value.data_type())?,
            ]
        }
        _ => Vec::new(),
    })
}

/// Elements, keys and values have Iceberg's own names in a mapping, whatever the file calls them.
fn named(field: &NestedFieldRef, node: &Node, file: &DataType) -> Result<MappedField, String> {
    Ok(MappedField::new(Some(field.id), vec![field.name.clone()], below(field, node, file)?))
}

/// The fields of both, each name for one field.
fn merge(held: Vec<MappedField>, wanted: Vec<MappedField>, parent: &str) -> Result<Vec<MappedField>, String> {
    let mut owners: HashMap<String, Option<i32>> = HashMap::new();
    for field in &held {
        owners.extend(field.names().iter().map(|name| (name.clone(), field.field_id())));
    }
    let mut merged = held;
    for field in wanted {
        let foreign = field
            .names()
            .iter()
            .find(|name| owners.get(*name).is_some_and(|owner| *owner != field.field_id()));
        if let Some(name) = foreign {
            return Err(format!("the table's name mapping gives `{}` to another column", join(parent, name)));
        }
        match merged.iter_mut().find(|candidate| candidate.field_id() == field.field_id()) {
            Some(known) => {
                let path = join(parent, &field.names()[0]);
                let mut names = known.names().to_vec();
                names.extend(field.names().iter().filter(|name| !known.names().contains(name)).cloned());
                let below = merge(copies(known.fields()), copies(field.fields()), &path)?;
                *known = MappedField::new(field.field_id(), names, below);
            }
            None => merged.push(field),
        }
    }
    Ok(merged)
}

fn copies<T: Clone + std::borrow::Borrow<MappedField>>(fields: &[T]) -> Vec<MappedField> {
    fields.iter().map(|field| field.borrow().clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::Field;
    use iceberg::spec::{NestedField, PrimitiveType, StructType};

    use super::*;

    fn leaf(id: i32, name: &str) -> MappedField {
        MappedField::new(Some(id), vec![name.to_owned()], vec![])
    }

    #[test]
    fn a_mapping_names_every_level() {
        let long = Type::Primitive(PrimitiveType::Long);
        let inner = StructType::new(vec![Arc::new(NestedField::optional(2, "x", long))]);
        let fields = vec![Arc::new(NestedField::optional(1, "s", Type::Struct(inner)))];
        let schema = Schema::builder().with_fields(fields).build().unwrap();
        assert_eq!(
            name_mapping(&schema),
            r#"[{"field-id":1,"names":["s"],"fields":[{"field-id":2,"names":["x"]}]}]"#
        );
    }

    #[test]
    fn names_are_added_and_never_moved() {
        let held = vec![leaf(1, "a"), leaf(2, "gone")];
        let other = MappedField::new(Some(1), vec!["a".to_owned(), "A".to_owned()], vec![]);
        let merged = merge(held.clone(), vec![other.clone(), leaf(3, "b")], "").unwrap();
        assert_eq!(merged, [other, leaf(2, "gone"), leaf(3, "b")]);
        let reason = merge(held, vec![leaf(4, "gone")], "s").unwrap_err();
        assert!(reason.contains("`s.gone`"), "{reason}");
    }

    #[test]
    fn a_files_own_spelling_is_mapped_too() {
        let column = Arc::new(NestedField::optional(1, "id", Type::Primitive(PrimitiveType::Long)));
        let file: Fields =
            vec![Field::new("x", DataType::Utf8, true), Field::new("ID", DataType::Int64, true)].into();
        let mapped = wanted(&[column], &[Origin::Column(1, Node::Leaf)], &file).unwrap();
        assert_eq!(mapped, [MappedField::new(Some(1), vec!["id".to_owned(), "ID".to_owned()], vec![])]);
    }
}
