//! Threads that share one kind of work: whoever is free takes the next piece.
//!
//! They live as long as what is written with them: threads that come and go leave their memory behind in the allocator.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::IntoIter;

use parquet::errors::{ParquetError, Result};

/// Threads that encode. More would wait for the one that decodes.
const MAX_LANES: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// Threads beside the caller's own. They end when this is dropped.
pub(super) struct Lanes {
    jobs: Sender<Job>,
    others: usize,
}

impl Lanes {
    /// As many as there are cores, up to a bound; the caller's own thread is one of them.
    pub(super) fn new() -> Self {
        Self::of(std::thread::available_parallelism().map_or(1, usize::from).min(MAX_LANES))
    }

    fn of(lanes: usize) -> Self {
        let (jobs, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        let spawn = |_: &usize| {
            let receiver = receiver.clone();
            std::thread::Builder::new().name("encode".to_owned()).spawn(move || work(&receiver)).is_ok()
        };
        // A thread that cannot be had is done without.
        let others = (1..lanes).take_while(spawn).count();
        Self { jobs, others }
    }

    /// Does each piece of work; results in the order of the work.
    ///
    /// # Errors
    /// One of those that the task gave. Also a piece that ended in a panic.
    pub(super) fn share<I, O>(
        &self,
        work: Vec<I>,
        task: impl Fn(I) -> Result<O> + Send + Sync + 'static,
    ) -> Result<Vec<O>>
    where
        I: Send + 'static,
        O: Send + 'static,
    {
        let count = work.len();
        let queue = Arc::new((Mutex::new(work.into_iter().enumerate()), task));
        let (done, results) = channel();
        for _ in 0..self.others.min(count.saturating_sub(1)) {
            let (queue, done) = (queue.clone(), done.clone());
            // Nobody takes it if no thread is left; then this one does all.
            let _ = self.jobs.send(Box::new(move || drain(&queue, &done)));
        }
        drain(&queue, &done);
        drop(done);
        let mut results: Vec<(usize, O)> =
            results.iter().take(count).map(|(place, result)| Ok((place, result?))).collect::<Result<_>>()?;
        if results.len() < count {
            return Err(ParquetError::General("the encoder gave up on its data".to_owned()));
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The piece of work is lost, and missed by who waits for it; the thread is not.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

type Queue<I, T> = (Mutex<std::iter::Enumerate<IntoIter<I>>>, T);

fn drain<I, O, T: Fn(I) -> Result<O>>(queue: &Queue<I, T>, done: &Sender<(usize, Result<O>)>) {
    loop {
        let next = queue.0.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((place, item)) = next else { return };
        let result = (queue.1)(item);
        let failed = result.is_err();
        if done.send((place, result)).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_work() {
        for lanes in [1, 2, 4] {
            let lanes = Lanes::of(lanes);
            let doubled = lanes.share((0..100).collect(), |n: i32| Ok(n * 2)).unwrap();
            assert_eq!(doubled, (0..100).map(|n| n * 2).collect::<Vec<_>>());
            assert_eq!(lanes.share(Vec::new(), |n: i32| Ok(n)).unwrap(), Vec::<i32>::new());
        }
    }

    #[test]
    fn a_failure_is_told_and_the_threads_stay() {
        let lanes = Lanes::of(3);
        for _ in 0..10 {
            let failed = lanes.share((0..100).collect(), |n: i32| match n {
                57 => Err(ParquetError::General("no".to_owned())),
                _ => Ok(n),
            });
            assert!(failed.is_err());
        }
        assert_eq!(lanes.share(vec![1, 2, 3], |n: i32| Ok(n)).unwrap(), [1, 2, 3]);
    }
}
