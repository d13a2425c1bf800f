//! What is left behind goes after a while: stories, lists of stages, branches of stages that nobody will publish.

use chrono::{DateTime, TimeDelta, Utc};
use lake::Result;

use crate::launcher::{Launcher, lock};
use crate::scan::Scan;

/// How often that is looked after.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// How long the story of a record is kept. Longer than a backend keeps an application that has ended, so that no
/// attempt gets the name of an older one that is still known.
pub const KEPT: TimeDelta = TimeDelta::days(7);
/// Stories that are read for their tables' names; others of the same tables are read the next time.
const MAX_STORIES: usize = 1_000;
/// Stories that are handled at once; what is left is handled the next time.
const MAX_HANDLED: usize = 10_000;

impl Launcher {
    /// Looks after what is left behind, if that is due.
    ///
    /// # Errors
    /// The store does not answer. It is tried again with the next scan.
    pub async fn tidy(&self, scan: &Scan) -> Result<()> {
        let now = (self.clock)();
        // A time that is yet to come is none: a clock was put back.
        let lately = |last: DateTime<Utc>| last <= now && now - last < EVERY;
        if lock(&self.looked_after).is_some_and(lately) {
            return Ok(());
        }
        let records = &self.parts.records;
        // A process that scans once has no memory of its own, and several launchers need it done by one of them.
        let by_any = records.tidied().await.inspect_err(|error| tracing::warn!(%error, "tidied again"));
        if let Ok(Some(last)) = by_any
            && lately(last)
        {
            *lock(&self.looked_after) = Some(last);
            return Ok(());
        }
        let mut tables = scan.tables.clone();
        for id in records.stories_before(now - KEPT, MAX_HANDLED).await? {
            // One that is damaged keeps the others from nothing.
            if let Err(error) = records.forget(&id, now - KEPT).await {
                tracing::warn!(record_id = id, %error, "an old story is not removed");
            }
        }
        for (id, _) in records.stories(MAX_STORIES).await? {
            match records.closed(&id).await {
                Ok(story) => tables.extend(story.map(|story| story.table)),
                Err(error) => tracing::warn!(record_id = id, %error, "a story cannot be read"),
            }
        }
        for table in &tables {
            match self.parts.sink.drop_stale_branches(table, &scan.live).await {
                Ok(dropped) if dropped.is_empty() => {}
                Ok(dropped) => {
                    self.parts.metrics.stale_branches.inc_by(dropped.len() as u64);
                    tracing::info!(%table, branches = ?dropped, "stale branches removed");
                }
                // One table that does not answer keeps the others from nothing.
                Err(error) => tracing::warn!(%table, %error, "stale branches not looked for"),
            }
        }
        *lock(&self.looked_after) = Some(now);
        records.note_tidied(now).await
    }
}
