//! Traces of what takes longer than any one call: an attempt, and a request as a whole. They are told when they are over,
//! by whichever launcher sees that; of what two launchers see at once, both tell.

use chrono::{DateTime, Utc};
use ingest_core::TraceParent;
use service_kit::traces::{Kind, Passage};

use crate::record::Record;
use crate::record::closed::Closed;
use crate::record::documents::Ended;

/// The trace that a record's request belongs to.
fn cause(record: &Record) -> Option<TraceParent> {
    record.traceparent.as_deref()?.parse().ok()
}

/// An attempt has ended, which was begun then.
pub(crate) fn attempt(record: &Record, number: u32, begun: Option<DateTime<Utc>>, ended: &Ended) {
    let since = begun.unwrap_or(ended.time);
    let Some(mut passage) = Passage::begin("attempt", Kind::Internal, since.into(), cause(record)) else {
        return;
    };
    passage.say("event_ingest.record_id", record.id.clone());
    passage.say("event_ingest.attempt", i64::from(number));
    passage.say("event_ingest.outcome", ended.how.as_str());
    if ended.left_undone() {
        passage.failed(ended.reason.clone().unwrap_or_else(|| ended.how.as_str().to_owned()));
    }
    passage.end();
}

/// A request is over.
pub(crate) fn closed(record: &Record, story: &Closed) {
    let Some(mut passage) =
        Passage::begin("heavy request", Kind::Internal, story.received.into(), cause(record))
    else {
        return;
    };
    passage.say("event_ingest.record_id", record.id.clone());
    passage.say("event_ingest.table", story.table.to_string());
    passage.say("event_ingest.attempts", i64::try_from(story.attempts.len()).unwrap_or(i64::MAX));
    passage.say("event_ingest.outcome", story.how.as_str());
    passage.end();
}
