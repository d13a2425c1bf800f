//! The newest objects of a table, a page at a time. What is read is what the commits added, one after the other, the
//! newest first: that does not grow with the ledger. Objects of snapshots that have expired come last, from the ledger
//! as a whole.

use std::collections::HashSet;

use futures::{Stream, TryStreamExt};
use iceberg::spec::SnapshotRef;
use ingest_core::TableName;
use lake::inspect::Inspection;
use lake::ledger::Entry;
use operations::PlantError;
use operations::model::{FileLine, FileState, Page};

use super::table::{ancestry, run};
use super::{failed, latency, uri, version};

/// Entries that are looked at for one page. A page that ends here has fewer lines than asked for, and a next one.
const LOOKED_AT: usize = 50_000;
/// Ids of snapshots that are remembered to tell those that have expired.
const MAX_SNAPSHOTS: usize = 100_000;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At this entry of the run that this snapshot added.
    In { snapshot: i64, skip: usize },
    /// At this entry of what expired snapshots left in the ledger.
    Rest { skip: usize },
}

impl Place {
    fn parse(text: &str) -> Result<Self, PlantError> {
        let unknown =
            || PlantError::invalid(format!("no page begins at `{text}`: the list has changed, begin anew"));
        let (place, skip) = text.split_once('+').ok_or_else(unknown)?;
        let skip = skip.parse().map_err(|_| unknown())?;
        match place {
            "rest" => Ok(Self::Rest { skip }),
            id => Ok(Self::In { snapshot: id.parse().map_err(|_| unknown())?, skip }),
        }
    }

    fn text(self) -> String {
        match self {
            Self::In { snapshot, skip } => format!("{snapshot}+{skip}"),
            Self::Rest { skip } => format!("rest+{skip}"),
        }
    }
}

/// One page being filled.
struct Filling<'a> {
    table: String,
    text: &'a str,
    limit: usize,
    left: usize,
    lines: Vec<FileLine>,
}

/// Objects of `main` whose URI has `text` in it.
///
/// # Errors
/// `after` names no place, or a store does not answer.
pub async fn ingested(
    table: &TableName,
    found: &Inspection,
    text: &str,
    limit: usize,
    after: Option<&str>,
) -> Result<Page<FileLine>, PlantError> {
    let begin = after.map(Place::parse).transpose()?;
    let mut filling = Filling { table: table.to_string(), text, limit, left: LOOKED_AT, lines: Vec::new() };
    let next = filling.fill(found, begin).await.map_err(|error| failed(&error))?;
    Ok(Page { items: filling.lines, next: next.map(Place::text) })
}

impl Filling<'_> {
    /// Fills the page. Returns where the next one begins, if there may be more.
    async fn fill(&mut self, found: &Inspection, begin: Option<Place>) -> lake::Result<Option<Place>> {
        let metadata = found.table.metadata();
        let snapshots: Vec<&SnapshotRef> = ancestry(metadata).take(MAX_SNAPSHOTS).collect();
        let mut rest = 0;
        let (mut from, mut skip) = (0, 0);
        match begin {
            None => {}
            // A snapshot that is gone was rolled back or has expired: the newest come again, and nothing is missed.
            Some(Place::In { snapshot, skip: entries }) => {
                if let Some(place) = snapshots.iter().position(|known| known.snapshot_id() == snapshot) {
                    (from, skip) = (place, entries);
                }
            }
            Some(Place::Rest { skip }) => (from, rest) = (snapshots.len(), skip),
        }
        for snapshot in &snapshots[from..] {
            let Some(run) = run(snapshot) else { continue };
            let entries = std::pin::pin!(found.ledger.entries_of(run).await?);
            if let Some(skip) = self.take(entries, skip, |_| true).await? {
                return Ok(Some(Place::In { snapshot: snapshot.snapshot_id(), skip }));
            }
            skip = 0;
        }
        let whole = snapshots.last().is_none_or(|oldest| oldest.parent_snapshot_id().is_none());
        if whole {
            return Ok(None);
        }
        let known: HashSet<i64> = snapshots.iter().map(|snapshot| snapshot.snapshot_id()).collect();
        let entries = std::pin::pin!(found.ledger.entries(&found.head));
        let expired = |entry: &Entry| !known.contains(&entry.snapshot_id);
        Ok(self.take(entries, rest, expired).await?.map(|skip| Place::Rest { skip }))
    }

    /// Takes lines behind the first `skip` entries. Returns how many entries are done if the page ends before they do.
    async fn take(
        &mut self,
        mut entries: impl Stream<Item = lake::Result<Entry>> + Unpin,
        skip: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> lake::Result<Option<usize>> {
        let mut done = 0;
        while let Some(entry) = entries.try_next().await? {
            if done >= skip {
                if self.lines.len() == self.limit || self.left == 0 {
                    return Ok(Some(done));
                }
                self.left -= 1;
                let file = uri(&entry.identity);
                if wanted(&entry) && file.contains(self.text) {
                    self.lines.push(line(&self.table, file, entry));
                }
            }
            done += 1;
        }
        Ok(None)
    }
}

fn line(table: &str, file: String, entry: Entry) -> FileLine {
    FileLine {
        time: entry.time,
        file,
        state: FileState::Ingested,
        table: Some(table.to_owned()),
        version: Some(version(&entry.identity)),
        rows: Some(entry.rows),
        snapshot_id: Some(entry.snapshot_id.to_string()),
        mode: Some(entry.mode),
        reason: None,
        request_id: Some(entry.request_id),
        latency_ms: latency(entry.event_time, entry.time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_and_nonsense_is_said() {
        for place in [Place::In { snapshot: 4711, skip: 3 }, Place::Rest { skip: 0 }] {
            assert_eq!(Place::parse(&place.text()), Ok(place));
        }
        for text in ["", "+", "rest+", "x+1", "rest+-1", "1", "99999999999999999999+1"] {
            assert!(!Place::parse(text).unwrap_err().retryable(), "{text}");
        }
    }
}
