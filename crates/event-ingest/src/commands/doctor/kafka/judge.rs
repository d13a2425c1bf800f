//! What the answers about a topic mean. Pure.

use std::time::Duration;

use ingest_core::units::show_duration;

use super::super::finding::{Check, Finding};
use super::Role;
use super::probe::{Shape, TopicAnswer};

/// What a topic should keep at least: an outage of a night is mended in the morning.
const LEAST_RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Dead letters wait for a person.
const LEAST_DEAD_LETTER_RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// What headers, key and batch of a record take besides a request.
const OVERHEAD_BYTES: u64 = 16 << 10;

/// Whether a topic is there and every partition can be written.
pub(super) fn shape(topic: &str, answer: &TopicAnswer, brokers: usize) -> Finding {
    let check = Check::of("topic", topic);
    let shape = match &answer.shape {
        Ok(shape) => shape,
        Err(reason) if reason.contains("does not exist") => {
            return check.fail(
                reason.as_str(),
                format!("create it: kafka-topics.sh --create --topic {topic} --partitions 3"),
            );
        }
        Err(reason) => {
            return check.fail(reason.as_str(), "grant this user Describe on the topic, or mend the brokers");
        }
    };
    let Shape { partitions, without_leader, replicas, in_sync } = *shape;
    if without_leader > 0 {
        let detail = format!("{without_leader} of {partitions} partitions have no leader");
        return check.fail(detail, "bring the brokers back that hold them");
    }
    let wanted = answer.number("min.insync.replicas").and_then(|number| usize::try_from(number).ok());
    if let Some(wanted) = wanted.filter(|wanted| in_sync < *wanted) {
        let detail =
            format!("a partition has {in_sync} replicas in sync, and min.insync.replicas is {wanted}");
        return check.fail(
            detail,
            "bring the other brokers back, or lower min.insync.replicas: nothing is taken meanwhile",
        );
    }
    if brokers >= 3 && replicas < 2 {
        return check.warn(
            format!("{partitions} partitions, of which one has no second replica"),
            "raise its replication factor: with one broker its records are gone",
        );
    }
    check.ok(format!("{partitions} partitions, {replicas} replicas, {in_sync} in sync"))
}

/// Whether a topic's settings fit. `source_limit` is what the announcements' topic takes.
pub(super) fn settings(
    topic: &str,
    role: Role,
    answer: &TopicAnswer,
    max_request_bytes: u64,
    source_limit: Option<u64>,
) -> Vec<Finding> {
    if answer.shape.is_err() {
        return Vec::new();
    }
    let check = Check::of("topic-settings", topic);
    let Some(settings) = &answer.settings else {
        return vec![check.skipped("this user may not see them (right DescribeConfigs)")];
    };
    let mut findings = Vec::new();
    if settings.get("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        findings.push(check.fail(
            "cleanup.policy compacts it: of records with the same key all but the last are lost",
            "set cleanup.policy=delete",
        ));
    }
    findings.extend(retention(&check, role, answer));
    findings.extend(size(&check, role, answer.limit(), max_request_bytes, source_limit));
    if findings.is_empty() {
        let kept = answer.number("retention.ms").map_or_else(|| "as the broker says".to_owned(), kept);
        let limit = answer.limit().unwrap_or_default();
        findings.push(check.ok(format!("kept {kept}, records up to {limit} bytes")));
    }
    findings
}

fn kept(millis: i64) -> String {
    match u64::try_from(millis) {
        Ok(millis) => show_duration(Duration::from_millis(millis)),
        Err(_) => "for ever".to_owned(),
    }
}

fn retention(check: &Check, role: Role, answer: &TopicAnswer) -> Option<Finding> {
    let millis = u64::try_from(answer.number("retention.ms")?).ok()?;
    let least = match role {
        Role::Announcements | Role::Requests => LEAST_RETENTION,
        Role::DeadLetters => LEAST_DEAD_LETTER_RETENTION,
    };
    if Duration::from_millis(millis) >= least {
        return None;
    }
    let (is, least_text) = (kept(millis.try_into().unwrap_or(i64::MAX)), show_duration(least));
    let lost = match role {
        Role::Announcements => {
            "an outage that is longer loses announcements (event-ingest reconcile finds the files)"
        }
        Role::Requests => "an outage that is longer loses requests (event-ingest reconcile finds the files)",
        Role::DeadLetters => "letters go before a person has looked",
    };
    Some(
        check.warn(
            format!("records are kept {is}: {lost}"),
            format!("set retention.ms to {least_text} or more"),
        ),
    )
}

