//! What a record of the source topic announces, and what the rules say about it.

use std::sync::Arc;

use ingest_core::notification;
use ingest_core::{RequestedObject, Route, RuleSet, Verdict};

use crate::args::OnUnmatched;
use crate::metrics::DispatcherMetrics;

/// The part of a record that the batching machine decides on.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub objects: Vec<(Arc<Route>, RequestedObject)>,
    pub dead_letter: Option<String>,
}

/// Judges records by the rules, and counts what they hold.
#[derive(Debug)]
pub(crate) struct Judge {
    pub rules: RuleSet,
    pub unmatched: OnUnmatched,
    pub metrics: DispatcherMetrics,
}

impl Judge {
    pub fn judge(&self, payload: &[u8]) -> Judged {
        let mut judged = Judged::default();
        let parsed = match notification::parse(payload) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.dead_letter(&mut judged, error.reason(), error.to_string());
                return judged;
            }
        };
        for ignored in parsed.ignored {
            self.metrics.ignored(ignored.reason());
        }
        for announcement in parsed.announcements {
            self.metrics.announcements.inc();
            match self.rules.judge(&announcement) {
                Verdict::Route(route) => judged.objects.push((route, announcement.into())),
                Verdict::Unmatched(reason) if self.unmatched == OnUnmatched::DeadLetter => {
                    let text = format!("{reason}: {}", announcement.uri);
                    self.dead_letter(&mut judged, reason, text);
                }
                Verdict::Ignored(reason) | Verdict::Unmatched(reason) => {
                    tracing::debug!(file = %announcement.uri, reason, "object ignored");
                    self.metrics.ignored(reason);
                }
            }
        }
        judged
    }

    /// A record is set aside once, for the first reason.
    fn dead_letter(&self, judged: &mut Judged, reason: &str, text: String) {
        if judged.dead_letter.is_none() {
            self.metrics.dead_letter(reason);
            judged.dead_letter = Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ingest_core::{Rule, TableName, Target};
    use service_kit::metrics::Metrics;

    use super::*;

    fn judge(unmatched: OnUnmatched) -> (Judge, Metrics) {
        let metrics = Metrics::new();
        let table = TableName::parse("db.t").unwrap();
        let target = Target { table, format: None, options: BTreeMap::new() };
        let rules = RuleSet::new([Rule { prefix: "in/".into(), ..Rule::all(target) }]);
        (Judge { rules, unmatched, metrics: DispatcherMetrics::new(&metrics) }, metrics)
    }

    fn message(keys: &[&str]) -> Vec<u8> {
        let records: Vec<_> = keys
            .iter()
            .map(|key| {
                serde_json::json!({
                    "eventSource": "ceph:s3", "eventName": "ObjectCreated:Put",
                    "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}},
                })
            })
            .collect();
        serde_json::json!({ "Records": records }).to_string().into_bytes()
    }

    fn keys(judged: &Judged) -> Vec<&str> {
        judged.objects.iter().map(|(_, object)| object.uri.key()).collect()
    }

    #[test]
    fn wanted_objects_are_routed_and_the_rest_is_counted() {
        let (judge, metrics) = judge(OnUnmatched::Ignore);
        let judged =
            judge.judge(&message(&["in/a.csv", "out/b.csv", "in/_SUCCESS", "in/c.json", "in/readme"]));
        assert_eq!(keys(&judged), ["in/a.csv", "in/c.json"]);
        assert_eq!(judged.dead_letter, None);
        let page = metrics.page();
        assert!(page.contains("event_ingest_dispatcher_announcements_total 5"), "{page}");
        for reason in ["no-rule", "underscore-name", "unknown-format"] {
            let line = format!("event_ingest_dispatcher_ignored_total{{reason=\"{reason}\"}} 1");
            assert!(page.contains(&line), "{page}");
        }
    }

    #[test]
    fn unmatched_objects_can_be_set_aside_beside_wanted_ones() {
        let (judge, metrics) = judge(OnUnmatched::DeadLetter);
        let judged = judge.judge(&message(&["in/a.csv", "out/b.csv", "out/c.csv"]));
        assert_eq!(keys(&judged), ["in/a.csv"]);
        assert_eq!(judged.dead_letter.as_deref(), Some("no-rule: s3://b/out/b.csv"));
        assert!(metrics.page().contains("event_ingest_dispatcher_dead_letters_total{reason=\"no-rule\"} 1"));
    }

    #[test]
    fn poison_is_set_aside_with_its_reason() {
        let (judge, metrics) = judge(OnUnmatched::Ignore);
        for poison in ["", "{", "\u{0}"] {
            let judged = judge.judge(poison.as_bytes());
            assert!(judged.objects.is_empty());
            assert!(judged.dead_letter.is_some_and(|reason| reason.starts_with("not a notification")));
        }
        assert!(metrics.page().contains("event_ingest_dispatcher_dead_letters_total{reason=\"not-json\"} 3"));
    }
}
