//! What is left behind goes after a while: stories, lists of stages, branches of stages that nobody will publish.

use chrono::TimeDelta;
use futures::TryStreamExt;
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
        if lock(&self.looked_after).is_some_and(|last| now - last < EVERY) {
            return Ok(());
        }
        let mut tables = scan.tables.clone();
        let mut stories = 0;
        for (id, written) in self.parts.records.stories(MAX_HANDLED).await? {
            if now - written >= KEPT && !scan.live.contains(&id) {
                self.forget(&id).await?;
            } else if stories < MAX_STORIES {
                stories += 1;
                tables.extend(self.parts.records.closed(&id).await?.map(|story| story.table));
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
        Ok(())
    }

    /// Removes what is left of a closed record, its story last.
    async fn forget(&self, id: &str) -> Result<()> {
        let files = self.parts.records.files();
        for folder in [format!("stages/{id}"), format!("records/{id}")] {
            let mut listed = files.list(&folder)?;
            while let Some((file, _)) = listed.try_next().await? {
                files.remove(&format!("{folder}/{file}")).await?;
            }
        }
        files.remove(&format!("closed/{id}.json")).await
    }
}
