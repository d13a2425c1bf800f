//! What is wrong, told from facts: every fault with what mends it. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use operations::model::{Problem, Severity, TableStatus};

use super::lanes::{Lag, Lane};
use super::stores::Answer;
use crate::overview::problems::{self, problem};

/// A record that waits longer than this is worth a look: a batch waits half a minute, a worker starts in less.
const LAGS: TimeDelta = TimeDelta::minutes(5);
/// A store that takes longer for a small question is slow: a commit asks some ten of them.
const SLOW: Duration = Duration::from_secs(2);

/// What was found out.
#[derive(Debug)]
pub(super) struct Facts {
    pub now: DateTime<Utc>,
    /// Who reads each lane, and what waits in it.
    pub lanes: Vec<(Reader, Lane, Result<Lag, String>)>,
    /// The dead-letter topic, and how many letters wait in it.
    pub letters: (String, Result<u64, String>),
    /// What is wrong with the file of rules.
    pub rules: Option<String>,
    pub catalog: Result<(), String>,
    /// Tables that cannot be looked at, and why.
    pub unreadable: Vec<(String, String)>,
    pub tables: Vec<TableStatus>,
    pub stores: Vec<Answer>,
    /// Ids of requests that were given up.
    pub heavy: Result<Vec<String>, String>,
}

/// Whose group it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Dispatcher,
    LightWorker,
    SparkLauncher,
}

impl Reader {
    fn name(self) -> &'static str {
        match self {
            Self::Dispatcher => "dispatcher",
            Self::LightWorker => "light worker (or its KafkaSource)",
            Self::SparkLauncher => "spark launcher (or its KafkaSource)",
        }
    }
}

/// Everything that is wrong.
pub(super) fn all(facts: &Facts) -> Vec<Problem> {
    let mut found = kafka(facts);
    found.extend(facts.rules.as_deref().map(problems::rules));
    if let Err(reason) = &facts.catalog {
        found.push(problem(
            "catalog-unreachable",
            Severity::Broken,
            "catalog",
            format!("the catalog does not answer: {reason}"),
            "bring it back, or correct its settings: `event-ingest doctor` says which; requests wait and are tried again by themselves",
        ));
    } else {
        // While the catalog is away, no table can be looked at: that is said once.
        found.extend(problems::unreadable(&facts.unreadable, ""));
    }
    found.extend(facts.stores.iter().filter_map(store));
    found.extend(facts.tables.iter().flat_map(|table| problems::table(table, "")));
    found.extend(facts.heavy.iter().filter_map(|failed| problems::heavy(failed, "")));
    found
}

/// Lanes and dead letters. Brokers that are away are said once.
fn kafka(facts: &Facts) -> Vec<Problem> {
    let mut found = Vec::new();
    for (reader, lane, lag) in &facts.lanes {
        match lag {
            Ok(lag) => found.extend(waiting(facts.now, *reader, lane, lag)),
            Err(reason) => found.push(topic(&lane.topic, reason)),
        }
    }
    match &facts.letters {
        (name, Err(reason)) => found.push(topic(name, reason)),
        (name, Ok(letters)) if *letters > 0 => found.push(problem(
            "poison-records",
            Severity::Attention,
            name,
            match letters {
                1 => "1 record or request could not be used and waits among the dead letters".to_owned(),
                _ => format!("{letters} records or requests could not be used and wait among the dead letters"),
            },
            "read the reasons with `event-ingest dlq list --waiting`, mend sender or rules, then `event-ingest dlq redrive`",
        )),
        (_, Ok(_)) => {}
    }
    let away = found.iter().position(|problem| problem.kind == "kafka-unreachable");
    if let Some(away) = away {
        return vec![found.swap_remove(away)];
    }
    found
}

fn topic(name: &str, reason: &str) -> Problem {
    if reason.contains("brokers") {
        return problem(
            "kafka-unreachable",
            Severity::Broken,
            "kafka",
            reason.to_owned(),
            "bring the brokers back, or correct the Kafka settings: `event-ingest doctor` says which; nothing is lost meanwhile",
        );
    }
    problem(
        "topic-unusable",
        Severity::Broken,
        name,
        reason.to_owned(),
        "create the topic or grant the right: `event-ingest doctor` says which",
    )
}

/// What waits too long, or for nobody.
fn waiting(now: DateTime<Utc>, reader: Reader, lane: &Lane, lag: &Lag) -> Option<Problem> {
    let Lane { topic, group } = lane;
    let waiting = lag.waiting;
    if waiting == 0 {
        return None;
    }
    let since = |problem: Problem| Problem { since: lag.oldest, ..problem };
    if lag.members == Some(0) {
        let (detail, severity) = match lag.known {
            true => {
                (format!("{waiting} records wait, and nobody in group {group} reads them"), Severity::Broken)
            }
            false => {
                (format!("{waiting} records wait, and group {group} has never read any"), Severity::Attention)
            }
        };
        let mend = format!(
            "start the {}, and look into its log if it runs; if its group has another name, give that",
            reader.name()
        );
        return Some(since(problem("nobody-reads", severity, topic, detail, mend)));
    }
    let oldest = lag.oldest.filter(|oldest| now - *oldest > LAGS)?;
    let minutes = (now - oldest).num_minutes();
    let detail = format!("{waiting} records wait for group {group}, the oldest for {minutes} minutes");
    let mend = format!(
        "look into the log of the {} for what it tries again; if there is none, give it more instances",
        reader.name()
    );
    Some(since(problem("stuck-lane", Severity::Attention, topic, detail, mend)))
}

