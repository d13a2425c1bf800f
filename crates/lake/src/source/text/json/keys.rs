//! Which keys the objects of a file have, and the types that hold their values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::super::rejected::Flaw;
use super::super::value::{Seen, Times};
use super::parser::{Json, Kind, LIST, OBJECT};

/// The most names that a file's objects may have, at all depths together.
const MAX_NAMES: usize = 10_000;
/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 1_024;

/// The keys of objects at one place, in the order in which they were seen first.
#[derive(Debug, Default)]
pub(in super::super) struct Keys {
    members: Vec<(String, Node)>,
    /// Where each name is.
    places: HashMap<String, usize>,
    /// What the table has at this place.
    table: Fields,
}

/// How values are looked at, and how many names may still come.
pub(in super::super) struct Limits<'a> {
    times: &'a Times,
    ignore_case: bool,
    names: usize,
    scratch: String,
}

/// The values at one place.
#[derive(Debug, Default)]
struct Node {
    /// The type and the name that the table has for them.
    table: Option<FieldRef>,
    seen: Seen,
    object: Option<Box<Keys>>,
    /// Elements of lists, and values of maps.
    elements: Option<Box<Node>>,
}

impl<'a> Limits<'a> {
    pub(in super::super) fn new(times: &'a Times, ignore_case: bool) -> Self {
        Self { times, ignore_case, names: 0, scratch: String::new() }
    }

    /// Whether there are more names than a table can have.
    pub(in super::super) fn exceeded(&self) -> Option<String> {
        (self.names > MAX_NAMES).then(|| format!("the objects have more than {MAX_NAMES} different keys"))
    }

    fn name(&self, name: &str) -> String {
        if self.ignore_case { name.to_lowercase() } else { name.to_owned() }
    }
}

impl Keys {
    /// Of objects whose columns a table may know.
    pub(in super::super) fn new(table: Fields) -> Self {
        Self { table, ..Self::default() }
    }

    /// Takes in the object that comes next.
    ///
    /// # Errors
    /// It is none; what came before the flaw is taken in.
    pub(in super::super) fn object(
        &mut self,
        json: &mut Json<'_>,
        limits: &mut Limits<'_>,
    ) -> Result<(), Flaw> {
        let mut expected = 0;
        let mut more = json.open(OBJECT)?;
        while more {
            let mut scratch = std::mem::take(&mut limits.scratch);
            let place = json.string(&mut scratch).and_then(|key| self.place(key, expected, limits));
            limits.scratch = scratch;
            let place = place?;
            json.colon()?;
            let (name, node) = &mut self.members[place];
            node.value(json, limits).map_err(|flaw| flaw.within(name))?;
            expected = place + 1;
            more = json.another(OBJECT)?;
        }
        Ok(())
    }

    /// Where a key is. Keys mostly come in the order of the row before.
    fn place(&mut self, key: &str, expected: usize, limits: &mut Limits<'_>) -> Result<usize, Flaw> {
        if self.members.get(expected).is_some_and(|(name, _)| name == key) {
            return Ok(expected);
        }
        let name = limits.name(key);
        if let Some(place) = self.places.get(&name) {
            return Ok(*place);
        }
        if key.is_empty() {
            return Err(Flaw::new("a key has no name"));
        }
        if key.len() > MAX_NAME_BYTES {
            return Err(Flaw::new(format!("a key is longer than {MAX_NAME_BYTES} bytes")));
        }
        limits.names += 1;
        if let Some(reason) = limits.exceeded() {
            return Err(Flaw::new(reason));
        }
        let table = self.table.iter().find(|field| limits.name(field.name()) == name).cloned();
        self.members.push((key.to_owned(), Node { table, ..Node::default() }));
        self.places.insert(name, self.members.len() - 1);
        Ok(self.members.len() - 1)
    }

    /// Columns that hold the values of all objects: of the table's types where the table knows them.
    pub(in super::super) fn fields(&self) -> Fields {
        self.members.iter().map(|(name, node)| node.field(name)).collect()
    }
}

impl Node {
    fn value(&mut self, json: &mut Json<'_>, limits: &mut Limits<'_>) -> Result<(), Flaw> {
        let kind = json.kind()?;
        let table = self.table.as_ref().map(|field| field.data_type());
        match (table, kind) {
            (_, Kind::Null) => json.skip().map(|_| ()),
            (None | Some(DataType::Struct(_)), Kind::Object) => {
                let fields = match table {
                    Some(DataType::Struct(fields)) => fields.clone(),
                    _ => Fields::empty(),
                };
                self.object.get_or_insert_with(|| Box::new(Keys::new(fields))).object(json, limits)
            }
            (None | Some(DataType::List(_)), Kind::List) => {
                let mut more = json.open(LIST)?;
                let elements = self.elements();
                while more {
                    elements.value(json, limits).map_err(|flaw| flaw.within("element"))?;
                    more = json.another(LIST)?;
                }
                Ok(())
            }
            (Some(DataType::Map(..)), Kind::Object) => {
                let mut more = json.open(OBJECT)?;
                let values = self.elements();
                while more {
                    json.string(&mut limits.scratch)?;
                    json.colon()?;
                    values.value(json, limits).map_err(|flaw| flaw.within("value"))?;
                    more = json.another(OBJECT)?;
                }
                Ok(())
            }
            (Some(_), _) => json.skip().map(|_| ()),
            (None, Kind::Text) => {
                let text = json.string(&mut limits.scratch)?;
                self.seen.quoted(text, limits.times);
                Ok(())
            }
            (None, _) => {
                self.seen.text(json.skip()?, limits.times);
                Ok(())
            }
        }
    }

