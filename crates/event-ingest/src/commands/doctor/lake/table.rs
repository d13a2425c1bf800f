//! Whether a table can be written: it is there, and its ledger can be told.

use ingest_core::TableName;
use lake::Lake;

use super::super::finding::{Check, Finding};
use super::in_time;
use crate::commands::print::count;

pub(super) async fn check(lake: &Lake, name: &TableName) -> Finding {
    let found = in_time(lake.inspect(name)).await;
    judge(&Check::of("table", name.to_string()), found.map(|found| found.map(|found| entries(&found.head))))
}

fn entries(head: &lake::ledger::Head) -> u64 {
    head.runs.iter().map(|run| run.entries).sum()
}

/// `found`: the entries of the ledger, if there is a table.
fn judge(check: &Check, found: Result<Option<u64>, String>) -> Finding {
    match found {
        Ok(Some(entries)) => check.ok(format!("there, its ledger has {} entries", count(entries))),
        Ok(None) => check.warn(
            "does not exist",
            "create it, or let the worker do so with the first file (--create-tables, CREATE_TABLES)",
        ),
        Err(reason) => {
            check.fail(reason, "docs/operating.md, \"When something is wrong\", says what to do about it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;

    #[test]
    fn a_table_that_is_not_there_may_be_made() {
        let of = |found| judge(&Check::of("table", "db.t"), found).state;
        assert_eq!(of(Ok(Some(3))), State::Ok);
        assert_eq!(of(Ok(None)), State::Warn);
        assert_eq!(of(Err("ledger file x is gone".into())), State::Fail);
    }
}