fn store(answer: &Answer) -> Option<Problem> {
    match &answer.took {
        Ok(took) if *took <= SLOW => None,
        Ok(took) => Some(problem(
            "store-slow",
            Severity::Attention,
            &answer.store,
            format!("a small question took {:.1} s", took.as_secs_f64()),
            "look at the store and the network to it; files come in, only later",
        )),
        Err(reason) => Some(problem(
            "store-unreachable",
            Severity::Broken,
            &answer.store,
            format!("the store does not answer: {reason}"),
            "bring it back, or correct its settings: `event-ingest doctor` says which; requests wait and are tried again by themselves",
        )),
    }
}

#[cfg(test)]
mod tests {
    use operations::model::Count;

    use super::*;

    fn lane() -> Lane {
        Lane { topic: "light-ingest".to_owned(), group: "light-worker".to_owned() }
    }

    fn nothing() -> Facts {
        Facts {
            now: DateTime::UNIX_EPOCH,
            lanes: vec![(Reader::LightWorker, lane(), Ok(Lag { known: true, ..Lag::default() }))],
            letters: ("ingest-dlq".to_owned(), Ok(0)),
            rules: None,
            catalog: Ok(()),
            unreadable: Vec::new(),
            tables: Vec::new(),
            stores: vec![Answer { store: "s3://w".to_owned(), took: Ok(SLOW) }],
            heavy: Ok(Vec::new()),
        }
    }

    fn kinds(facts: &Facts) -> Vec<String> {
        let found = all(facts);
        assert!(found.iter().all(|problem| !problem.detail.is_empty() && !problem.mend.is_empty()));
        found.into_iter().map(|problem| problem.kind).collect()
    }

    fn with_lag(lag: Lag) -> Facts {
        Facts { lanes: vec![(Reader::LightWorker, lane(), Ok(lag))], ..nothing() }
    }

    #[test]
    fn nothing_is_wrong_unless_something_is() {
        assert!(kinds(&nothing()).is_empty());
    }

    #[test]
    fn brokers_that_are_away_are_said_once() {
        let away = || Err("Kafka brokers cannot be used: connection refused".to_owned());
        let lanes = vec![(Reader::Dispatcher, lane(), away()), (Reader::LightWorker, lane(), away())];
        let letters = ("ingest-dlq".to_owned(), Err("Kafka brokers do not answer".to_owned()));
        assert_eq!(kinds(&Facts { lanes, letters, ..nothing() }), ["kafka-unreachable"]);
        let missing = Err("Kafka topic light-ingest does not exist".to_owned());
        let lanes = vec![(Reader::LightWorker, lane(), missing)];
        assert_eq!(kinds(&Facts { lanes, ..nothing() }), ["topic-unusable"]);
    }

    #[test]
    fn what_waits_is_a_problem_once_it_waits_long_or_for_nobody() {
        let waiting = Lag { waiting: 3, known: true, members: Some(1), ..Lag::default() };
        let since = |age: TimeDelta| Some(DateTime::UNIX_EPOCH - age);
        let young = Lag { oldest: since(LAGS), ..waiting.clone() };
        assert!(kinds(&with_lag(young)).is_empty());
        let old = Lag { oldest: since(LAGS + TimeDelta::seconds(1)), ..waiting.clone() };
        assert_eq!(kinds(&with_lag(old)), ["stuck-lane"]);
        let nobody = all(&with_lag(Lag { members: Some(0), ..waiting.clone() }));
        assert_eq!((nobody[0].kind.as_str(), nobody[0].severity), ("nobody-reads", Severity::Broken));
        let never = all(&with_lag(Lag { members: Some(0), known: false, ..waiting }));
        assert_eq!(never[0].severity, Severity::Attention);
    }

    #[test]
    fn a_catalog_that_is_away_is_said_once_and_not_for_each_table() {
        let unreadable = vec![("db.a".to_owned(), "no answer".to_owned())];
        let mut facts = Facts { catalog: Err("refused".to_owned()), unreadable, ..nothing() };
        assert_eq!(kinds(&facts), ["catalog-unreachable"]);
        facts.catalog = Ok(());
        assert_eq!(kinds(&facts), ["table-unreadable"]);
    }

    #[test]
    fn a_store_is_slow_or_away() {
        let of =
            |took| kinds(&Facts { stores: vec![Answer { store: "s3://w".to_owned(), took }], ..nothing() });
        assert_eq!(of(Ok(SLOW + Duration::from_millis(1))), ["store-slow"]);
        assert_eq!(of(Err("no answer within 5 s".to_owned())), ["store-unreachable"]);
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
            tables: vec![table],
            letters: ("ingest-dlq".to_owned(), Ok(2)),
            heavy: Ok(vec!["0123abcd".to_owned()]),
            rules: Some("line 3: what?".to_owned()),
            ..nothing()
        };
        let found = all(&facts);
        let mends: Vec<&str> = found.iter().map(|problem| problem.mend.as_str()).collect();
        let commands = [
            "dlq redrive",
            "rules check",
            "files retry --all --table db.a",
            "reconcile",
            "heavy show 0123abcd",
        ];
        for (mend, command) in mends.iter().zip(commands) {
            assert!(mend.contains(command), "{mend} names no {command}");
        }
        assert_eq!(found.len(), commands.len());
    }
}
