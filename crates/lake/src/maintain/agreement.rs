//! What a table's history says of files that only the ledger, or only `main`, names.

use std::collections::{HashMap, HashSet};

use iceberg::spec::{Operation, TableMetadata};
use uuid::Uuid;

use super::names;
use crate::history::{ancestry, source};
use crate::ledger::SUMMARY_RUN;

/// The ancestry of `main`, as far as the table still has it.
#[derive(Debug)]
pub(super) struct History {
    /// The table's uuid, which the names of our data files begin with.
    table: Uuid,
    /// Ancestors by id, and by what they were copied from: how many snapshots are newer.
    places: HashMap<i64, usize>,
    /// Place of the newest ancestor that took data files away, if any.
    newest_rewrite: Option<usize>,
    /// The oldest ancestor that the table has says that it had a parent.
    cut: bool,
    /// Ancestors that name a run of ours.
    ours: Vec<Ours>,
    /// Their ids, and those of what they were copied from.
    our_ids: HashSet<i64>,
}

#[derive(Debug)]
struct Ours {
    snapshot_id: i64,
    source: Option<i64>,
    added_rows: u64,
}

/// Why `main` does not have a file that the ledger names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// A later snapshot replaced or deleted it, or may have before it expired.
    Rewritten,
    /// Nothing that is known took it away.
    Unexplained,
}

/// Whose a file is that the ledger does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// We added it.
    Ours,
    /// Another writer did.
    Foreign,
}

impl History {
    pub(super) fn of(table: &TableMetadata) -> Self {
        let mut history = Self {
            table: table.uuid(),
            places: HashMap::new(),
            newest_rewrite: None,
            cut: false,
            ours: Vec::new(),
            our_ids: HashSet::new(),
        };
        for (place, snapshot) in ancestry(table).enumerate() {
            let (snapshot_id, source) = (snapshot.snapshot_id(), source(snapshot));
            for id in std::iter::once(snapshot_id).chain(source) {
                history.places.entry(id).or_insert(place);
            }
            if snapshot.summary().operation != Operation::Append {
                history.newest_rewrite.get_or_insert(place);
            }
            let summary = &snapshot.summary().additional_properties;
            if summary.contains_key(SUMMARY_RUN) {
                let added = summary.get("added-records").and_then(|rows| rows.parse().ok());
                history.our_ids.extend(std::iter::once(snapshot_id).chain(source));
                history.ours.push(Ours { snapshot_id, source, added_rows: added.unwrap_or(0) });
            }
            history.cut =
                snapshot.parent_snapshot_id().is_some_and(|parent| table.snapshot_by_id(parent).is_none());
        }
        history
    }

    /// Why a file that an entry of this snapshot names may be gone.
    ///
    /// | the entry's snapshot is | and | the file was |
    /// |---|---|---|
    /// | an ancestor | a newer ancestor did more than append | rewritten |
    /// | an ancestor | otherwise | lost |
    /// | no ancestor that is known | an ancestor did more than append, or history is cut | rewritten |
    /// | no ancestor that is known | otherwise | lost |
    pub(super) fn absent(&self, snapshot_id: i64) -> Absence {
        let rewritten = match (self.places.get(&snapshot_id), self.newest_rewrite) {
            (Some(place), Some(rewrite)) => rewrite < *place,
            (Some(_), None) => false,
            (None, rewrite) => self.cut || rewrite.is_some(),
        };
        if rewritten { Absence::Rewritten } else { Absence::Unexplained }
    }

    /// Whose a live file is that the ledger does not name. Of an author that has expired only the name tells.
    pub(super) fn present(&self, author: i64, url: &str) -> Presence {
        let by_name = !self.places.contains_key(&author) && names::is_data(names::last(url), self.table);
        if by_name || self.is_ours(author) { Presence::Ours } else { Presence::Foreign }
    }

    /// Whether this is an ancestor that names a run of ours, or what one was copied from.
    pub(super) fn is_ours(&self, snapshot_id: i64) -> bool {
        self.our_ids.contains(&snapshot_id)
    }

    /// Ancestors of ours whose entries have other rows than they added: id, rows of the entries, rows added.
    pub(super) fn disagreements(&self, rows: &HashMap<i64, u64>) -> Vec<(i64, u64, u64)> {
        let sum = |ours: &Ours| {
            let of = |id: i64| rows.get(&id).copied().unwrap_or(0);
            of(ours.snapshot_id) + ours.source.map_or(0, of)
        };
        let all = self.ours.iter().map(|ours| (ours.snapshot_id, sum(ours), ours.added_rows));
        all.filter(|(_, ledger, added)| ledger != added).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(newest_rewrite: Option<usize>, cut: bool) -> History {
        let places = HashMap::from([(30, 0), (20, 1), (10, 2), (9, 2)]);
        let ours = vec![Ours { snapshot_id: 10, source: Some(9), added_rows: 5 }];
        History { table: Uuid::nil(), places, newest_rewrite, cut, ours, our_ids: HashSet::from([10, 9]) }
    }

    #[test]
    fn a_file_may_be_gone_only_where_something_could_have_taken_it() {
        use Absence::{Rewritten, Unexplained};
        let cases = [
            (10, Some(1), false, Rewritten),
            (9, Some(1), false, Rewritten),
            (10, None, true, Unexplained),
            (30, Some(1), true, Unexplained),
            (20, Some(1), false, Unexplained),
            (5, None, true, Rewritten),
            (5, Some(0), false, Rewritten),
            (5, None, false, Unexplained),
        ];
        for (snapshot, rewrite, cut, expected) in cases {
            assert_eq!(history(rewrite, cut).absent(snapshot), expected, "{snapshot} {rewrite:?} {cut}");
        }
    }

    #[test]
    fn an_unnamed_file_is_ours_by_its_snapshot_or_else_by_its_name() {
        let ours = format!("s3://b/data/{}-{}.parquet", Uuid::nil(), Uuid::now_v7());
        let of_another_table = format!("s3://b/data/{}-{}.parquet", Uuid::new_v4(), Uuid::now_v7());
        let history = history(None, true);
        assert_eq!(history.present(10, "s3://b/data/x.parquet"), Presence::Ours);
        assert_eq!(history.present(20, &ours), Presence::Foreign);
        assert_eq!(history.present(5, &ours), Presence::Ours);
        assert_eq!(history.present(5, "s3://b/data/x.parquet"), Presence::Foreign);
        assert_eq!(history.present(5, &of_another_table), Presence::Foreign);
    }

    #[test]
    fn rows_of_a_copy_are_those_of_its_source() {
        let history = history(None, false);
        assert!(history.disagreements(&HashMap::from([(9, 5)])).is_empty());
        assert!(history.disagreements(&HashMap::from([(10, 5), (20, 1)])).is_empty());
        assert_eq!(history.disagreements(&HashMap::from([(10, 4)])), [(10, 4, 5)]);
    }
}
