//! Which columns a file has, and their types: the table's where it knows them, else what the whole file shows.

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};

use super::column::Object;
use super::csv::{self, Field as CsvField};
use super::decode::wrong_width;
use super::json::{self, Json, Keys, Limits};
use super::options::{BadRows, TextOptions};
use super::rejected::Judge;
use super::value::Seen;
use crate::source::ReadError;

/// The columns of a CSV file. If the table knows them all, only the header is read.
///
/// # Errors
/// The store failed, or the file is at fault.
pub(super) fn csv(
    rows: &mut csv::Rows,
    options: &TextOptions,
    table: Option<&Schema>,
) -> Result<Fields, ReadError> {
    let names = match (options.header, table) {
        (true, _) => rows.header()?,
        (false, Some(table)) => Some(table.fields().iter().map(|field| field.name().clone()).collect()),
        (false, None) => rows.width()?.map(|width| (1..=width).map(|n| format!("column_{n}")).collect()),
    };
    let Some(names) = names else { return Ok(of_empty(table)) };
    let known: Vec<Option<FieldRef>> = names.iter().map(|name| find(table, name, options)).collect();
    let unknown: Vec<usize> = (0..names.len()).filter(|index| known[*index].is_none()).collect();
    let mut seen = vec![Seen::default(); unknown.len()];
    if !unknown.is_empty() {
        look(rows, options, names.len(), &unknown, &mut seen)?;
    }
    let mut shown = seen.into_iter();
    let field = |(name, known): (String, Option<FieldRef>)| match known {
        Some(field) => field.as_ref().clone().with_name(name),
        None => Field::new(name, shown.next().map_or(DataType::Utf8, Seen::data_type), true),
    };
    Ok(names.into_iter().zip(known).map(field).collect())
}

/// Looks at the columns at these places in each row.
fn look(
    rows: &mut csv::Rows,
    options: &TextOptions,
    width: usize,
    places: &[usize],
    seen: &mut [Seen],
) -> Result<(), ReadError> {
    let (mut judge, mut scratch) = (Judge::new(options.bad_rows), String::new());
    while let Some(row) = rows.next()? {
        let fields = match row.fields {
            Ok(fields) if fields.len() == width => fields,
            Ok(fields) => {
                judge.reject(row.line, wrong_width(fields.len(), width))?;
                continue;
            }
            Err(flaw) => {
                judge.reject(row.line, flaw)?;
                continue;
            }
        };
        for (place, seen) in places.iter().zip(seen.iter_mut()) {
            match fields.get(*place, &mut scratch) {
                CsvField::Text(text) => seen.text(text, &options.times),
                CsvField::Null | CsvField::Empty => {}
            }
        }
    }
    Ok(())
}

/// The columns of a file of JSON lines: all keys that it has, wherever they are.
///
/// # Errors
/// The store failed, or the file is at fault.
pub(super) fn json(
    rows: &mut json::Rows,
    options: &TextOptions,
    table: Option<&Schema>,
) -> Result<Fields, ReadError> {
    let mut judge = Judge::new(options.bad_rows);
    let mut limits = Limits::new(&options.times, options.ignore_case);
    let mut keys = Keys::new(table.map_or_else(Fields::empty, |table| table.fields().clone()));
    let mut empty = true;
    while let Some(row) = rows.next()? {
        empty = false;
        let looked = row.text.and_then(|text| {
            if options.bad_rows != BadRows::Quarantine {
                // The keys of a row that is left out are no columns.
                let mut whole = Json::new(text);
                whole.skip().and_then(|_| whole.end())?;
            }
            let mut json = Json::new(text);
            keys.object(&mut json, &mut limits)?;
            json.end()
        });
        if let Some(reason) = limits.exceeded() {
            return Err(ReadError::Content(reason));
        }
        if let Err(flaw) = looked {
            judge.reject(row.line, flaw)?;
        }
    }
    Ok(if empty { of_empty(table) } else { keys.fields() })
}

/// An empty file has the columns that it ought to have, and no rows.
fn of_empty(table: Option<&Schema>) -> Fields {
    table.map_or_else(Fields::empty, |table| table.fields().clone())
}

fn find(table: Option<&Schema>, name: &str, options: &TextOptions) -> Option<FieldRef> {
    let same = |field: &&FieldRef| {
        field.name() == name || (options.ignore_case && field.name().to_lowercase() == name.to_lowercase())
    };
    table?.fields().iter().find(same).cloned()
}

/// Columns of these types that are to be filled.
///
/// # Errors
/// A type that text cannot hold.
pub(super) fn columns(fields: &Fields, options: &TextOptions) -> Result<Object, ReadError> {
    Object::new(fields, options.ignore_case).map_err(ReadError::Content)
}
