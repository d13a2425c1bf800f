//! Tables as they are now, and whether files came in as often as rules expect.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use ingest_core::TableName;
use lake::Lake;
use operations::model::TableStatus;

use super::{quarantine, table, within};

/// Tables that are asked about at the same time.
const AT_ONCE: usize = 8;

/// What rules expect of tables.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Longest time without a file.
    pub every: BTreeMap<TableName, Duration>,
    /// Since when somebody watches: before that nothing is missed.
    pub since: DateTime<Utc>,
}

/// Each table, or why it cannot be looked at within `patience`.
pub async fn look(
    lake: &Lake,
    names: &[TableName],
    expected: &Expected,
    patience: Duration,
) -> Vec<(TableName, Result<TableStatus, String>)> {
    let now = Utc::now();
    // Collected first: what is streamed borrows from this one call.
    let asked: Vec<_> = names
        .iter()
        .map(|name| async move {
            let answer = within(patience, look_at(lake, name)).await;
            (name.clone(), answer.map(|(status, newest)| expected.judge(name, status, newest, now)))
        })
        .collect();
    stream::iter(asked).buffered(AT_ONCE).collect().await
}

/// The tables that can be looked at, the others as far as they are known, and why not.
#[must_use]
pub fn split(
    tables: Vec<(TableName, Result<TableStatus, String>)>,
) -> (Vec<TableStatus>, Vec<(String, String)>) {
    let mut unreadable = Vec::new();
    let lines = tables.into_iter().map(|(name, answer)| {
        answer.unwrap_or_else(|reason| {
            unreadable.push((name.to_string(), reason));
            table::absent(&name, None, None)
        })
    });
    (lines.collect(), unreadable)
}

/// A table, and when a commit last brought files.
async fn look_at(lake: &Lake, name: &TableName) -> lake::Result<(TableStatus, Option<DateTime<Utc>>)> {
    let inspection = lake.inspect(name).await?;
    let count = quarantine::count(lake, name, inspection.as_ref()).await?;
    match &inspection {
        Some(found) => Ok((table::status(name, found, Some(count)).await?, table::last_arrival(found))),
        None => Ok((table::absent(name, Some(false), Some(count)), None)),
    }
}

impl Expected {
    /// A table that never got a file is stale once it was watched for as long as its rule allows; until then nobody knows.
    fn judge(
        &self,
        name: &TableName,
        status: TableStatus,
        newest: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> TableStatus {
        let Some(every) = self.every.get(name) else { return status };
        // What came from the future has just come.
        let late = |since: DateTime<Utc>| (now - since).to_std().is_ok_and(|waited| waited > *every);
        let fresh = match newest {
            Some(newest) => Some(!late(newest)),
            None => late(self.since).then_some(false),
        };
        TableStatus { expect_every_seconds: Some(every.as_secs()), fresh, ..status }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_table_is_stale_when_its_last_file_is_older_than_its_rule_says() {
        let name: TableName = "db.a".parse().unwrap();
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let expected = Expected { every: [(name.clone(), Duration::from_secs(60))].into(), since: at(0) };
        let fresh = |newest: Option<i64>, now| {
            expected.judge(&name, TableStatus::default(), newest.map(at), at(now)).fresh
        };
        assert_eq!(fresh(Some(0), 60), Some(true));
        assert_eq!(fresh(Some(0), 61), Some(false));
        assert_eq!(fresh(Some(100), 0), Some(true), "clocks differ");
        assert_eq!(fresh(None, 60), None, "it may be on its way");
        assert_eq!(fresh(None, 61), Some(false));
        let other = expected.judge(&"db.b".parse().unwrap(), TableStatus::default(), None, at(1_000));
        assert_eq!((other.expect_every_seconds, other.fresh), (None, None));
    }
}