    fn elements(&mut self) -> &mut Node {
        let table = match self.table.as_ref().map(|field| field.data_type()) {
            Some(DataType::List(element)) => Some(element.clone()),
            Some(DataType::Map(entries, _)) => map_value(entries).cloned(),
            _ => None,
        };
        self.elements.get_or_insert_with(|| Box::new(Node { table, ..Node::default() }))
    }

    fn field(&self, name: &str) -> FieldRef {
        let (data_type, field) = (self.data_type(), self.table.as_deref());
        let field = field.cloned().unwrap_or_else(|| Field::new(name, DataType::Null, true));
        Arc::new(field.with_name(name).with_data_type(data_type))
    }

    fn data_type(&self) -> DataType {
        match (self.table.as_ref().map(|field| field.data_type()), &self.object, &self.elements) {
            (Some(DataType::Struct(_)), Some(object), _) => DataType::Struct(object.fields()),
            (Some(DataType::List(element)), _, Some(elements)) => {
                DataType::List(elements.field(element.name()))
            }
            (Some(DataType::Map(entries, sorted)), _, Some(values)) => {
                let entries = match (entries.data_type(), map_value(entries)) {
                    (DataType::Struct(fields), Some(value)) => {
                        let fields = vec![fields[0].clone(), values.field(value.name())];
                        let entries = entries.as_ref().clone();
                        Arc::new(entries.with_data_type(DataType::Struct(fields.into())))
                    }
                    _ => entries.clone(),
                };
                DataType::Map(entries, *sorted)
            }
            (Some(known), ..) => known.clone(),
            (None, Some(object), None) if self.seen.is_empty() && !object.members.is_empty() => {
                DataType::Struct(object.fields())
            }
            (None, None, Some(elements)) if self.seen.is_empty() => DataType::List(elements.field("element")),
            (None, None, None) => self.seen.data_type(),
            // Values of different kinds are kept as the JSON that they are.
            (None, ..) => DataType::Utf8,
        }
    }
}

/// The value of a map's entries, which Arrow holds as a struct of two.
fn map_value(entries: &FieldRef) -> Option<&FieldRef> {
    match entries.data_type() {
        DataType::Struct(fields) => fields.get(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(rows: &[&str], table: Fields) -> Vec<String> {
        let times = Times::default();
        let mut limits = Limits::new(&times, false);
        let mut keys = Keys::new(table);
        for row in rows {
            keys.object(&mut Json::new(row), &mut limits).unwrap();
        }
        keys.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect()
    }

    #[test]
    fn every_row_counts() {
        let rows = [
            r#"{"a": 1, "s": {"x": null, "y": "1"}, "l": [], "d": "2020-01-01", "m": 1}"#,
            r#"{"b": true, "a": 2.5, "s": {"z": 3, "x": 4}, "l": [[1], null], "m": {"n": 1}, "e": {}}"#,
        ];
        let expected = [
            "a: Float64",
            "s: Struct(\"x\": Int64, \"y\": Utf8, \"z\": Int64)",
            "l: List(List(Int64, field: 'element'), field: 'element')",
            "d: Date32",
            "m: Utf8",
            "b: Boolean",
            "e: Utf8",
        ];
        assert_eq!(fields(&rows, Fields::empty()), expected);
    }

    #[test]
    fn the_table_gives_types_and_unknown_keys_are_seen_at_every_depth() {
        let inner = DataType::Struct(vec![Field::new("x", DataType::Int32, false)].into());
        let entries = DataType::Struct(
            vec![Field::new("key", DataType::Utf8, false), Field::new("value", inner.clone(), true)].into(),
        );
        let entries = Field::new("key_value", entries, false);
        let table: Fields = vec![
            Field::new("s", inner, true),
            Field::new("m", DataType::Map(Arc::new(entries), false), true),
        ]
        .into();
        let rows = [r#"{"s": {"x": 1, "new": 1}, "m": {"any key": {"x": 1, "new": "a"}}}"#];
        let expected = [
            "s: Struct(\"x\": non-null Int32, \"new\": Int64)",
            "m: Map(\"key_value\": non-null Struct(\"key\": non-null Utf8, \"value\": Struct(\"x\": non-null Int32, \"new\": Utf8)), unsorted)",
        ];
        assert_eq!(fields(&rows, table), expected);
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let times = Times::default();
        let mut limits = Limits::new(&times, false);
        let mut keys = Keys::default();
        let row = |n: usize| format!("{{\"k{n}\": 1}}");
        assert!((0..MAX_NAMES).all(|n| keys.object(&mut Json::new(&row(n)), &mut limits).is_ok()));
        assert!(limits.exceeded().is_none());
        assert!(keys.object(&mut Json::new(&row(MAX_NAMES)), &mut limits).is_err());
        assert!(limits.exceeded().is_some());
    }
}
