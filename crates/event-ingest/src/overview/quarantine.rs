//! What was set aside for a table, without what came in since: the ledger outranks a record.

use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::{ObjectIdentity, TableName};
use lake::Lake;
use lake::inspect::Inspection;
use lake::quarantine::{Kept, Quarantine};
use operations::model::{Count, Page, Quarantined};

use super::version;

/// Records that are read at the same time.
const READS_IN_FLIGHT: usize = 8;
/// Records that are counted; of more it is only said that there are.
const COUNTED: usize = 100;
/// Records that are looked at to count those: objects that came in since leave theirs behind.
const LOOKED_AT: usize = 1_000;

/// The quarantines of a table: under its uuid, and, from before it was made, under its name.
///
/// # Errors
/// The catalog does not answer.
pub async fn all(lake: &Lake, table: &TableName) -> lake::Result<Vec<Quarantine>> {
    Ok(of(lake, table, lake.inspect(table).await?.as_ref()))
}

/// The same, of a table that was looked at already.
#[must_use]
pub fn of(lake: &Lake, table: &TableName, inspection: Option<&Inspection>) -> Vec<Quarantine> {
    let mut all = vec![lake.quarantine(&table.to_string())];
    all.extend(inspection.map(|inspection| inspection.quarantine.clone()));
    all
}

/// A page of them, in the order of their ids. It may have fewer than asked for and still name a next one.
///
/// # Errors
/// A store does not answer, or a file among them is no record.
pub async fn page(
    lake: &Lake,
    table: &TableName,
    inspection: Option<&Inspection>,
    limit: usize,
    after: &str,
) -> lake::Result<Page<Quarantined>> {
    let mut names: Vec<(String, Quarantine)> = Vec::new();
    for quarantine in of(lake, table, inspection) {
        let found = quarantine.names(after, limit + 1).await?;
        names.extend(found.into_iter().map(|name| (name, quarantine.clone())));
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    let more = names.len() > limit;
    names.truncate(limit);
    let next = names.last().filter(|_| more).map(|(name, _)| name.clone());
    let reads: Vec<_> = names.iter().map(|(name, quarantine)| quarantine.get(name)).collect();
    let kept: Vec<Option<Kept>> = stream::iter(reads).buffered(READS_IN_FLIGHT).try_collect().await?;
    let kept: Vec<Kept> = kept.into_iter().flatten().collect();
    let asked: Vec<ObjectIdentity> = kept.iter().filter_map(|kept| kept.record.identity.clone()).collect();
    let known = match inspection {
        Some(Inspection { ledger, head, .. }) => ledger.look_up(head, &asked).await?,
        None => Default::default(),
    };
    let out = kept
        .into_iter()
        .filter(|kept| kept.record.identity.as_ref().is_none_or(|identity| !known.contains_key(identity)));
    Ok(Page { items: out.map(|kept| line(table, kept)).collect(), next })
}

/// How many there are, up to a bound.
///
/// # Errors
/// Those of [`page`].
pub async fn count(lake: &Lake, table: &TableName, inspection: Option<&Inspection>) -> lake::Result<Count> {
    let (mut tally, mut after) = (Tally::default(), String::new());
    loop {
        let page = page(lake, table, inspection, COUNTED, &after).await?;
        if let Some(count) = tally.page(page.items.len(), page.next.is_some()) {
            return Ok(count);
        }
        after = page.next.unwrap_or_default();
    }
}

/// Counts over pages until that is enough.
#[derive(Debug, Default)]
struct Tally {
    number: usize,
    pages: usize,
}

impl Tally {
    /// One more page with so many of them. The count, if no further page is wanted.
    fn page(&mut self, items: usize, more: bool) -> Option<Count> {
        self.number += items;
        self.pages += 1;
        let enough = self.number >= COUNTED || self.pages * COUNTED >= LOOKED_AT;
        (enough || !more).then_some(Count { number: self.number as u64, at_least: more })
    }
}

fn line(table: &TableName, kept: Kept) -> Quarantined {
    let record = kept.record;
    Quarantined {
        id: kept.name,
        table: table.to_string(),
        version: record.identity.as_ref().map(version),
        file: record.file,
        reason: record.reason,
        request_id: record.request_id,
        event_time: record.announced.event_time,
        time: record.time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is counted of pages with so many items each, and how many of them are wanted.
    fn counted(pages: &[usize]) -> (Count, usize) {
        let mut tally = Tally::default();
        let counts =
            pages.iter().enumerate().map(|(place, items)| tally.page(*items, place + 1 < pages.len()));
        let (wanted, count) =
            counts.enumerate().find_map(|(place, count)| Some((place + 1, count?))).unwrap();
        (count, wanted)
    }

    #[test]
    fn records_of_what_came_in_since_hide_none_that_did_not() {
        assert_eq!(counted(&[0]), (Count::exact(0), 1));
        assert_eq!(counted(&[0, 0, 1]), (Count::exact(1), 3), "behind two pages that are over");
        assert_eq!(counted(&[60, 40]), (Count::exact(100), 2));
        assert_eq!(counted(&[60, 40, 7]), (Count { number: 100, at_least: true }, 2));
        let long = vec![0; LOOKED_AT / COUNTED + 1];
        assert_eq!(counted(&long), (Count { number: 0, at_least: true }, LOOKED_AT / COUNTED));
    }
}
