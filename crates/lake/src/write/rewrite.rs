//! Mode `rewrite`: decode, align to the table's columns, put in order where the table wants one, encode.
//!
//! One thread decodes while others encode, column by column. Memory is bounded by what the modules below hold, whatever
//! the input looks like: windows and batches of one source, one run of rows if they are put in order, one row group of
//! output, and the parts of uploads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use iceberg::spec::Struct;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::align::align;
use super::data_file::{DataFiles, delete_uncommitted};
use super::outcome::{Placed, WriteError, Written};
use super::run::Run;
use super::target::Target;
use super::unclaimed::Unclaimed;
use crate::columns::Mapping;
use crate::error::{Error, Result};
use crate::source::{ReadError, Source};
use crate::storage::Stores;

/// A source, and how its columns become the table's.
#[derive(Debug, Clone)]
pub struct RewriteInput {
    /// What is read.
    pub source: Source,
    /// It was made for the source's schema and the target's columns, without a misfit.
    pub mapping: Arc<Mapping>,
}

/// Writes the rows of `sources` into new data files of `target`, by the table's partition spec and sort order. If the
/// future is dropped, writing ends after the batch that is under way, and what was written is deleted.
///
/// # Errors
/// See [`WriteError`]. Once a source is found bad nothing more is written, but the others are still looked at.
pub async fn rewrite(
    stores: Arc<Stores>,
    target: Target,
    sources: Vec<RewriteInput>,
) -> Result<Written, WriteError> {
    let runtime = Handle::current();
    let (answer, written) = oneshot::channel();
    // Encoding keeps a core busy for long stretches: it has threads of its own beside the decoder's.
    tokio::task::spawn_blocking(move || encode(stores, target, &sources, answer, runtime));
    written
        .await
        .map_err(|e| WriteError::Sink(Error::unavailable("writing data files was cut short").caused_by(e)))?
        .map(Unclaimed::claim)
}

type Answer = oneshot::Sender<Result<Unclaimed, WriteError>>;

/// Answers with the files; deletes them if nobody takes the answer.
fn encode(stores: Arc<Stores>, target: Target, sources: &[RewriteInput], answer: Answer, runtime: Handle) {
    let result = fill(&stores, &target, sources, &answer, &runtime);
    if let Err(Ok(unwanted)) = answer.send(result.map(|written| Unclaimed::new(&stores, written))) {
        runtime.block_on(delete_uncommitted(&stores, &unwanted.claim().files));
    }
}

fn fill(
    stores: &Arc<Stores>,
    target: &Target,
    sources: &[RewriteInput],
    answer: &Answer,
    runtime: &Handle,
) -> Result<Written, WriteError> {
    let mut output = Some(Output::new(stores.clone(), target, sources.len(), runtime.clone())?);
    let mut faults = Vec::new();
    for (index, input) in sources.iter().enumerate() {
        let read = pour(input, target, answer, |batch| match &mut output {
            // A panic is the source's fault only where no rows of others are written with its own.
            Some(output) => match unbroken(|| output.write(index, batch)) {
                Ok(written) => written.map_err(Stop::Sink),
                Err(reason) if sources.len() == 1 => Err(Stop::Read(ReadError::Content(reason))),
                Err(reason) => Err(Stop::Sink(Error::unavailable(reason))),
            },
            // Something is at fault already: the rows are only looked at.
            None => Ok(()),
        });
        match read {
            Ok(()) => {}
            Err(Stop::Read(error)) => {
                if let Some(output) = output.take() {
                    output.files.abandon();
                }
                // Where the store fails the others would fail too, and all of them will be read again.
                let over = matches!(error, ReadError::Store(_));
                faults.push((index, error));
                if over {
                    break;
                }
            }
            Err(Stop::Sink(error)) => {
                if let Some(output) = output.take() {
                    output.files.abandon();
                }
                return Err(WriteError::Sink(error));
            }
        }
    }
    match output {
        Some(mut output) => match unbroken(|| output.end()) {
            Ok(Ok(files)) => Ok(Written { files, sources: output.placed }),
            Ok(Err(error)) => {
                output.files.abandon();
                Err(WriteError::Sink(error))
            }
            Err(reason) => {
                output.files.abandon();
                Err(WriteError::Sink(Error::unavailable(reason)))
            }
        },
        None => Err(WriteError::bad(faults)),
    }
}

/// Why a source was not read to its end.
enum Stop {
    Read(ReadError),
    Sink(Error),
}

