//! How many requests at once, and for how long: a bound on what a crowd of viewers can cost.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::failure::{Code, Failure};

/// The bounds of one kind of requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Carried out at the same time.
    at_once: usize,
    /// Waiting for that, or carried out; more are refused.
    taken: usize,
    /// Longest time from the first wait to the answer.
    time: Duration,
}

/// Looking.
pub(super) const READS: Bounds = Bounds { at_once: 16, taken: 256, time: Duration::from_secs(20) };
/// Changing something: requests to a table may take a while.
pub(super) const CHANGES: Bounds = Bounds { at_once: 4, taken: 32, time: Duration::from_secs(120) };
/// Files on their way in: a slow line is no fault, so what is bounded is the time between two pieces of a body.
pub(super) const UPLOADS: Bounds = Bounds { at_once: 4, taken: 32, time: Duration::from_secs(24 * 3600) };

/// Lets so many through.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    taken: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
    time: Duration,
}

impl Gate {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            taken: Arc::new(Semaphore::new(bounds.taken)),
            at_once: Arc::new(Semaphore::new(bounds.at_once)),
            time: bounds.time,
        }
    }

    /// Does the work when its turn comes.
    ///
    /// # Errors
    /// Those of the work, too many others, or no end in time.
    pub(super) async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let Ok(_taken) = self.taken.try_acquire() else {
            return Err(Failure::new(Code::Busy, "too many requests at once; ask again in a moment"));
        };
        let in_turn = async {
            let _turn = self.at_once.acquire().await.expect("this semaphore is never closed");
            work.await
        };
        match tokio::time::timeout(self.time, in_turn).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Failure::new(
                Code::Unavailable,
                format!("no end within {} s; a change may still be made", self.time.as_secs()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_crowd_is_refused_and_what_never_ends_is_ended() {
        let bounds = Bounds { at_once: 1, taken: 2, time: Duration::from_millis(10) };
        let gate = Gate::new(bounds);
        let never = || gate.run(std::future::pending::<Result<(), Failure>>());
        let ended = join_all([never(), never(), never()]).await;
        let codes: Vec<Code> = ended.into_iter().map(|end| end.unwrap_err().code).collect();
        assert_eq!(codes, [Code::Unavailable, Code::Unavailable, Code::Busy]);
        assert_eq!(gate.run(async { Ok::<_, Failure>(1) }).await, Ok(1));
    }
}
