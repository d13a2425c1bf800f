//! The clocks of this process, as the batching machine wants them.

use std::time::Instant;

use chrono::Utc;
use ingest_core::batching::Moment;

/// Tells the time since it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now(&self) -> Moment {
        Moment { elapsed: self.0.elapsed(), utc: Utc::now() }
    }
}
