//! Traces: from the records that announce objects to the requests that name them.

use std::time::{Duration, SystemTime};

use ingest_core::TraceParent;
use ingest_core::batching::Batch;
use rdkafka::message::{BorrowedMessage, Message};
use service_kit::kafka::header_list;
use service_kit::traces::{self, Kind, Passage};

/// The header of a traced producer, and the same as an attribute of a CloudEvent.
const HEADERS: [&str; 2] = ["traceparent", "ce_traceparent"];

/// The trace that a record belongs to. Headers are not even looked at while no traces are made.
pub(crate) fn record(message: &BorrowedMessage<'_>) -> Option<TraceParent> {
    if !traces::on() {
        return None;
    }
    let headers = header_list(message.headers()?).ok()?;
    let mut told = headers.into_iter().filter(|(name, _)| HEADERS.contains(&name.as_str()));
    told.find_map(|(_, value)| String::from_utf8(value?).ok()?.parse().ok())
}

/// The span of a batch that goes out, which has been open for so long; none while no traces are made.
pub(crate) fn batch(batch: &Batch, open: Duration) -> Option<Passage> {
    let request = &batch.request;
    let causes = request.objects.iter().filter_map(|object| object.hint.trace);
    let since = SystemTime::now() - open;
    let mut passage = Passage::begin("dispatch", Kind::Producer, since, causes)?;
    passage.say("event_ingest.table", request.table.to_string());
    passage.say("event_ingest.request_id", request.request_id.clone());
    passage.say("event_ingest.lane", batch.lane.as_str());
    passage.say("event_ingest.files", i64::try_from(request.file_count()).unwrap_or(i64::MAX));
    Some(passage)
}
