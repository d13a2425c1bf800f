//! The numbers of the batching machine.

use std::time::Duration;

use serde::Deserialize;

use crate::{LightLimits, MAX_FILES_PER_REQUEST};

/// What becomes of a batch that would leave the light limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Overflow {
    /// It fills up all the same and goes to the heavy path.
    #[default]
    Heavy,
    /// It closes first, so that only single large objects go to the heavy path.
    Split,
}

/// The numbers of the batching machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchingConfig {
    /// A batch closes at this many files. A file that is announced twice counts twice until then.
    pub max_files: usize,
    /// A batch closes before its request would grow beyond this many bytes of JSON, table and options aside: brokers
    /// refuse large records. A single object is never refused for it.
    pub max_request_bytes: usize,
    /// A batch closes this long after its first file was taken in.
    pub max_wait: Duration,
    /// A batch closes when no file came for this long.
    pub idle: Option<Duration>,
    /// What the light worker takes.
    pub light: LightLimits,
    /// What becomes of a batch that would leave the light limits.
    pub overflow: Overflow,
    /// Most announcements held in open and unacknowledged batches; the last record may exceed it. While a lane is stuck
    /// the others may hold half as many, whatever it holds.
    pub max_held: usize,
    /// Most dead letters that wait for their acknowledgement.
    pub max_dead_letters: usize,
    /// An outlet that is full for this long no longer holds up the others: what it is given is let go of, and read again
    /// once it is free. None: it holds them up for as long as it takes.
    pub let_go_after: Option<Duration>,
}

/// How the batches of one route differ from the others; `None` is the number of [`BatchingConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RouteLimits {
    /// A batch closes at this many files, or at [`BatchingConfig::max_held`] if that is less.
    pub max_files: Option<usize>,
    /// A batch closes this long after its first file was taken in.
    pub max_wait: Option<Duration>,
    /// A batch closes when no file came for this long.
    pub idle: Option<Duration>,
    /// A light batch is smaller than this, in bytes.
    pub light_max_bytes: Option<u64>,
    /// A light batch has at most this many files.
    pub light_max_files: Option<usize>,
    /// What becomes of a batch that would leave the light limits.
    pub overflow: Option<Overflow>,
}

impl RouteLimits {
    /// What the light worker takes of such a route.
    pub fn light(&self, default: &LightLimits) -> LightLimits {
        LightLimits {
            max_bytes: self.light_max_bytes.unwrap_or(default.max_bytes),
            max_files: self.light_max_files.unwrap_or(default.max_files),
        }
    }

    /// These limits, and where they say nothing, those of the configuration.
    pub fn over(&self, config: &BatchingConfig) -> Limits {
        Limits {
            max_files: self.max_files.unwrap_or(config.max_files).min(config.max_held),
            max_wait: self.max_wait.unwrap_or(config.max_wait),
            idle: self.idle.or(config.idle),
            light: self.light(&config.light),
            overflow: self.overflow.unwrap_or(config.overflow),
        }
    }
}

/// The numbers that hold for one batch; each is explained at [`BatchingConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files of a batch.
    pub max_files: usize,
    /// Longest time from its first file.
    pub max_wait: Duration,
    /// Longest time without a file.
    pub idle: Option<Duration>,
    /// What the light worker takes.
    pub light: LightLimits,
    /// What becomes of more.
    pub overflow: Overflow,
}

impl Default for BatchingConfig {
    fn default() -> Self {
        Self {
            max_files: 50,
            max_request_bytes: 900_000,
            max_wait: Duration::from_secs(30),
            idle: None,
            light: LightLimits::default(),
            overflow: Overflow::default(),
            max_held: 20_000,
            max_dead_letters: 32,
            let_go_after: Some(Duration::from_secs(10)),
        }
    }
}

/// Numbers that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchingError {
    /// Files of a batch out of range.
    #[error("files of a batch: expected 1 to {MAX_FILES_PER_REQUEST}, got {0}")]
    MaxFiles(usize),
    /// A wait of nothing.
    #[error("{0} of a batch: expected more than zero")]
    NoWait(&'static str),
    /// A bound that a single batch could reach.
    #[error("announcements held: expected at least the files of a batch, {max_files}, got {max_held}")]
    MaxHeld {
        /// Files of a batch.
        max_files: usize,
        /// Announcements held.
        max_held: usize,
    },
    /// No dead letter could ever be sent.
    #[error("dead letters in flight: expected at least 1, got 0")]
    MaxDeadLetters,
}

impl BatchingConfig {
    /// Whether the numbers fit together.
    pub fn validate(&self) -> Result<(), BatchingError> {
        if !(1..=MAX_FILES_PER_REQUEST).contains(&self.max_files) {
            return Err(BatchingError::MaxFiles(self.max_files));
        }
        if self.max_wait.is_zero() {
            return Err(BatchingError::NoWait("wait"));
        }
        if self.idle.is_some_and(|idle| idle.is_zero()) {
            return Err(BatchingError::NoWait("idle time"));
        }
        if self.max_held < self.max_files {
            return Err(BatchingError::MaxHeld { max_files: self.max_files, max_held: self.max_held });
        }
        if self.max_dead_letters == 0 {
            return Err(BatchingError::MaxDeadLetters);
        }
        Ok(())
    }
}
