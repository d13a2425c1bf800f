//! A row of the inbox, judged by the rules.

use chrono::Utc;
use ingest_core::batching::{Partition, Record};
use ingest_core::{RuleSet, Unmatched, Verdict, notification};

use crate::standalone::activity::Activity;
use crate::standalone::inbox::Row;

/// What the batching machine takes in for a row.
pub(super) fn record(partition: Partition, row: &Row, rules: &RuleSet, activity: &Activity) -> Record {
    let mut record = Record { partition, offset: row.id, objects: Vec::new(), dead_letter: None };
    let parsed = match notification::parse(row.body.as_bytes()) {
        Ok(parsed) => parsed,
        Err(error) => {
            record.dead_letter = Some(error.to_string());
            return record;
        }
    };
    for announcement in parsed.announcements {
        match rules.judge(&announcement) {
            Verdict::Route(route) => record.objects.push((route, announcement.into())),
            Verdict::Refused { reason, text } => {
                record.dead_letter = Some(format!("{reason}: {}: {text}", announcement.uri));
            }
            Verdict::Unmatched(reason) if rules.unmatched() == Some(Unmatched::DeadLetter) => {
                record.dead_letter = Some(format!("{reason}: {}", announcement.uri));
            }
            Verdict::Ignored(reason) | Verdict::Unmatched(reason) => {
                tracing::debug!(file = %announcement.uri, reason, "object ignored");
                activity.ignored(announcement.uri.to_string(), reason, Utc::now());
            }
        }
    }
    record
}
