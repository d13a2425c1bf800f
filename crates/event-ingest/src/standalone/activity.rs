//! What has happened lately, file by file, for people and scripts that wait for their rows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use ingest_core::{FileStatus, IngestRequest, IngestResult};
use serde::Serialize;

/// Files that are remembered; older ones are forgotten. The counters go on.
const REMEMBERED: usize = 1000;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its rows are in the table.
    Processed,
    /// This version of it was in the table already.
    Skipped,
    /// Set aside: no retry can mend it.
    Quarantined,
    /// Set aside: it may not be read, or the request was refused.
    Rejected,
    /// No rule wants it.
    Ignored,
}

/// One file and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileActivity {
    /// `s3://` URI.
    pub file: String,
    /// What became of it.
    pub status: Status,
    /// Why, unless it was processed.
    pub reason: Option<String>,
    /// The request that it was part of.
    pub request_id: Option<String>,
    /// The table.
    pub table: Option<String>,
    /// How it was written: `splice`, `rewrite` or `register`.
    pub mode: Option<String>,
    /// Why that way.
    pub mode_reason: Option<String>,
    /// Rows added.
    pub rows: u64,
    /// The snapshot that holds them.
    pub snapshot_id: Option<i64>,
    /// Milliseconds from the arrival of the object to its commit.
    pub milliseconds: Option<i64>,
    /// When that was.
    pub finished_at: DateTime<Utc>,
}

/// How many files since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Processed.
    pub files_processed: u64,
    /// Skipped.
    pub files_skipped: u64,
    /// Quarantined.
    pub files_quarantined: u64,
    /// Rejected.
    pub files_rejected: u64,
    /// Ignored.
    pub files_ignored: u64,
    /// Rows added.
    pub rows: u64,
    /// Requests done.
    pub requests: u64,
    /// Requests that Spark was given. Their files appear when they are published.
    pub requests_to_spark: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
}

/// A request that is tried again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The table.
    pub table: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why the last attempt failed.
    pub reason: String,
    /// How many have.
    pub attempts: u64,
}

/// Where the flow is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The first row of the inbox that was not taken in.
    pub next: i64,
    /// Batches that still take files.
    pub open_batches: u64,
    /// Files in them.
    pub open_files: u64,
    /// Requests that are carried out, or tried again.
    pub requests: u64,
}

/// The recent past of one process.
#[derive(Debug, Default)]
pub struct Activity {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counters: Counters,
    files: VecDeque<FileActivity>,
    /// By request id. No more than the requests that are carried out.
    failing: HashMap<String, Failing>,
    progress: Progress,
}

impl Activity {
    /// A request was answered.
    pub fn answered(&self, request: &IngestRequest, result: &IngestResult, now: DateTime<Utc>) {
        self.done(Some(request), result, now);
    }

    /// What Spark staged was published.
    pub fn published(&self, result: &IngestResult, now: DateTime<Utc>) {
        self.done(None, result, now);
    }

    fn done(&self, request: Option<&IngestRequest>, result: &IngestResult, now: DateTime<Utc>) {
        let mut state = self.lock();
        state.settled(&result.request_id);
        for outcome in &result.files {
            let status = match outcome.status {
                FileStatus::Processed => Status::Processed,
                FileStatus::Skipped => Status::Skipped,
                FileStatus::Quarantined => Status::Quarantined,
                FileStatus::Forbidden => Status::Rejected,
            };
            state.add(FileActivity {
                file: outcome.file.clone(),
                status,
                reason: outcome.reason.clone(),
                request_id: Some(result.request_id.clone()),
                table: Some(result.table.to_string()),
                mode: outcome.mode.clone(),
                mode_reason: outcome.mode_reason.clone(),
                rows: outcome.rows,
                snapshot_id: result.snapshot_id,
                milliseconds: request.and_then(|request| milliseconds(request, &outcome.file, now)),
                finished_at: now,
            });
        }
    }

    /// Spark was given a request.
    pub fn given_to_spark(&self) {
        self.lock().counters.requests_to_spark += 1;
    }