/// Decodes a source and hands its rows over as the table holds them.
fn pour(
    input: &RewriteInput,
    target: &Target,
    answer: &Answer,
    mut into: impl FnMut(RecordBatch) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut batches = input.source.batches();
    let mut rows = 0;
    while let Some(batch) = batches.blocking_recv() {
        if answer.is_closed() {
            return Err(Stop::Sink(Error::unavailable("nobody waits for the data files any more")));
        }
        let batch = batch.map_err(Stop::Read)?;
        rows += batch.num_rows() as u64;
        let aligned = unbroken(|| align(&batch, &input.mapping, &target.columns)).flatten();
        into(aligned.map_err(|reason| Stop::Read(ReadError::Content(reason)))?)?;
    }
    // A thread that reads says why it ends, unless it is ended itself.
    match &input.source {
        Source::Parquet(source) if rows < source.rows() => {
            Err(Stop::Sink(Error::unavailable("reading a source was cut short")))
        }
        Source::Parquet(_) | Source::Text(_) => Ok(()),
    }
}

/// What `work` gives, or that it panicked: rows that lead there must not do so again and again.
fn unbroken<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| "its rows broke the encoder".to_owned())
}

/// Where rows go.
struct Output {
    files: DataFiles,
    /// Rows that wait to be put in order, in a table that has one.
    run: Option<Run>,
    placed: Vec<Placed>,
}

impl Output {
    fn new(stores: Arc<Stores>, target: &Target, sources: usize, runtime: Handle) -> Result<Self> {
        let run = Run::of(target)?;
        let files = DataFiles::new(stores, target.clone(), runtime);
        Ok(Self { files, run, placed: vec![Placed::default(); sources] })
    }

    fn write(&mut self, source: usize, batch: RecordBatch) -> Result<()> {
        self.placed[source].rows += batch.num_rows() as u64;
        match &mut self.run {
            None => {
                let part = self.files.write(&Struct::empty(), &batch)?;
                self.placed[source].add(&part);
            }
            Some(run) => {
                run.push(source, batch);
                if run.is_full() {
                    run.write(&mut self.files, &mut self.placed)?;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<Vec<iceberg::spec::DataFile>> {
        if let Some(run) = &mut self.run {
            run.write(&mut self.files, &mut self.placed)?;
        }
        self.files.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::TryStreamExt;
    use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject};
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt};
    use parquet::arrow::ArrowWriter;

    use super::super::data_file::tests::table_at;
    use super::*;
    use crate::columns::{Matching, map};
    use crate::source::{Resolved, TextOptions, resolve};

    #[tokio::test]
    async fn data_files_are_left_only_where_somebody_waits_for_them() {
        let (table, batch) = table_at("s3://b/t".to_owned());
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let store = Arc::new(InMemory::new());
        store.put(&Path::from("a"), writer.into_inner().unwrap().into()).await.unwrap();
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        stores.lend("b", store.clone());
        let wanted = RequestedObject { uri: ObjectUri::new("b", "a").unwrap(), hint: ObjectHint::default() };
        let Resolved::Object(object) = resolve(&stores, "s3", &wanted).await.unwrap() else {
            panic!("it was just put")
        };
        let source = Source::open(object, FileFormat::Parquet, &TextOptions::default(), None).await.unwrap();
        let target = Target::current(table).unwrap();
        let (mapping, misfits) = map(source.schema().fields(), target.columns.fields(), Matching::default());
        assert_eq!(misfits, []);
        let input = RewriteInput { source, mapping: Arc::new(mapping) };
        let files = async || {
            let found: Vec<_> = store.list(Some(&Path::from("t"))).try_collect().await.unwrap();
            found.len()
        };

        let (answer, gone) = oneshot::channel();
        drop(gone);
        let (runtime, lent, to, inputs) =
            (Handle::current(), stores.clone(), target.clone(), vec![input.clone()]);
        tokio::task::spawn_blocking(move || encode(lent, to, &inputs, answer, runtime)).await.unwrap();
        assert_eq!(files().await, 0);

        // The answer was sent, and whoever asked went away before taking it.
        let (answer, taken) = oneshot::channel();
        let (runtime, lent, to, inputs) =
            (Handle::current(), stores.clone(), target.clone(), vec![input.clone()]);
        tokio::task::spawn_blocking(move || encode(lent, to, &inputs, answer, runtime)).await.unwrap();
        assert_eq!(files().await, 1);
        drop(taken);
        while files().await > 0 {
            tokio::task::yield_now().await;
        }

        let written = rewrite(stores, target, vec![input]).await.unwrap();
        assert_eq!((written.files.len(), written.sources[0].rows), (1, 1));
        assert_eq!(files().await, 1);
    }
}
