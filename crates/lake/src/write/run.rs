//! Rows that are gathered before they are written, so that they can be put in order: by partition, and within one by
//! the table's sort order.

use std::collections::BTreeSet;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_select::concat::concat;
use arrow_select::interleave::interleave_record_batch;
use arrow_select::take::take_arrays;
use iceberg::spec::Struct;

use super::data_file::DataFiles;
use super::outcome::Placed;
use super::partition::Partitioner;
use super::sort::SortKeys;
use super::target::Target;
use crate::error::{Error, Result};

/// Bytes of rows that are gathered.
const RUN_BYTES: usize = 20 * 1024 * 1024;
/// Rows gathered at most: the numbers of narrow rows take memory too.
const RUN_ROWS: usize = 1024 * 1024;
/// Bytes of rows that are copied into their new order at a time.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// The rows that were gathered since the last time.
pub(super) struct Run {
    partitioner: Option<Partitioner>,
    keys: Option<SortKeys>,
    /// With the source of each.
    batches: Vec<(usize, RecordBatch)>,
    bytes: usize,
    rows: usize,
}

impl Run {
    /// None if rows of the table need no order.
    ///
    /// # Errors
    /// A partition spec that cannot be followed.
    pub(super) fn of(target: &Target) -> Result<Option<Self>> {
        let (partitioner, keys) = (Partitioner::of(target)?, SortKeys::of(target));
        let needed = partitioner.is_some() || keys.is_some();
        Ok(needed.then(|| Self { partitioner, keys, batches: Vec::new(), bytes: 0, rows: 0 }))
    }

    /// Gathers a batch of a source.
    pub(super) fn push(&mut self, source: usize, batch: RecordBatch) {
        self.bytes += batch.get_array_memory_size();
        self.rows += batch.num_rows();
        self.batches.push((source, batch));
    }

    /// Whether there is enough to be written.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= RUN_BYTES || self.rows >= RUN_ROWS
    }

    /// Writes what was gathered, and notes where each source's rows went.
    ///
    /// # Errors
    /// What the files say, or a spec or an order that does not fit the columns.
    pub(super) fn write(&mut self, files: &mut DataFiles, placed: &mut [Placed]) -> Result<()> {
        let batches = std::mem::take(&mut self.batches);
        let (bytes, rows) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.rows));
        if rows == 0 {
            return Ok(());
        }
        let all = || (0..u32::try_from(rows).expect("a run has fewer rows than that")).collect();
        let groups: Vec<(Struct, Vec<u32>)> = match &self.partitioner {
            None => vec![(Struct::empty(), all())],
            Some(partitioner) => {
                let columns = gathered(&batches, |batch| partitioner.columns(batch)).map_err(unfit)?;
                let groups = partitioner.groups(&columns, rows).into_iter();
                let named = groups.map(|rows| Ok((partitioner.partition(&columns, rows[0] as usize)?, rows)));
                named.collect::<Result<_, String>>().map_err(unfit)?
            }
        };
        let keys = match &self.keys {
            Some(keys) => gathered(&batches, |batch| keys.columns(batch)).map_err(unfit)?,
            None => Vec::new(),
        };
        let gathered = Gathered::new(batches);
        let piece = (rows * PIECE_BYTES / bytes.max(1)).clamp(1, rows);
        for (partition, rows) in groups {
            let rows = match &self.keys {
                Some(order) => in_order(order, &keys, rows, &partition, files)?,
                None => rows,
            };
            for rows in rows.chunks(piece) {
                let part = files.write(&partition, &gathered.copy(rows)?)?;
                for source in gathered.sources(rows) {
                    placed[source].add(&part);
                }
            }
            if self.keys.is_some() {
                files.end_row_group()?;
            }
        }
        Ok(())
    }
}

/// Rows of one partition in the table's order, which the partition's file is told of.
fn in_order(
    order: &SortKeys,
    keys: &[ArrayRef],
    rows: Vec<u32>,
    partition: &Struct,
    files: &mut DataFiles,
) -> Result<Vec<u32>> {
    let failed = |e: arrow_schema::ArrowError| unfit(e.to_string());
    let keys = take_arrays(keys, &UInt32Array::from(rows.clone()), None).map_err(failed)?;
    let sorted = order.sorted(&keys).map_err(failed)?;
    if let (Some(first), Some(last)) = (sorted.values().first(), sorted.values().last()) {
        files.begin_sorted(partition, &order.span(&keys, *first as usize, *last as usize))?;
    }
    Ok(sorted.values().iter().map(|place| rows[*place as usize]).collect())
}

fn unfit(reason: String) -> Error {
    Error::invalid(format!("rows cannot be put in order: {reason}"))
}

/// Columns made of each batch, as columns of all.
fn gathered(
    batches: &[(usize, RecordBatch)],
    columns: impl Fn(&RecordBatch) -> Result<Vec<ArrayRef>, String>,
) -> Result<Vec<ArrayRef>, String> {
    let made = batches.iter().map(|(_, batch)| columns(batch)).collect::<Result<Vec<_>, _>>()?;
    let width = made.first().map_or(0, Vec::len);
    let whole = |column: usize| {
        let parts: Vec<&dyn Array> = made.iter().map(|columns| columns[column].as_ref()).collect();
        concat(&parts).map_err(|e| e.to_string())
    };
    (0..width).map(whole).collect()
}

/// What was gathered, by the number of a row in the run.
struct Gathered {
    batches: Vec<(usize, RecordBatch)>,
    /// The number of each batch's first row.
    starts: Vec<usize>,
}

impl Gathered {
    fn new(batches: Vec<(usize, RecordBatch)>) -> Self {
        let next = |start: &mut usize, (_, batch): &(usize, RecordBatch)| {
            let first = *start;
            *start += batch.num_rows();
            Some(first)
        };
        let starts = batches.iter().scan(0, next).collect();
        Self { batches, starts }
    }

    /// The batch of a row, and the row there.
    fn place(&self, row: u32) -> (usize, usize) {
        let row = row as usize;
        let batch = self.starts.partition_point(|start| *start <= row) - 1;
        (batch, row - self.starts[batch])
    }

    fn copy(&self, rows: &[u32]) -> Result<RecordBatch> {
        let at: Vec<(usize, usize)> = rows.iter().map(|row| self.place(*row)).collect();
        let batches: Vec<&RecordBatch> = self.batches.iter().map(|(_, batch)| batch).collect();
        interleave_record_batch(&batches, &at).map_err(|e| unfit(e.to_string()))
    }

    fn sources(&self, rows: &[u32]) -> BTreeSet<usize> {
        rows.iter().map(|row| self.batches[self.place(*row).0].0).collect()
    }
}
