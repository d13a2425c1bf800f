//! What is wrong, told from facts: every fault with what mends it.

use chrono::{DateTime, TimeDelta, Utc};
use operations::model::{Problem, Severity, TableStatus};

use crate::overview::problems::{self, problem};
use crate::standalone::activity::Failing;

/// An announcement that waits longer than this is worth a look.
const LAGS: TimeDelta = TimeDelta::minutes(5);

/// What was found out.
#[derive(Debug)]
pub(super) struct Facts {
    /// The folder, for commands.
    pub(super) data: String,
    pub(super) now: DateTime<Utc>,
    /// Whether `state.db` answers.
    pub(super) store: Result<(), String>,
    /// Whether the catalog answers.
    pub(super) catalog: Result<(), String>,
    /// What is wrong with the file of rules.
    pub(super) rules: Option<String>,
    /// Requests that are tried again and again, those that have failed longest first.
    pub(super) failing: Vec<Failing>,
    /// Tables that cannot be looked at, and why.
    pub(super) unreadable: Vec<(String, String)>,
    /// Since when the oldest announcement waits.
    pub(super) oldest_waiting: Option<DateTime<Utc>>,
    /// Tables that can be looked at.
    pub(super) tables: Vec<TableStatus>,
    pub(super) letters: u64,
    /// Ids of requests that Spark was to read and that were given up.
    pub(super) heavy: Vec<String>,
}

/// Everything that is wrong.
pub(super) fn all(facts: &Facts) -> Vec<Problem> {
    let data = &facts.data;
    let place = format!(" --data {data}");
    let mut found = Vec::new();
    if let Err(reason) = &facts.store {
        found.push(problem(
            "store-failing",
            Severity::Broken,
            "state.db",
            format!("the object store does not answer: {reason}"),
            format!("check disk space and permissions of {data}; nothing that was answered is lost"),
        ));
    }
    if let Err(reason) = &facts.catalog {
        found.push(problem(
            "catalog-unreachable",
            Severity::Broken,
            "catalog.db",
            format!("the catalog does not answer: {reason}"),
            format!("check disk space and permissions of {data}/catalog.db; files wait and are tried again by themselves"),
        ));
    }
    found.extend(facts.rules.as_deref().map(problems::rules));
    found.extend(facts.failing.first().map(|first| failing(first, facts)));
    // While the catalog is away, no table can be looked at: that is said once.
    if facts.catalog.is_ok() {
        found.extend(problems::unreadable(&facts.unreadable, &place));
    }
    if let Some(oldest) = facts.oldest_waiting.filter(|oldest| facts.now - oldest > LAGS) {
        let minutes = (facts.now - oldest).num_minutes();
        found.push(Problem {
            since: Some(oldest),
            ..problem(
                "inbox-lags",
                Severity::Attention,
                "inbox",
                format!("the oldest announcement has waited for {minutes} minutes"),
                "let it work through its backlog; if requests fail, mend what they name".to_owned(),
            )
        });
    }
    found.extend(facts.tables.iter().flat_map(|table| problems::table(table, &place)));
    if facts.letters > 0 {
        let letters = facts.letters;
        let (what, were) = match letters {
            1 => ("announcement or request", "was"),
            _ => ("announcements or requests", "were"),
        };
        found.push(problem(
            "poison-records",
            Severity::Attention,
            "inbox",
            format!("{letters} {what} could not be used and {were} set aside"),
            "read the reasons in the console, mend the rules, then send them back there (or POST /api/v1/dead-letters/redrive)",
        ));
    }
    found.extend(problems::heavy(&facts.heavy, &place));
    found
}

fn failing(first: &Failing, facts: &Facts) -> Problem {
    let Failing { table, since, reason, attempts } = first;
    let others = facts.failing.len() - 1;
    let more = match others {
        0 => String::new(),
        1 => " (and 1 more request)".to_owned(),
        _ => format!(" (and {others} more requests)"),
    };
    Problem {
        since: Some(*since),
        ..problem(
            "requests-failing",
            Severity::Broken,
            table,
            format!("a request has failed {attempts} times and is tried again{more}: {reason}"),
            "mend what the reason names; it goes on by itself, and nothing is lost".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use operations::model::Count;

    use super::*;

    fn nothing() -> Facts {
        Facts {
            data: "data".to_owned(),
            now: DateTime::UNIX_EPOCH,
            store: Ok(()),
            catalog: Ok(()),
            rules: None,
            failing: Vec::new(),
            unreadable: Vec::new(),
            oldest_waiting: Some(DateTime::UNIX_EPOCH - LAGS),
            tables: Vec::new(),
            letters: 0,
            heavy: Vec::new(),
        }
    }

    fn kinds(facts: &Facts) -> Vec<String> {
        let found = all(facts);
        assert!(found.iter().all(|problem| !problem.detail.is_empty() && !problem.mend.is_empty()));
        found.into_iter().map(|problem| problem.kind).collect()
    }

    #[test]
    fn nothing_is_wrong_unless_something_is() {
        assert!(kinds(&nothing()).is_empty());
    }

    #[test]
    fn a_catalog_that_is_away_is_said_once_and_not_for_each_table() {
        let unreadable =
            vec![("db.a".to_owned(), "no answer".to_owned()), ("db.b".to_owned(), "no".to_owned())];
        let mut facts = Facts { catalog: Err("locked".to_owned()), unreadable, ..nothing() };
        assert_eq!(kinds(&facts), ["catalog-unreachable"]);
        facts.catalog = Ok(());
        assert_eq!(kinds(&facts), ["table-unreadable", "table-unreadable"]);
    }

    #[test]
    fn what_waits_for_a_person_names_the_command() {
        let table = TableStatus {
            table: "db.a".to_owned(),
            quarantined: Some(Count { number: 100, at_least: true }),
            expect_every_seconds: Some(60),
            fresh: Some(false),
            ..TableStatus::default()
        };
        let facts = Facts {
            letters: 2,
            heavy: vec!["0123abcd".to_owned()],
            tables: vec![table],
            oldest_waiting: Some(DateTime::UNIX_EPOCH - LAGS - TimeDelta::seconds(1)),
            ..nothing()
        };
        assert_eq!(
            kinds(&facts),
            ["inbox-lags", "quarantine-grows", "table-stale", "poison-records", "heavy-failed"]
        );
        let found = all(&facts);
        assert!(found[1].detail.contains("100 objects or more"), "{}", found[1].detail);
        assert!(found[1].mend.contains("files retry --all --table db.a --data data"), "{}", found[1].mend);
        assert!(found[2].mend.contains("reconcile --data data"), "{}", found[2].mend);
    }

    #[test]
    fn of_many_failing_requests_the_oldest_is_told() {
        let failing = |reason: &str| Failing {
            table: "db.a".to_owned(),
            since: DateTime::UNIX_EPOCH,
            reason: reason.to_owned(),
            attempts: 3,
        };
        let facts = Facts { failing: vec![failing("disk full"), failing("other")], ..nothing() };
        let found = all(&facts);
        assert_eq!(found.len(), 1);
        assert!(found[0].detail.contains("disk full") && found[0].detail.contains("1 more request)"));
        assert_eq!(found[0].severity, Severity::Broken);
    }
}
