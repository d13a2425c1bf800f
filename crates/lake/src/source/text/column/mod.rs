//! Cells, structs, lists and maps gathered into Arrow arrays.
//!
//! Whatever is added to a column makes it longer by one, also what turns out to be flawed: its row is left out
//! later, and until then all columns stay equally long.

mod list;
mod map;
mod object;

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, FieldRef};

use super::csv::Field as CsvField;
use super::json::{Json, Kind};
use super::rejected::{Flaw, excerpt};
use super::value::{Leaf, Times};
use list::List;
use map::Map;
pub(super) use object::Object;

/// Bytes that the cells of one row may take beside its texts. A list of empty objects would otherwise become as many
/// nulls as there are keys, for two bytes each.
const MAX_ROW_CELLS: usize = 128 * 1024 * 1024;

/// What reading a value needs beside its text.
pub(super) struct Context<'a> {
    pub(super) times: &'a Times,
    /// Bytes that the cells of the row under way take beside its texts, nulls as well.
    cells: usize,
    /// A field whose text is not in the file as it is.
    field: String,
    /// The same for a JSON string.
    string: String,
}

/// A column of any type.
#[derive(Debug)]
enum Column {
    Leaf(Leaf),
    Object(Box<Object>),
    List(Box<List>),
    Map(Box<Map>),
}

/// A column at its place.
#[derive(Debug)]
struct Slot {
    /// As it is handed out: it may have nulls, for rows that are left out have them.
    field: FieldRef,
    /// The table wants a value in each row.
    required: bool,
    column: Column,
}

impl<'a> Context<'a> {
    pub(super) fn new(times: &'a Times) -> Self {
        Self { times, cells: 0, field: String::new(), string: String::new() }
    }

    /// Begins a row; the answer is what the cells of the one before took.
    pub(super) fn next_row(&mut self) -> usize {
        std::mem::take(&mut self.cells)
    }

    /// Counts cells of so many bytes, before they are made.
    ///
    /// # Errors
    /// The row has too many.
    fn count(&mut self, bytes: usize) -> Result<(), Flaw> {
        self.cells = self.cells.saturating_add(bytes);
        if self.cells <= MAX_ROW_CELLS {
            return Ok(());
        }
        Err(Flaw::new(format!("the row's values and nulls take more than {} MiB", MAX_ROW_CELLS >> 20)))
    }
}

impl Slot {
    /// # Errors
    /// Text cannot hold the field's type.
    fn new(field: &Field, ignore_case: bool) -> Result<Self, String> {
        let (column, data_type) = match field.data_type() {
            DataType::Struct(fields) => {
                let object = Object::new(fields, ignore_case)?;
                let data_type = DataType::Struct(object.fields());
                (Column::Object(Box::new(object)), data_type)
            }
            DataType::List(element) => {
                let list = List::new(element, ignore_case)?;
                let data_type = DataType::List(list.element());
                (Column::List(Box::new(list)), data_type)
            }
            DataType::Map(entries, sorted) => {
                let map = Map::new(entries, *sorted, ignore_case)
                    .map_err(|reason| format!("column `{}`: {reason}", field.name()))?;
                let data_type = DataType::Map(map.entries(), *sorted);
                (Column::Map(Box::new(map)), data_type)
            }
            other => {
                let leaf = Leaf::new(other).ok_or_else(|| {
                    format!("column `{}` has type {other}, which text files cannot hold", field.name())
                })?;
                (Column::Leaf(leaf), other.clone())
            }
        };
        let relaxed = field.clone().with_data_type(data_type).with_nullable(true);
        Ok(Self { field: Arc::new(relaxed), required: !field.is_nullable(), column })
    }

    /// Bytes that a value takes beside texts and elements, and a null as well.
    fn cell_bytes(&self) -> usize {
        match &self.column {
            Column::Leaf(leaf) => leaf.cell_bytes(),
            Column::Object(object) => object.cell_bytes(),
            Column::List(_) | Column::Map(_) => size_of::<i32>(),
        }
    }

    fn null(&mut self) {
        match &mut self.column {
            Column::Leaf(leaf) => leaf.null(),
            Column::Object(object) => object.null(),
            Column::List(list) => list.null(),
            Column::Map(map) => map.null(),
        }
    }

    /// Adds a null that the file has, or a value that it has not.
    fn absent(&mut self) -> Result<(), Flaw> {
        self.null();
        if self.required { Err(Flaw::new("the table requires a value")) } else { Ok(()) }
    }

    /// Adds the value that comes next.
    fn json(&mut self, json: &mut Json<'_>, context: &mut Context<'_>) -> Result<(), Flaw> {
        match json.kind() {
            Ok(Kind::Null) => {
                let absent = self.absent();
                json.skip()?;
                absent
            }
            Ok(_) => match &mut self.column {
                Column::Leaf(leaf) => match json.text(&mut context.string) {
                    Ok(text) => leaf.text(text, context.times),
                    Err(flaw) => {
                        leaf.null();
                        Err(flaw)
                    }
                },
                Column::Object(object) => object.json(json, context),
                Column::List(list) => list.json(json, context),
                Column::Map(map) => map.json(json, context),
            },
            Err(flaw) => {
                self.null();
                Err(flaw)
            }
        }
    }

    /// Adds a field of a CSV row. Structs, lists and maps are JSON there.
    fn csv(&mut self, field: &CsvField<'_>, context: &mut Context<'_>) -> Result<(), Flaw> {
        match (&mut self.column, field) {
            (Column::Leaf(leaf), CsvField::Text(text)) => leaf.text(text, context.times),
            (Column::Leaf(leaf), CsvField::Empty) if leaf.holds_text() => leaf.text("", context.times),
            (_, CsvField::Null | CsvField::Empty) => self.absent(),
            (_, CsvField::Text(text)) => {
                let mut json = Json::new(text);
                self.json(&mut json, context).and_then(|()| json.end())
            }
        }
    }

    fn finish(&mut self) -> Result<ArrayRef, String> {
        match &mut self.column {
            Column::Leaf(leaf) => Ok(leaf.finish()),
            Column::Object(object) => object.finish(),
            Column::List(list) => list.finish(),
            Column::Map(map) => map.finish(),
        }
    }
}

/// A value of the wrong kind.
fn no(json: &mut Json<'_>, expected: &str) -> Flaw {
    match json.skip() {
        Ok(text) => Flaw::new(format!("{} is no {expected}", excerpt(text))),
        Err(flaw) => flaw,
    }
}
