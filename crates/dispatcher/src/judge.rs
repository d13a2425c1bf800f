//! What a record of the source topic announces, and what the rules say about it.

use std::sync::Arc;

use ingest_core::notification;
use ingest_core::{RequestedObject, Route, TraceParent, Unmatched, Verdict};
use service_kit::rules::LiveRules;

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
    pub rules: LiveRules,
    /// Where the rules do not say it.
    pub unmatched: Unmatched,
    pub metrics: DispatcherMetrics,
}

impl Judge {
    /// Judges a record, which belongs to a trace if it says so.
    pub fn judge(&self, payload: &[u8], trace: Option<TraceParent>) -> Judged {
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
        let rules = self.rules.current();
        let unmatched = rules.unmatched().unwrap_or(self.unmatched);
        for mut announcement in parsed.announcements {
            self.metrics.announcements.inc();
            announcement.hint.trace = trace;
            match rules.judge(&announcement) {
                Verdict::Route(route) => judged.objects.push((route, announcement.into())),
                Verdict::Unmatched(reason) if unmatched == Unmatched::DeadLetter => {
                    let text = format!("{reason}: {}", announcement.uri);
                    self.dead_letter(&mut judged, reason, text);
                }
                Verdict::Refused { reason, text } => {
                    let text = format!("{reason}: {}: {text}", announcement.uri);
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
    use ingest_core::{Rule, RuleSet, TableName, Target, rules};
    use service_kit::metrics::Metrics;

    use super::*;

    fn judge(unmatched: Unmatched) -> (Judge, Metrics) {
        let target = Target::new(TableName::parse("db.t").unwrap());
        judge_by(RuleSet::new([Rule { prefix: "in/".into(), ..Rule::all(target) }]), unmatched)
    }

    fn judge_by(rules: RuleSet, unmatched: Unmatched) -> (Judge, Metrics) {
        let metrics = Metrics::new();
        (Judge { rules: rules.into(), unmatched, metrics: DispatcherMetrics::new(&metrics) }, metrics)
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
        let (judge, metrics) = judge(Unmatched::Ignore);
        let judged =
            judge.judge(&message(&["in/a.csv", "out/b.csv", "in/_SUCCESS", "in/c.json", "in/readme"]), None);
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
        let (judge, metrics) = judge(Unmatched::DeadLetter);
        let judged = judge.judge(&message(&["in/a.csv", "out/b.csv", "out/c.csv"]), None);
        assert_eq!(keys(&judged), ["in/a.csv"]);
        assert_eq!(judged.dead_letter.as_deref(), Some("no-rule: s3://b/out/b.csv"));
        assert!(metrics.page().contains("event_ingest_dispatcher_dead_letters_total{reason=\"no-rule\"} 1"));
    }

    #[test]
    fn what_the_file_says_of_unmatched_objects_goes_over_the_flag() {
        let rules =
            rules::read("unmatched: dead-letter\nrules: [{match: {prefix: in/}, table: db.t}]").unwrap();
        let (judge, _) = judge_by(rules, Unmatched::Ignore);
        let judged = judge.judge(&message(&["out/b.csv"]), None);
        assert_eq!(judged.dead_letter.as_deref(), Some("no-rule: s3://b/out/b.csv"));
    }

    #[test]
    fn an_object_whose_key_names_no_table_is_set_aside_beside_the_others() {
        let text = "rules: [{match: {regex: 'in/(?<t>[^/]*)/.*'}, table: 'db.${t}'}]";
        let (judge, metrics) = judge_by(rules::read(text).unwrap(), Unmatched::Ignore);
        let judged = judge.judge(&message(&["in/a/x.csv", "in/a.b/x.csv"]), None);
        assert_eq!(keys(&judged), ["in/a/x.csv"]);
        let reason = judged.dead_letter.expect("one is set aside");
        assert!(reason.starts_with("bad-table-name: s3://b/in/a.b/x.csv: rule \"1\""), "{reason}");
        let counted = "event_ingest_dispatcher_dead_letters_total{reason=\"bad-table-name\"} 1";
        assert!(metrics.page().contains(counted));
    }

    #[test]
    fn poison_is_set_aside_with_its_reason() {
        let (judge, metrics) = judge(Unmatched::Ignore);
        for poison in ["", "{", "\u{0}"] {
            let judged = judge.judge(poison.as_bytes(), None);
            assert!(judged.objects.is_empty());
            assert!(judged.dead_letter.is_some_and(|reason| reason.starts_with("not a notification")));
        }
        assert!(metrics.page().contains("event_ingest_dispatcher_dead_letters_total{reason=\"not-json\"} 3"));
    }
}
