//! Copying: bytes come in, are checked as they pass, and go out.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use iceberg::spec::DataFile;

use super::output::{Copied, Output};
use super::plan::{Chunk, bits, plan, side};
use super::reads::Take;
use super::shape::Leaf;
use super::trust::carried;
use super::{SpliceInput, SpliceLimits, constant};
use crate::error::{Error, Result as LakeResult};
use crate::ledger::Part;
use crate::source::ReadError;
use crate::source::pages::{ChunkWalk, Expected, Fault};
use crate::storage::Stores;
use crate::write::{Placed, Target, WriteError, delete_uncommitted};

/// Requests whose answers are waited for or held; of 4 MiB at most.
const READS_AHEAD: usize = 5;

/// Why a source, or everything, comes to an end.
enum Trouble {
    Source(ReadError),
    /// The source is right, but its chunks are not for every reader.
    Unusual(String),
    Sink(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Sink(error)
    }
}

/// A step of copying one source.
enum Step {
    /// These chunks will come.
    Begin(Vec<Chunk>),
    /// The footer contradicts itself.
    Wrong(String),
    Read(Wanted, Range<u64>),
}

/// What is read.
enum Wanted {
    Indexes,
    Blooms,
    Chunks(Vec<Take>),
}

/// The source that is being copied.
struct Current {
    slot: usize,
    chunks: Vec<Chunk>,
    walk: Option<ChunkWalk>,
    /// Where the chunk that is under way begins in the output.
    start: u64,
    /// What stands beside the chunks, and where it begins in the source.
    indexes: Option<(u64, Bytes)>,
    blooms: Option<(u64, Bytes)>,
}

/// Copies sources into data files. After the first that is at fault nothing is written any more, but the others are
/// still looked at.
pub(super) struct Copier {
    stores: Arc<Stores>,
    target: Target,
    limits: SpliceLimits,
    inputs: Arc<Vec<SpliceInput>>,
    open: Option<Output>,
    closed: Vec<DataFile>,
    placed: Vec<Placed>,
    bad: Vec<(usize, ReadError)>,
    unusual: Vec<(usize, String)>,
    /// For each source, whether nothing of it is wanted any more.
    ended: Arc<Vec<AtomicBool>>,
}

impl Copier {
    pub(super) fn new(
        stores: Arc<Stores>,
        target: Target,
        inputs: Arc<Vec<SpliceInput>>,
        limits: SpliceLimits,
    ) -> Self {
        let placed = vec![Placed::default(); inputs.len()];
        let ended = Arc::new(inputs.iter().map(|_| AtomicBool::new(false)).collect());
        Self {
            stores,
            target,
            limits,
            inputs,
            open: None,
            closed: Vec::new(),
            placed,
            bad: Vec::new(),
            unusual: Vec::new(),
            ended,
        }
    }

    /// Copies sources that may share a data file. `wanted` says whether anybody still waits for the outcome.
    pub(super) async fn group(
        &mut self,
        members: Vec<usize>,
        wanted: impl Fn() -> bool,
    ) -> Result<(), WriteError> {
        let mut steps = std::pin::pin!(steps(self.inputs.clone(), members, self.ended.clone()));
        let mut current = None;
        while let Some((slot, step, bytes)) = steps.next().await {
            if !wanted() {
                return Err(Error::unavailable("nobody waits for the data files any more").into());
            }
            let Err(trouble) = self.step(&mut current, slot, step, bytes).await else { continue };
            current = None;
            self.ended[slot].store(true, Ordering::Relaxed);
            match trouble {
                Trouble::Sink(error) => return Err(error.into()),
                Trouble::Source(ReadError::Store(error)) => {
                    // It would fail for the others as well.
                    return Err(WriteError::Sink(error));
                }
                Trouble::Source(error) => self.bad.push((slot, error)),
                Trouble::Unusual(reason) => self.unusual.push((slot, reason)),
            }
            self.discard().await;
        }
        self.close().await.map_err(WriteError::Sink)
    }

    /// The files, and where each source's rows are.
    pub(super) fn finish(&mut self) -> Result<(Vec<DataFile>, Vec<Placed>), WriteError> {
        let (bad, unspliceable) = (std::mem::take(&mut self.bad), std::mem::take(&mut self.unusual));
        if !bad.is_empty() || !unspliceable.is_empty() {
            return Err(WriteError::Sources { bad, unspliceable });
        }
        Ok((std::mem::take(&mut self.closed), std::mem::take(&mut self.placed)))
    }

    /// Deletes what was written: nothing was committed, so nobody can refer to it.
    pub(super) async fn discard(&mut self) {
        if let Some(open) = self.open.take() {
            open.discard(&self.stores).await;
        }
        delete_uncommitted(&self.stores, &std::mem::take(&mut self.closed)).await;
    }

    fn writing(&self) -> bool {
        self.bad.is_empty() && self.unusual.is_empty()
    }

