//! Brokers, topics and rights.

mod judge;
mod probe;
mod rights;

use service_kit::kafka::ClientProperties;

use super::finding::{Check, Finding};
use crate::commands::topics::TopicArgs;

pub(super) use rights::Service;

/// What the checks of Kafka are told.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub topics: TopicArgs,
    /// Whose rights are tried: those of the user who runs the command, as if it were each of these.
    pub services: Vec<Service>,
    /// The dispatcher's bound on a request, in bytes.
    pub max_request_bytes: u64,
}

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Announcements,
    Requests,
    DeadLetters,
}

impl Plan {
    /// Each topic and what it is for.
    fn roles(&self) -> [(&str, Role); 4] {
        [
            (&self.topics.topic, Role::Announcements),
            (&self.topics.light_topic, Role::Requests),
            (&self.topics.heavy_topic, Role::Requests),
            (&self.topics.dead_letter_topic, Role::DeadLetters),
        ]
    }
}

/// Asks, and judges the answers. Blocks a thread of its own meanwhile.
pub(super) async fn check(properties: ClientProperties, plan: Plan) -> Vec<Finding> {
    let asked = tokio::task::spawn_blocking(move || findings(&properties, &plan));
    asked.await.unwrap_or_else(|error| {
        vec![Check::of("brokers", "kafka").fail(format!("not asked: {error}"), "run the command again")]
    })
}

fn findings(properties: &ClientProperties, plan: &Plan) -> Vec<Finding> {
    let brokers = Check::of("brokers", properties.brokers().unwrap_or_default());
    let probe = match probe::Probe::new(properties) {
        Ok(probe) => probe,
        Err(error) => return vec![brokers.fail(error.to_string(), "correct the Kafka settings")],
    };
    let count = match probe.brokers() {
        Ok(count) => count,
        Err(reason) => {
            return vec![brokers.fail(
                reason,
                "check KAFKA_BOOTSTRAP_SERVERS, security.protocol and the credentials, and that the network lets this host through",
            )];
        }
    };
    let mut findings = vec![brokers.ok(format!("{count} answer"))];
    let limits: Vec<_> =
        plan.roles().iter().map(|(topic, role)| (*topic, *role, probe.topic(topic))).collect();
    let source = limits[0].2.limit();
    for (topic, role, answer) in &limits {
        findings.push(judge::shape(topic, answer, count));
        findings.extend(judge::settings(topic, *role, answer, plan.max_request_bytes, source));
    }
    for service in &plan.services {
        for right in service.rights(&plan.topics) {
            let answer = limits.iter().find(|(topic, ..)| *topic == right.topic()).map(|(.., answer)| answer);
            findings.extend(answer.map(|answer| right.judge(&probe, answer)));
        }
    }
    findings
}
