//! What copying reads, in which order, and how far ahead.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::SpliceInput;
use super::plan::{Chunk, plan};
use super::reads::Take;
use crate::error::Error;
use crate::source::ReadError;

/// Requests whose answers are waited for or held, each of `READ_BYTES` at most.
const READS_AHEAD: usize = 4;

/// A step of copying one source.
pub(super) enum Step {
    /// These chunks will come.
    Begin(Vec<Chunk>),
    /// The footer contradicts itself.
    Wrong(String),
    Read(Wanted, Range<u64>),
}

/// What is read.
pub(super) enum Wanted {
    Indexes,
    Blooms,
    Chunks(Vec<Take>),
}

/// The steps of all sources, one source after the other; a few reads are under way ahead of the step that is taken.
pub(super) fn steps(
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