    async fn step(
        &mut self,
        current: &mut Option<Current>,
        slot: usize,
        step: Step,
        bytes: Option<Result<Bytes, ReadError>>,
    ) -> Result<(), Trouble> {
        let (wanted, range) = match step {
            Step::Wrong(reason) => return Err(Trouble::Source(ReadError::Content(reason))),
            Step::Begin(chunks) => {
                let (walk, indexes, blooms) = (None, None, None);
                *current = Some(Current { slot, chunks, walk, start: 0, indexes, blooms });
                return Ok(());
            }
            Step::Read(wanted, range) => (wanted, range),
        };
        // A source that came to an end has no current state; what was asked for ahead is dropped.
        let (Some(current), Some(bytes)) = (current, bytes) else { return Ok(()) };
        let bytes = bytes.map_err(Trouble::Source)?;
        if bytes.len() as u64 != range.end - range.start {
            // The footer was read at the size that the store gave.
            return Err(Trouble::Source(ReadError::Changed));
        }
        match wanted {
            Wanted::Indexes => current.indexes = Some((range.start, bytes)),
            Wanted::Blooms => current.blooms = Some((range.start, bytes)),
            Wanted::Chunks(takes) => {
                for take in takes {
                    let part = slice(&bytes, range.start, &take.range).expect("what is taken was read");
                    self.take(current, take.piece, part).await?;
                }
            }
        }
        Ok(())
    }

    /// The next bytes of a chunk.
    async fn take(&mut self, current: &mut Current, place: usize, bytes: Bytes) -> Result<(), Trouble> {
        let first_of_group = place == 0 || current.chunks[place - 1].group != current.chunks[place].group;
        let chunk = &current.chunks[place];
        if current.walk.is_none() {
            current.walk = Some(ChunkWalk::new(chunk.expected));
            if self.writing() {
                if first_of_group {
                    self.begin_group(current, place).await?;
                }
                let before = if first_of_group { 0 } else { current.chunks[place - 1].leaf + 1 };
                self.constants(current, before..chunk.leaf, chunk.expected.rows).await?;
                current.start = self.output().position();
            }
        }
        let walk = current.walk.as_mut().expect("it was begun just above");
        walk.feed(&bytes).map_err(|fault| self.fault(current.slot, chunk, fault))?;
        let done = walk.left() == 0;
        if self.writing() {
            self.output().put(bytes).await?;
        }
        if done { self.end_chunk(current, place).await } else { Ok(()) }
    }

    async fn begin_group(&mut self, current: &Current, place: usize) -> Result<(), Trouble> {
        let group = current.chunks[place].group;
        let chunks = current.chunks[place..].iter().take_while(|chunk| chunk.group == group);
        let bytes = chunks.map(|chunk| chunk.expected.length).sum();
        if self.open.as_ref().is_some_and(|open| !open.has_room(bytes, self.limits.target_file_bytes)) {
            self.close().await?;
        }
        if self.open.is_none() {
            let SpliceInput { shape, partition, .. } = &self.inputs[current.slot];
            let partition = partition.as_ref().map(|key| key.data().clone());
            self.open =
                Some(Output::begin(&self.stores, &self.target, shape.schema.clone(), partition).await?);
        }
        Ok(())
    }

    async fn end_chunk(&mut self, current: &mut Current, place: usize) -> Result<(), Trouble> {
        let chunk = &current.chunks[place];
        let walk = current.walk.take().expect("a chunk that ends was begun");
        let walked = walk.finish().map_err(|fault| self.fault(current.slot, chunk, fault))?;
        if !self.writing() {
            return Ok(());
        }
        let inputs = self.inputs.clone();
        let SpliceInput { source, shape, .. } = &inputs[current.slot];
        let (footer, size) = (source.metadata(), source.object().size);
        let said = footer.row_group(chunk.group).column(chunk.column);
        let carried = carried(footer.file_metadata(), chunk.column, said);
        let beside = |held: &Option<(u64, Bytes)>, offset, length| {
            let (start, bytes) = held.as_ref()?;
            slice(bytes, *start, &side(offset, length, size)?)
        };
        let column_index = beside(&current.indexes, said.column_index_offset(), said.column_index_length());
        let bloom_filter = beside(&current.blooms, said.bloom_filter_offset(), said.bloom_filter_length());
        let copied = Copied {
            source: said,
            walked,
            start: current.start,
            length: chunk.expected.length,
            statistics: carried.statistics,
            column_index: column_index.zip(carried.column_index),
            bloom_filter: bloom_filter.filter(|_| carried.bloom_filter),
        };
        self.add(copied)?;
        let more = current.chunks.get(place + 1).is_some_and(|next| next.group == chunk.group);
        if more {
            return Ok(());
        }
        let rows = chunk.expected.rows;
        self.constants(current, chunk.leaf + 1..shape.leaves.len(), rows).await?;
        let open = self.output();
        let count = |n: usize| u32::try_from(n).expect("a file has few row groups");
        let part = Part { file: open.url().to_owned(), first_row_group: count(open.groups()), row_groups: 1 };
        open.end_group(footer.row_group(chunk.group).num_rows()).await?;
        self.placed[current.slot].rows += rows;
        self.placed[current.slot].add(&part);
        Ok(())
    }