fn size(
    check: &Check,
    role: Role,
    limit: Option<u64>,
    max_request_bytes: u64,
    source_limit: Option<u64>,
) -> Option<Finding> {
    let limit = limit?;
    match role {
        Role::Announcements => None,
        Role::Requests => {
            let needed = max_request_bytes.saturating_add(OVERHEAD_BYTES);
            (limit < needed).then(|| {
                check.fail(
                    format!("it takes records up to {limit} bytes, and a request may have {max_request_bytes}"),
                    format!("set max.message.bytes to {needed} or more, or lower the dispatcher's BATCH_MAX_REQUEST_BYTES"),
                )
            })
        }
        Role::DeadLetters => source_limit.filter(|source| limit < *source).map(|source| {
            check.warn(
                format!("it takes records up to {limit} bytes, the announcements' topic up to {source}: of longer ones only the headers are kept"),
                format!("set max.message.bytes to {source} or more"),
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;

    const GOOD: Shape = Shape { partitions: 3, without_leader: 0, replicas: 3, in_sync: 3 };
    const REQUEST: u64 = 900_000;

    fn answer(shape: Shape, settings: &[(&str, &str)]) -> TopicAnswer {
        let pairs = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        TopicAnswer { shape: Ok(shape), settings: Some(pairs.collect()) }
    }

    #[test]
    fn a_topic_that_cannot_be_written_fails() {
        let of = |shape| super::shape("t", &answer(shape, &[("min.insync.replicas", "2")]), 3);
        assert_eq!(of(GOOD).state, State::Ok);
        assert_eq!(of(Shape { without_leader: 1, ..GOOD }).state, State::Fail);
        let few = of(Shape { in_sync: 1, ..GOOD });
        assert!(few.state == State::Fail && few.detail.contains("min.insync.replicas"), "{few:?}");
        let missing = TopicAnswer { shape: Err("Kafka topic t does not exist".into()), settings: None };
        let missing = super::shape("t", &missing, 3);
        assert!(missing.state == State::Fail && missing.mend.unwrap().contains("--create --topic t"));
    }

    #[test]
    fn one_replica_is_a_risk_only_where_there_are_brokers_for_more() {
        let single = Shape { replicas: 1, in_sync: 1, ..GOOD };
        assert_eq!(super::shape("t", &answer(single, &[]), 3).state, State::Warn);
        assert_eq!(super::shape("t", &answer(single, &[]), 1).state, State::Ok);
    }

    fn states(role: Role, settings: &[(&str, &str)]) -> Vec<State> {
        let found = super::settings("t", role, &answer(GOOD, settings), REQUEST, Some(1_048_588));
        found.into_iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn settings_that_lose_records_are_named() {
        let week = ("retention.ms", "604800000");
        let usual = [week, ("cleanup.policy", "delete"), ("max.message.bytes", "1048588")];
        for role in [Role::Announcements, Role::Requests, Role::DeadLetters] {
            assert_eq!(states(role, &usual), [State::Ok], "{role:?}");
            assert_eq!(states(role, &[("cleanup.policy", "compact,delete"), week]), [State::Fail]);
            assert_eq!(states(role, &[("retention.ms", "3600000")]), [State::Warn]);
            assert_eq!(states(role, &[("retention.ms", "-1")]), [State::Ok], "for ever");
        }
        let small = [week, ("max.message.bytes", "900000")];
        assert_eq!(states(Role::Announcements, &small), [State::Ok]);
        assert_eq!(states(Role::Requests, &small), [State::Fail]);
        assert_eq!(states(Role::DeadLetters, &small), [State::Warn]);
    }

    #[test]
    fn what_may_not_be_seen_is_no_failure() {
        let unseen = TopicAnswer { shape: Ok(GOOD), settings: None };
        let found = super::settings("t", Role::Requests, &unseen, REQUEST, None);
        assert_eq!(found[0].state, State::Skipped);
    }
}
