//! Several sorted runs into one, as a stream: memory is a row group of each, whatever their length.

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_select::interleave::interleave_record_batch;
use futures::TryStreamExt;
use parquet::arrow::async_reader::ParquetRecordBatchStream;
use parquet::errors::ParquetError;

use super::columns::{KEY_HASH, VERSION, VERSION_KIND, numbers, texts};
use super::file::RunFile;
use super::run::{BATCH_ENTRIES, RunWriter, batches};
use crate::error::Result;

/// Writes the entries of `files`, in the order of a run.
pub(super) async fn interleave(files: &[RunFile], writer: &mut RunWriter) -> Result<()> {
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        sources.extend(Source::open(file).await?);
    }
    while !sources.is_empty() {
        let rows = take(&mut sources)?;
        let held: Vec<&RecordBatch> = sources.iter().map(|source| &source.batch).collect();
        let batch = interleave_record_batch(&held, &rows).map_err(|e| sources[0].file.error(e.into()))?;
        writer.write(&batch).await?;
        let mut left = Vec::with_capacity(sources.len());
        for source in sources {
            left.extend(source.refilled().await?);
        }
        sources = left;
        // A long merge shares its thread with commits.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// The next rows as (source, row), until a batch is full or a source has to read on.
fn take(sources: &mut [Source]) -> Result<Vec<(usize, usize)>> {
    let mut rows = Vec::with_capacity(BATCH_ENTRIES);
    while rows.len() < BATCH_ENTRIES {
        let least = sources.iter().enumerate().min_by(|(_, a), (_, b)| a.key().cmp(&b.key()));
        let Some((place, _)) = least else { break };
        rows.push((place, sources[place].row));
        if !sources[place].step()? {
            break;
        }
    }
    Ok(rows)
}

/// One run and the place that was reached in it.
struct Source {
    file: RunFile,
    batches: ParquetRecordBatchStream<RunFile>,
    batch: RecordBatch,
    hashes: Int64Array,
    kinds: StringArray,
    versions: StringArray,
    row: usize,
}

impl Source {
    /// `None` for a run without entries.
    async fn open(file: &RunFile) -> Result<Option<Self>> {
        let mut batches = batches(file).await?;
        let damaged = |e| file.error(e);
        let Some(batch) = batches.try_next().await.map_err(damaged)? else { return Ok(None) };
        Ok(Some(Self {
            hashes: numbers(&batch, KEY_HASH).map_err(damaged)?.clone(),
            kinds: texts(&batch, VERSION_KIND).map_err(damaged)?.clone(),
            versions: texts(&batch, VERSION).map_err(damaged)?.clone(),
            file: file.clone(),
            batches,
            batch,
            row: 0,
        }))
    }

    fn key(&self) -> (i64, &str, &str) {
        (self.hashes.value(self.row), self.kinds.value(self.row), self.versions.value(self.row))
    }

    /// Goes to the next row; false at the end of the batch.
    fn step(&mut self) -> Result<bool> {
        let before = self.hashes.value(self.row);
        self.row += 1;
        if self.row == self.batch.num_rows() {
            return Ok(false);
        }
        self.in_order(before, self.hashes.value(self.row))?;
        Ok(true)
    }

    /// Reads on at the end of a batch; `None` at the end of the run.
    async fn refilled(mut self) -> Result<Option<Self>> {
        if self.row < self.batch.num_rows() {
            return Ok(Some(self));
        }
        let before = self.hashes.value(self.row - 1);
        let damaged = |e| self.file.error(e);
        let Some(batch) = self.batches.try_next().await.map_err(damaged)? else { return Ok(None) };
        self.hashes = numbers(&batch, KEY_HASH).map_err(damaged)?.clone();
        self.kinds = texts(&batch, VERSION_KIND).map_err(damaged)?.clone();
        self.versions = texts(&batch, VERSION).map_err(damaged)?.clone();
        self.batch = batch;
        self.row = 0;
        self.in_order(before, self.hashes.value(0))?;
        Ok(Some(self))
    }

    /// Look-ups would not find what stands out of order.
    fn in_order(&self, before: i64, after: i64) -> Result<()> {
        if before <= after {
            return Ok(());
        }
        Err(self.file.error(ParquetError::General("its entries are not sorted".to_owned())))
    }
}
