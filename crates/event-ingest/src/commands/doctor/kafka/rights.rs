//! Which rights a service needs.

use clap::ValueEnum;

use super::super::finding::{Check, Finding};
use super::probe::{Access, Probe, TopicAnswer};
use crate::commands::topics::TopicArgs;

/// A service that uses Kafka.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands::doctor) enum Service {
    /// Reads announcements, writes requests and dead letters.
    Dispatcher,
    /// Reads light requests, writes dead letters.
    LightWorker,
    /// Reads heavy requests, writes dead letters.
    SparkLauncher,
}

/// Something that a service does with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Right<'a> {
    Read { topic: &'a str, group: &'a str },
    Write { topic: &'a str },
}

impl Service {
    pub(super) fn rights(self, topics: &TopicArgs) -> Vec<Right<'_>> {
        let dead = Right::Write { topic: &topics.dead_letter_topic };
        match self {
            Self::Dispatcher => vec![
                Right::Read { topic: &topics.topic, group: &topics.group },
                Right::Write { topic: &topics.light_topic },
                Right::Write { topic: &topics.heavy_topic },
                dead,
            ],
            Self::LightWorker => {
                vec![Right::Read { topic: &topics.light_topic, group: &topics.light_group }, dead]
            }
            Self::SparkLauncher => {
                vec![Right::Read { topic: &topics.heavy_topic, group: &topics.heavy_group }, dead]
            }
        }
    }
}

impl<'a> Right<'a> {
    pub fn topic(&self) -> &'a str {
        match self {
            Self::Read { topic, .. } | Self::Write { topic } => topic,
        }
    }

    /// Tries it, unless the topic cannot be used anyway.
    pub fn judge(&self, probe: &Probe, topic: &TopicAnswer) -> Finding {
        let access = match (&topic.shape, self) {
            (Err(_), _) => return self.check().skipped("the topic cannot be used"),
            (Ok(_), Self::Read { topic, group }) => probe.may_read(topic, group),
            (Ok(_), Self::Write { topic: name }) => probe.may_write(name, topic.limit()),
        };
        self.finding(access)
    }

    fn check(&self) -> Check {
        match self {
            Self::Read { topic, group } => Check::of("may-read", format!("{topic} as {group}")),
            Self::Write { topic } => Check::of("may-write", *topic),
        }
    }

    fn finding(&self, access: Access) -> Finding {
        let check = self.check();
        match access {
            Access::Granted => check.ok("allowed"),
            Access::Unknown(why) => check.skipped(format!("not found out: {why}")),
            Access::Denied(right) => check.fail(
                format!("this user lacks the right {right}"),
                "grant it: docs/kafka-client.md, \"Secured Kafka\", lists what each service needs",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;

    #[test]
    fn what_is_denied_fails_and_what_cannot_be_known_does_not() {
        let right = Right::Read { topic: "t", group: "g" };
        assert_eq!(right.finding(Access::Granted).state, State::Ok);
        assert_eq!(right.finding(Access::Unknown("no answer".into())).state, State::Skipped);
        let denied = right.finding(Access::Denied("Read on the group"));
        assert_eq!((denied.state, denied.subject.as_str()), (State::Fail, "t as g"));
        assert!(denied.detail.contains("Read on the group") && denied.mend.is_some());
    }
}
