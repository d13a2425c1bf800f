//! Problems that both plants tell, each in one form.

use operations::model::{Count, Problem, Severity, TableStatus};

/// A problem of a kind that `docs/problems.md` knows.
#[must_use]
pub fn problem(
    kind: &str,
    severity: Severity,
    subject: &str,
    detail: impl Into<String>,
    mend: impl Into<String>,
) -> Problem {
    Problem {
        kind: kind.to_owned(),
        severity,
        subject: subject.to_owned(),
        detail: detail.into(),
        mend: mend.into(),
        runbook: Some(format!("docs/problems.md#{kind}")),
        since: None,
    }
}

/// The file of rules is wrong.
#[must_use]
pub fn rules(reason: &str) -> Problem {
    problem(
        "rules-broken",
        Severity::Attention,
        "rules",
        format!("the file of rules is wrong, and the rules in force stay as they were: {reason}"),
        "try it with `event-ingest rules check FILE`; it is read again when it changes",
    )
}

/// Tables that cannot be looked at, and why. `place`: the flags that say where they are.
pub fn unreadable(tables: &[(String, String)], place: &str) -> impl Iterator<Item = Problem> {
    tables.iter().map(move |(table, reason)| {
        let detail = format!("the table cannot be looked at: {reason}");
        let mend = format!("see what is wrong with `event-ingest ledger verify --table {table}{place}`");
        problem("table-unreadable", Severity::Broken, table, detail, mend)
    })
}

/// What is wrong with a table that can be looked at. `place`: the flags that say where it is.
pub fn table(table: &TableStatus, place: &str) -> impl Iterator<Item = Problem> {
    [quarantine(table, place), stale(table, place)].into_iter().flatten()
}

/// Requests of the heavy path that were given up, by their ids. `place`: the flags that say where they are.
#[must_use]
pub fn heavy(failed: &[String], place: &str) -> Option<Problem> {
    let first = failed.first()?;
    let (detail, mend) = (
        match failed.len() {
            1 => "1 request was given up".to_owned(),
            number => format!("{number} requests were given up"),
        },
        format!(
            "read why with `event-ingest heavy show {first}{place}`, mend it, then `event-ingest heavy retry --all{place}`"
        ),
    );
    Some(problem("heavy-failed", Severity::Attention, first, detail, mend))
}

fn quarantine(table: &TableStatus, place: &str) -> Option<Problem> {
    let count = table.quarantined.filter(|count| count.number > 0)?;
    let name = &table.table;
    let mend = format!(
        "read the reasons with `event-ingest files list --quarantined --table {name}{place}`, mend files or table, then \
         `event-ingest files retry --all --table {name}{place}`"
    );
    let detail = format!("{} set aside, and no retry by itself mends that", objects(count));
    Some(problem("quarantine-grows", Severity::Attention, name, detail, mend))
}

fn stale(table: &TableStatus, place: &str) -> Option<Problem> {
    let every = table.expect_every_seconds.filter(|_| table.fresh == Some(false))?;
    let detail = format!("no file came in for longer than the {every} s that its rule expects");
    let mend = format!(
        "ask whoever writes the files; `event-ingest reconcile{place}` tells whether the bucket has some that the table lacks"
    );
    let problem = problem("table-stale", Severity::Attention, &table.table, detail, mend);
    Some(Problem { since: table.last_commit, ..problem })
}

fn objects(count: Count) -> String {
    match count {
        Count { number: 1, at_least: false } => "1 object was".to_owned(),
        Count { number, at_least: false } => format!("{number} objects were"),
        Count { number, at_least: true } => format!("{number} objects or more were"),
    }
}
