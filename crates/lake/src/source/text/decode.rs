//! Record batches from a file.

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{Fields, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::column::{Context, Object};
use super::json::Json;
use super::options::TextOptions;
use super::rejected::{Flaw, Judge, Rejected};
use super::{csv, json, plan};
use crate::source::ReadError;

/// Rows in a batch: enough to keep the cost a batch small, few enough that wide rows stay small in memory.
const BATCH_ROWS: usize = 8 * 1024;
/// Bytes of the file that make a batch at most, but for its last row.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that the cells of a batch take at most beside their texts, but for its last row. Nulls are none in the file.
const BATCH_CELLS: usize = 32 * 1024 * 1024;

/// A file that is being read.
pub(super) enum Rows {
    Csv(csv::Rows),
    Json(json::Rows),
}

/// Reads the rows of a file with these columns and hands them to `take` in batches, until that says no.
///
/// # Errors
/// The store failed, or the file is at fault.
pub(super) fn decode(
    mut rows: Rows,
    fields: &Fields,
    schema: &SchemaRef,
    options: &TextOptions,
    mut take: impl FnMut(RecordBatch) -> bool,
) -> Result<Rejected, ReadError> {
    let mut judge = Judge::new(options.bad_rows);
    let mut context = Context::new(&options.times);
    let mut batch = Batch::new(plan::columns(fields, options)?, schema.clone());
    if let (Rows::Csv(rows), true) = (&mut rows, options.header) {
        rows.header()?;
    }
    loop {
        let (line, bytes, added) = match &mut rows {
            Rows::Csv(rows) => match rows.next()? {
                None => break,
                Some(row) => (row.line, row.bytes, batch.columns.csv(row.fields, &mut context)),
            },
            Rows::Json(rows) => match rows.next()? {
                None => break,
                Some(row) => {
                    let added = match row.text {
                        Ok(text) => {
                            let mut json = Json::new(text);
                            batch.columns.json(&mut json, &mut context).and_then(|()| json.end())
                        }
                        Err(flaw) => batch.columns.json(&mut Json::new(""), &mut context).and(Err(flaw)),
                    };
                    (row.line, row.bytes, added)
                }
            },
        };
        batch.note(bytes, context.next_row(), added.is_ok());
        if let Err(flaw) = added {
            judge.reject(line, flaw)?;
        }
        if batch.full() && !batch.finish()?.is_none_or(&mut take) {
            return Ok(judge.into_rejected());
        }
    }
    if let Some(last) = batch.finish()? {
        take(last);
    }
    Ok(judge.into_rejected())
}

/// The flaw of a row that has not as many fields as there are columns.
pub(super) fn wrong_width(fields: usize, columns: usize) -> Flaw {
    Flaw::new(format!("the row has {fields} fields, there are {columns} columns"))
}

/// Rows until they are handed on.
struct Batch {
    columns: Object,
    schema: SchemaRef,
    bytes: usize,
    /// Bytes of cells beside their texts.
    cells: usize,
    /// Whether each row is to be kept.
    keep: Vec<bool>,
}

impl Batch {
    fn new(columns: Object, schema: SchemaRef) -> Self {
        Self { columns, schema, bytes: 0, cells: 0, keep: Vec::with_capacity(BATCH_ROWS) }
    }

    /// A row was added, with so many bytes of the file, and of elements' cells beside their texts.
    fn note(&mut self, bytes: usize, elements: usize, keep: bool) {
        self.bytes += bytes;
        self.cells = self.cells.saturating_add(elements).saturating_add(self.columns.cell_bytes());
        self.keep.push(keep);
    }

    fn full(&self) -> bool {
        self.keep.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES || self.cells >= BATCH_CELLS
    }

    /// The rows to be kept; none if there is none.
    fn finish(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        let failed =
            |reason: String| ReadError::Content(format!("the columns do not fit together: {reason}"));
        let rows = self.columns.rows();
        let columns = self.columns.columns().map_err(failed)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        let mut batch = batch.map_err(|e| failed(e.to_string()))?;
        if self.keep.contains(&false) {
            let keep = BooleanArray::from(std::mem::take(&mut self.keep));
            batch = filter_record_batch(&batch, &keep).map_err(|e| failed(e.to_string()))?;
        }
        self.keep.clear();
        (self.bytes, self.cells) = (0, 0);
        Ok((batch.num_rows() > 0).then_some(batch))
    }
}
