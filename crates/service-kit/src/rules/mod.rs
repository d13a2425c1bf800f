//! Rules that may change while a service runs.
//!
//! Whoever judges objects asks [`LiveRules`] for each record, so that new rules hold from the next record on; what was
//! judged before keeps the route that it got.

mod expectations;
mod watcher;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ingest_core::RuleSet;
use ingest_core::rules::{self, MAX_RULES_BYTES, RulesError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
pub use expectations::{EXPECTED_INTERVAL, EXPECTED_SINCE, Expectations, LAST_REQUEST};
use watcher::Watcher;
pub use watcher::{RELOAD_INTERVAL, RULES_BROKEN, RULES_ERRORS, RULES_LOADED};

/// Where rules come from.
#[derive(Debug, Clone)]
pub enum RulesSource {
    /// From flags: they stay.
    Given(RuleSet),
    /// From a file, which is read again when it changes.
    File(PathBuf),
}

/// Why a file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesFileError {
    /// It cannot be read. A retry may help.
    #[error("rules file {path} cannot be read: {why}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It is wrong. No retry helps.
    #[error("rules file {path}: {wrong}")]
    Rules {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        wrong: RulesError,
    },
}

/// The rules that hold now. Clones see the same changes.
#[derive(Debug, Clone)]
pub struct LiveRules {
    rules: watch::Receiver<RuleSet>,
    fault: watch::Receiver<Option<String>>,
}

impl LiveRules {
    /// Rules of this source. Those of a file are read now, and again whenever it changes until `stop` is cancelled, by a
    /// task of the runtime. A file that breaks later leaves the rules as they were, and is told by log and metric.
    ///
    /// # Errors
    /// The file cannot be read or is wrong.
    pub fn start(
        source: &RulesSource,
        metrics: &Metrics,
        stop: CancellationToken,
    ) -> Result<Self, RulesFileError> {
        match source {
            RulesSource::Given(rules) => Ok(rules.clone().into()),
            RulesSource::File(path) => {
                let (watcher, rules) = Watcher::open(path, metrics)?;
                let fault = watcher.fault();
                tokio::spawn(watcher.run(stop));
                Ok(Self { rules, fault })
            }
        }
    }

    /// The rules that hold now.
    pub fn current(&self) -> RuleSet {
        self.rules.borrow().clone()
    }

    /// What is wrong with the file, while the rules in force are older than it.
    pub fn fault(&self) -> Option<String> {
        self.fault.borrow().clone()
    }
}

impl From<RuleSet> for LiveRules {
    fn from(rules: RuleSet) -> Self {
        Self { rules: watch::channel(rules).1, fault: watch::channel(None).1 }
    }
}

impl RulesSource {
    /// The rules as they are now, for work that ends.
    ///
    /// # Errors
    /// The file cannot be read or is wrong.
    pub fn load(&self) -> Result<RuleSet, RulesFileError> {
        match self {
            Self::Given(rules) => Ok(rules.clone()),
            Self::File(path) => Ok(load(path)?.1),
        }
    }
}

/// What stands in the file, and the rules that it is.
fn load(path: &Path) -> Result<(String, RuleSet), RulesFileError> {
    let text = text_of(path).map_err(|why| RulesFileError::Read { path: path.to_owned(), why })?;
    let rules = rules::read(&text);
    let rules = rules.map_err(|wrong| RulesFileError::Rules { path: path.to_owned(), wrong })?;
    Ok((text, rules))
}

/// What stands in the file; of one that is too long, enough to be refused.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_RULES_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