    /// Writes chunks of columns whose values are all the same.
    async fn constants(&mut self, current: &Current, leaves: Range<usize>, rows: u64) -> Result<(), Trouble> {
        let inputs = self.inputs.clone();
        for leaf in &inputs[current.slot].shape.leaves[leaves] {
            let Leaf::Constant(constant) = leaf else {
                return Err(Error::inconsistent("a column of a source was not planned").into());
            };
            let made = |reason: String| Error::inconsistent(format!("cannot make a column: {reason}"));
            let (bytes, said) = constant::chunk(constant, rows).map_err(|e| made(e.to_string()))?;
            let descriptor = said.column_descr();
            let mut walk = ChunkWalk::new(Expected {
                length: bytes.len() as u64,
                values: rows,
                rows,
                compressed: true,
                definition: descriptor.max_def_level(),
                repetition: descriptor.max_rep_level(),
                bits: bits(descriptor),
            });
            let walked = walk.feed(&bytes).and_then(|()| walk.finish());
            let walked = walked.map_err(|e| made(format!("{e:?}")))?;
            let start = self.output().position();
            let length = bytes.len() as u64;
            self.output().put(bytes).await?;
            let statistics = said.statistics().cloned();
            let (column_index, bloom_filter) = (None, None);
            self.add(Copied {
                source: &said,
                walked,
                start,
                length,
                statistics,
                column_index,
                bloom_filter,
            })?;
        }
        Ok(())
    }

    fn add(&mut self, copied: Copied<'_>) -> Result<(), Trouble> {
        let open = self.output();
        open.chunk(copied).map_err(|reason| super::output::defect(open.url(), &reason).into())
    }

    fn output(&mut self) -> &mut Output {
        self.open.as_mut().expect("a file is open while a row group is written")
    }

    async fn close(&mut self) -> LakeResult<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        match open.close(&self.target).await {
            Ok(file) => {
                self.closed.push(file);
                Ok(())
            }
            Err(error) => {
                open.discard(&self.stores).await;
                Err(error)
            }
        }
    }

    fn fault(&self, slot: usize, chunk: &Chunk, fault: Fault) -> Trouble {
        let footer = self.inputs[slot].source.metadata();
        let path = footer.row_group(chunk.group).column(chunk.column).column_path().string();
        let place = format!("row group {}, column `{path}`", chunk.group);
        match fault {
            Fault::Wrong(reason) => {
                Trouble::Source(ReadError::Content(format!("damaged: {place}: {reason}")))
            }
            Fault::Unusual(reason) => Trouble::Unusual(format!("{place}: {reason}")),
        }
    }
}

/// The steps of all sources, one source after the other; a few reads are under way ahead of the step that is taken.
fn steps(
    inputs: Arc<Vec<SpliceInput>>,
    members: Vec<usize>,
    ended: Arc<Vec<AtomicBool>>,
) -> impl Stream<Item = (usize, Step, Option<Result<Bytes, ReadError>>)> + Send {
    let planned = inputs.clone();
    let steps = members.into_iter().flat_map(move |slot| {
        let steps = source_steps(&planned[slot]);
        steps.into_iter().map(move |step| (slot, step))
    });
    let reading = move |(slot, step): (usize, Step)| {
        let task = match &step {
            Step::Read(_, range) if !ended[slot].load(Ordering::Relaxed) => {
                let (object, range) = (inputs[slot].source.object().clone(), range.clone());
                Some(tokio::spawn(async move { object.read(range).await }))
            }
            _ => None,
        };
        async move {
            let Some(task) = task else { return (slot, step, None) };
            let read = match task.await {
                Ok(read) => read.map_err(ReadError::from),
                Err(e) => Err(ReadError::Store(Error::unavailable("a read was cut short").caused_by(e))),
            };
            (slot, step, Some(read))
        }
    };
    stream::iter(steps).map(reading).buffered(READS_AHEAD)
}

fn source_steps(input: &SpliceInput) -> Vec<Step> {
    let planned = plan(input.source.metadata(), input.source.object().size, &input.shape);
    let plan = match planned {
        Ok(plan) => plan,
        Err(reason) => return vec![Step::Wrong(format!("damaged: {reason}"))],
    };
    let beside = [(Wanted::Indexes, plan.indexes), (Wanted::Blooms, plan.blooms)];
    let beside = beside.into_iter().filter_map(|(wanted, range)| Some(Step::Read(wanted, range?)));
    let chunks = plan.reads.into_iter().map(|read| Step::Read(Wanted::Chunks(read.takes), read.range));
    std::iter::once(Step::Begin(plan.chunks)).chain(beside).chain(chunks).collect()
}

/// A range of the object, out of bytes that begin at `start` of it; none if they do not hold it.
fn slice(bytes: &Bytes, start: u64, range: &Range<u64>) -> Option<Bytes> {
    let from = usize::try_from(range.start.checked_sub(start)?).ok()?;
    let to = usize::try_from(range.end.checked_sub(start)?).ok()?;
    (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
}
