//! A file of rules, read again and again.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ingest_core::{RuleSet, rules};
use prometheus::{IntCounter, IntGauge};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{RulesFileError, load, text_of};
use crate::metrics::{Metric, Metrics};

/// How often the file is looked at. What it holds counts, not its time: in Kubernetes a changed ConfigMap is another
/// target of a symbolic link. A change holds once it was seen twice, as a file may be read while it is being written,
/// and half a file may be rules too.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// When the rules in force were read.
pub const RULES_LOADED: Metric = Metric {
    name: "rules_loaded_timestamp_seconds",
    help: "When the rules in force were read from their file, in seconds since 1970.",
    labels: &[],
};
/// Changes that could not be taken.
pub const RULES_ERRORS: Metric = Metric {
    name: "rules_errors_total",
    help: "Changes of the rules file that were refused, because it is wrong or cannot be read; the rules stay as they were.",
    labels: &[],
};
/// Whether the file and the rules in force differ.
pub const RULES_BROKEN: Metric = Metric {
    name: "rules_broken",
    help: "1 while the rules file is wrong or cannot be read, and the rules in force are older than it.",
    labels: &[],
};

/// What was found in the file, or why nothing was.
type Found = Result<String, String>;

/// Of one file.
#[derive(Debug)]
pub(super) struct Watcher {
    path: PathBuf,
    /// What was dealt with last, whether it could be taken or not.
    settled: Found,
    /// What was found last, if it was something else.
    unsettled: Option<Found>,
    sender: watch::Sender<RuleSet>,
    fault: watch::Sender<Option<String>>,
    loaded: IntGauge,
    errors: IntCounter,
    broken: IntGauge,
}

impl Watcher {
    /// Reads the file for the first time.
    pub fn open(path: &Path, metrics: &Metrics) -> Result<(Self, watch::Receiver<RuleSet>), RulesFileError> {
        let (text, rules) = load(path)?;
        tell(path, &rules);
        let (sender, receiver) = watch::channel(rules);
        let watcher = Self {
            path: path.to_owned(),
            settled: Ok(text),
            unsettled: None,
            sender,
            fault: watch::Sender::new(None),
            loaded: metrics.gauge(&RULES_LOADED),
            errors: metrics.counter(&RULES_ERRORS),
            broken: metrics.gauge(&RULES_BROKEN),
        };
        watcher.loaded.set(now());
        Ok((watcher, receiver))
    }

    /// What is wrong with the file, while it is.
    pub fn fault(&self) -> watch::Receiver<Option<String>> {
        self.fault.subscribe()
    }

    /// Looks at the file from time to time.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(RELOAD_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            // A file system that does not answer, or a thousand rules, hold up nothing but this.
            let looked = tokio::task::spawn_blocking(move || {
                self.look(text_of(&self.path));
                self
            });
            match looked.await {
                Ok(watcher) => self = watcher,
                Err(error) => {
                    tracing::error!(%error, "rules file is not looked at any more");
                    return;
                }
            }
        }
    }

    fn look(&mut self, read: io::Result<String>) {
        let found = read.map_err(|error| format!("it cannot be read: {error}"));
        if found == self.settled {
            self.unsettled = None;
        } else if self.unsettled.as_ref() == Some(&found) {
            self.unsettled = None;
            self.take(&found);
            self.settled = found;
        } else {
            self.unsettled = Some(found);
        }
    }

    fn take(&self, found: &Found) {
        let rules = found.clone().and_then(|text| rules::read(&text).map_err(|error| error.to_string()));
        match rules {
            Ok(rules) => {
                tell(&self.path, &rules);
                self.sender.send_replace(rules);
                self.loaded.set(now());
                self.broken.set(0);
                self.fault.send_replace(None);
            }
            Err(error) => {
                self.errors.inc();
                self.broken.set(1);
                tracing::error!(path = %self.path.display(), error, "rules file is broken: the rules stay as they were");
                self.fault.send_replace(Some(format!("{}: {error}", self.path.display())));
            }
        }
    }
}

fn tell(path: &Path, rules: &RuleSet) {
    tracing::info!(path = %path.display(), rules = rules.rules().len(), "rules loaded");
    let names: Vec<&str> = rules.rules().map(|rule| rule.name.as_str()).collect();
    for (late, early) in rules.shadowed() {
        tracing::warn!(
            rule = names[late],
            earlier = names[early],
            "rule can never match: an earlier one takes all"
        );
    }
}

fn now() -> i64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "rules: [{table: db.old}]";
    const NEW: &str = "rules: [{table: db.new}]";

    fn table(rules: &watch::Receiver<RuleSet>) -> String {
        let table = rules.borrow().tables().next().flatten();
        table.expect("one rule of one table").to_string()
    }

    #[test]
    fn a_change_holds_once_it_stands_still_and_a_broken_one_never() {
        let metrics = Metrics::new();
        let file = std::env::temp_dir().join(format!("rules-{}.yaml", std::process::id()));
        std::fs::write(&file, OLD).expect("the temporary folder can be written");
        let (mut watcher, rules) = Watcher::open(&file, &metrics).expect("these are rules");
        std::fs::remove_file(&file).expect("the file is ours");
        let missing = || io::Error::from(io::ErrorKind::NotFound);

        // While it is being written, or its link being set anew.
        for found in [Ok("rules: [{table: db.n".to_owned()), Err(missing()), Ok(NEW.to_owned())] {
            watcher.look(found);
            assert_eq!(table(&rules), "db.old");
        }
        assert_eq!((watcher.errors.get(), watcher.broken.get()), (0, 0));
        watcher.look(Ok(NEW.to_owned()));
        assert_eq!(table(&rules), "db.new");

        // However often a broken one is seen, it is one error.
        for _ in 0..5 {
            watcher.look(Ok("rules: [{tabel: db.t}]".to_owned()));
        }
        assert_eq!((table(&rules).as_str(), watcher.errors.get(), watcher.broken.get()), ("db.new", 1, 1));
        assert!(watcher.fault().borrow().as_ref().is_some_and(|fault| fault.contains("tabel")));
        for _ in 0..2 {
            watcher.look(Err(missing()));
        }
        assert_eq!((table(&rules).as_str(), watcher.errors.get(), watcher.broken.get()), ("db.new", 2, 1));
        for _ in 0..2 {
            watcher.look(Ok(OLD.to_owned()));
        }
        assert_eq!((table(&rules).as_str(), watcher.errors.get(), watcher.broken.get()), ("db.old", 2, 0));
        assert_eq!(*watcher.fault().borrow(), None);
        assert!(metrics.page().contains("event_ingest_rules_loaded_timestamp_seconds 1"));
    }

    #[test]
    fn a_file_that_is_broken_at_the_start_is_a_failure_that_names_it() {
        let open =
            |path: &str| Watcher::open(Path::new(path), &Metrics::new()).expect_err("no rules").to_string();
        let text = open("/no/such/file");
        assert!(text.contains("/no/such/file") && text.contains("cannot be read"), "{text}");
        let this = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let text = open(this);
        assert!(text.contains("Cargo.toml") && text.contains("line"), "{text}");
    }
}