    /// A request was refused for good.
    pub fn rejected(&self, request: &IngestRequest, reason: &str, now: DateTime<Utc>) {
        let mut state = self.lock();
        state.settled(&request.request_id);
        for object in &request.objects {
            let file = object.uri.to_string();
            state.add(FileActivity {
                milliseconds: milliseconds(request, &file, now),
                file,
                status: Status::Rejected,
                reason: Some(reason.to_owned()),
                request_id: Some(request.request_id.clone()),
                table: Some(request.table.to_string()),
                mode: None,
                mode_reason: None,
                rows: 0,
                snapshot_id: None,
                finished_at: now,
            });
        }
    }

    /// No rule wants an object.
    pub fn ignored(&self, file: String, reason: &str, now: DateTime<Utc>) {
        self.lock().add(FileActivity {
            file,
            status: Status::Ignored,
            reason: Some(reason.to_owned()),
            request_id: None,
            table: None,
            mode: None,
            mode_reason: None,
            rows: 0,
            snapshot_id: None,
            milliseconds: None,
            finished_at: now,
        });
    }

    /// An attempt failed and will be made again.
    pub fn retried(&self) {
        self.lock().counters.retries += 1;
    }

    /// Why the last attempt at a request failed.
    pub fn failed(&self, request: &IngestRequest, reason: &str, now: DateTime<Utc>) {
        let mut state = self.lock();
        let failing = state.failing.entry(request.request_id.clone()).or_insert_with(|| Failing {
            table: request.table.to_string(),
            since: now,
            reason: String::new(),
            attempts: 0,
        });
        reason.clone_into(&mut failing.reason);
        failing.attempts += 1;
    }

    /// The requests that fail now, those that have failed longest first.
    pub fn failing(&self) -> Vec<Failing> {
        let mut failing: Vec<Failing> = self.lock().failing.values().cloned().collect();
        failing.sort_by_key(|failing| failing.since);
        failing
    }

    /// Where the flow is from now on.
    pub fn moved(&self, progress: Progress) {
        self.lock().progress = progress;
    }

    /// Where the flow is.
    pub fn progress(&self) -> Progress {
        self.lock().progress
    }

    /// The counters, and the files remembered, oldest first.
    pub fn snapshot(&self) -> (Counters, Vec<FileActivity>) {
        let state = self.lock();
        (state.counters.clone(), state.files.iter().cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

impl State {
    fn settled(&mut self, request_id: &str) {
        self.counters.requests += 1;
        self.failing.remove(request_id);
    }

    fn add(&mut self, mut file: FileActivity) {
        file.finished_at = file.finished_at.trunc_subsecs(3);
        let counters = &mut self.counters;
        let count = match file.status {
            Status::Processed => &mut counters.files_processed,
            Status::Skipped => &mut counters.files_skipped,
            Status::Quarantined => &mut counters.files_quarantined,
            Status::Rejected => &mut counters.files_rejected,
            Status::Ignored => &mut counters.files_ignored,
        };
        *count += 1;
        counters.rows += file.rows;
        if self.files.len() == REMEMBERED {
            self.files.pop_front();
        }
        self.files.push_back(file);
    }
}

/// The announcement's time is when the object was stored.
fn milliseconds(request: &IngestRequest, file: &str, now: DateTime<Utc>) -> Option<i64> {
    let object = request.objects.iter().find(|object| object.uri.to_string() == file)?;
    let waited: TimeDelta = now - object.hint.event_time?;
    Some(waited.num_milliseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_are_forgotten_and_still_counted() {
        let activity = Activity::default();
        for number in 0..=REMEMBERED {
            activity.ignored(format!("s3://b/{number}"), "no-rule", DateTime::UNIX_EPOCH);
        }
        let (counters, files) = activity.snapshot();
        assert_eq!(counters.files_ignored, REMEMBERED as u64 + 1);
        assert_eq!(files.len(), REMEMBERED);
        assert_eq!(files[0].file, "s3://b/1");
    }
}
