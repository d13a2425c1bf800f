//! What a stage is answered with, once its rows are in the table or it has none.

use chrono::Utc;
use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::staged::{RejectedObject, StagedObject};
use ingest_core::{FileOutcome, FileStatus, IngestResult, ObjectIdentity, RequestedObject};

use super::staged::{Known, Listed, Publication};
use super::{LOOKUPS_IN_FLIGHT, Lake, Tally, outcome};
use crate::error::Result;
use crate::ledger::Found;
use crate::quarantine::{Announced, Record};
use crate::stage;

impl Lake {
    /// Sets aside what was rejected, unless the ledger has it, and says what became of every object. `landed` is the
    /// snapshot that has the staged rows, and whether they came in just now.
    pub(super) async fn answer(
        &self,
        listed: &Listed<'_>,
        folder: &str,
        known: &Known,
        landed: Option<(i64, bool)>,
    ) -> Result<Publication> {
        let Listed { staged, list, .. } = listed;
        let mut tally = Tally::new(list.staged.len() + list.rejected.len());
        tally.snapshot_id = landed.map(|(snapshot_id, _)| snapshot_id);
        for (place, StagedObject { object, rows }) in list.staged.iter().enumerate() {
            let (snapshot_id, now) = landed.unwrap_or_default();
            tally.put(place, if now { processed(object, *rows) } else { skipped(object, snapshot_id) });
        }
        let rejected = list.rejected.iter().zip(&listed.rejected);
        let settled: Vec<_> = rejected
            .map(|(rejected, identity)| self.settle(listed, folder, known, rejected, identity))
            .collect();
        let settled: Vec<FileOutcome> =
            stream::iter(settled).buffered(LOOKUPS_IN_FLIGHT).try_collect().await?;
        for (place, outcome) in settled.into_iter().enumerate() {
            tally.put(list.staged.len() + place, outcome);
        }
        let mode = if landed.is_some() { stage::MODE } else { "none" };
        let result = tally.into_result(&staged.request_id, &staged.table);
        Ok(Publication::Published(IngestResult { mode: mode.to_owned(), ..result }))
    }

    async fn settle(
        &self,
        listed: &Listed<'_>,
        folder: &str,
        known: &Known,
        RejectedObject { object, reason }: &RejectedObject,
        identity: &Option<ObjectIdentity>,
    ) -> Result<FileOutcome> {
        if let Some(Found { snapshot_id }) = identity.as_ref().and_then(|identity| known.get(identity)) {
            return Ok(skipped(object, *snapshot_id));
        }
        self.set_object_aside(listed, folder, object, identity.as_ref(), reason).await?;
        Ok(outcome(object, FileStatus::Quarantined, Some(reason.clone())))
    }

    /// Writes the record of an object of a list.
    pub(super) async fn set_object_aside(
        &self,
        listed: &Listed<'_>,
        folder: &str,
        object: &RequestedObject,
        identity: Option<&ObjectIdentity>,
        reason: &str,
    ) -> Result<()> {
        let list = listed.list;
        let record = Record {
            file: object.uri.to_string(),
            identity: identity.cloned(),
            announced: Announced::of(object),
            reason: reason.to_owned(),
            table: list.table.to_string(),
            format: list.format,
            options: list.options.clone(),
            request_id: list.request_id.clone(),
            time: Utc::now(),
        };
        self.keep_record_aside(folder, &record).await
    }
}

fn processed(object: &RequestedObject, rows: u64) -> FileOutcome {
    FileOutcome { rows, mode: Some(stage::MODE.to_owned()), ..outcome(object, FileStatus::Processed, None) }
}

fn skipped(object: &RequestedObject, snapshot_id: i64) -> FileOutcome {
    outcome(object, FileStatus::Skipped, Some(format!("already in the table since snapshot {snapshot_id}")))
}
