//! How much of a column goes into the manifests: the table's `write.metadata.metrics.*` properties.

use std::collections::HashMap;

use iceberg::spec::{NestedFieldRef, Transform, Type};

use super::Target;

/// The mode of columns without one of their own.
const DEFAULT: &str = "write.metadata.metrics.default";
/// The mode of one column: `write.metadata.metrics.column.<its name>`.
const COLUMN: &str = "write.metadata.metrics.column.";
/// How many columns have bounds where nothing says so, and its value if it is not set.
const MAX_INFERRED: &str = "write.metadata.metrics.max-inferred-column-defaults";
const MAX_INFERRED_DEFAULT: usize = 100;
/// Characters of a text bound, and bytes of a binary one: Iceberg's default.
const TRUNCATE_DEFAULT: usize = 16;
/// The most of them, in mode `full` too: a manifest is read whole.
const TRUNCATE_MAX: usize = 4 * 1024;

/// What is kept of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Its size alone.
    None,
    /// Size and counts.
    Counts,
    /// These and bounds, of text and binary this long.
    Truncate(usize),
}

impl Mode {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        Some(match text.as_str() {
            "none" => Mode::None,
            "counts" => Mode::Counts,
            "full" => Mode::Truncate(TRUNCATE_MAX),
            _ => {
                let length: usize = text.strip_prefix("truncate(")?.strip_suffix(')')?.parse().ok()?;
                Some(Mode::Truncate(length.min(TRUNCATE_MAX))).filter(|_| length > 0)?
            }
        })
    }

    /// The length of bounds; none if there are no bounds.
    pub(super) fn bound_length(self) -> Option<usize> {
        match self {
            Mode::Truncate(length) => Some(length),
            Mode::None | Mode::Counts => None,
        }
    }
}

/// The modes of a table's columns.
#[derive(Debug)]
pub(super) struct Metrics {
    default: Mode,
    columns: HashMap<i32, Mode>,
}

impl Metrics {
    /// What the table's properties say. What they say wrongly is taken as unsaid, as Iceberg does: a column's mode is
    /// then the default, the default `truncate(16)`.
    pub(super) fn of(target: &Target) -> Self {
        let properties = target.table.properties();
        let schema = &target.schema;
        let usual = Mode::Truncate(TRUNCATE_DEFAULT);
        let mut columns = HashMap::new();
        let default = match properties.get(DEFAULT) {
            Some(text) => Mode::parse(text).unwrap_or(usual),
            None => {
                let limit = properties.get(MAX_INFERRED).and_then(|text| text.parse().ok());
                let limit = limit.unwrap_or(MAX_INFERRED_DEFAULT);
                if schema.as_struct().fields().len() <= limit {
                    usual
                } else {
                    columns.extend(first_leaves(schema.as_struct().fields(), limit).map(|id| (id, usual)));
                    Mode::None
                }
            }
        };
        // What a table is sorted by is what it is searched by.
        let sorted = if default.bound_length().is_some() { default } else { usual };
        let order = target.table.default_sort_order();
        let ordered = order.fields.iter().filter(|field| keeps_order(field.transform));
        columns.extend(ordered.map(|field| (field.source_id, sorted)));
        for (key, text) in properties {
            let id = key.strip_prefix(COLUMN).and_then(|name| schema.field_id_by_name(name));
            if let Some(id) = id {
                columns.insert(id, Mode::parse(text).unwrap_or(default));
            }
        }
        Self { default, columns }
    }

    pub(super) fn mode(&self, id: i32) -> Mode {
        self.columns.get(&id).copied().unwrap_or(self.default)
    }
}

fn keeps_order(transform: Transform) -> bool {
    matches!(
        transform,
        Transform::Identity
            | Transform::Truncate(_)
            | Transform::Year
            | Transform::Month
            | Transform::Day
            | Transform::Hour
    )
}

/// The first leaves of a schema, those at the top before those within structs.
fn first_leaves(fields: &[NestedFieldRef], limit: usize) -> impl Iterator<Item = i32> {
    let mut leaves = Vec::new();
    let mut level: Vec<&NestedFieldRef> = fields.iter().collect();
    while !level.is_empty() && leaves.len() < limit {
        let mut below = Vec::new();
        for field in level {
            match field.field_type.as_ref() {
                Type::Primitive(_) => leaves.push(field.id),
                Type::Struct(inner) => below.extend(inner.fields()),
                Type::List(list) => below.push(&list.element_field),
                Type::Map(map) => below.extend([&map.key_field, &map.value_field]),
            }
        }
        level = below;
    }
    leaves.into_iter().take(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_iceberg_writes_them() {
        assert_eq!(Mode::parse("none"), Some(Mode::None));
        assert_eq!(Mode::parse(" Counts "), Some(Mode::Counts));
        assert_eq!(Mode::parse("truncate(5)"), Some(Mode::Truncate(5)));
        assert_eq!(Mode::parse("full"), Some(Mode::Truncate(TRUNCATE_MAX)));
        for wrong in ["", "truncate", "truncate(0)", "truncate(-1)", "truncate(99999999999999999999)", "all"]
        {
            assert_eq!(Mode::parse(wrong), None, "{wrong}");
        }
    }
}
