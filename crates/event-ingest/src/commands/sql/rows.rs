//! Rows of an answer: columns for people, an object on each line for programs.

use std::io::Write;

use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use crate::commands::print::{DynamicTable, watched};

/// What stands for a value that is not there.
const NULL: &str = "null";

/// Writes at most so many rows. Returns whether there were more.
///
/// # Errors
/// The answer breaks off, or the output is closed.
pub(super) async fn write(
    out: &mut impl Write,
    mut answer: SendableRecordBatchStream,
    max_rows: usize,
    json: bool,
) -> anyhow::Result<bool> {
    let mut table = heading(&answer.schema());
    let (mut left, mut more) = (max_rows, false);
    while let Some(batch) = watched("rows are read", answer.try_next()).await? {
        more = batch.num_rows() > left;
        let batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
        match json {
            true => lines(out, &batch)?,
            false => fill(&mut table, &batch)?,
        }
        if more {
            break;
        }
    }
    if !json {
        table.write(out)?;
    }
    Ok(more)
}

fn heading(schema: &Schema) -> DynamicTable {
    let columns = schema.fields().iter();
    DynamicTable::new(columns.map(|field| (field.name().clone(), field.data_type().is_numeric())))
}

fn fill(table: &mut DynamicTable, batch: &RecordBatch) -> anyhow::Result<()> {
    let options = FormatOptions::default().with_null(NULL).with_display_error(true);
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        table.row(columns.iter().map(|column| column.value(row).to_string()));
    }
    Ok(())
}

fn lines(out: &mut impl Write, batch: &RecordBatch) -> anyhow::Result<()> {
    // Every line has every column.
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(out);
    writer.write(batch)?;
    Ok(writer.finish()?)
}
