//! Dead letters: the record as it was, with headers that say why and whence.

use chrono::{DateTime, SecondsFormat};
use rdkafka::message::{Header, Message, OwnedHeaders, OwnedMessage};

/// What the names of all these headers begin with.
pub const DEAD_LETTER_PREFIX: &str = "dead-letter-";
/// Why the record is here.
pub const REASON_HEADER: &str = "dead-letter-reason";
/// The topic that it was read from.
pub const TOPIC_HEADER: &str = "dead-letter-topic";
/// The partition that it was read from.
pub const PARTITION_HEADER: &str = "dead-letter-partition";
/// Its offset there.
pub const OFFSET_HEADER: &str = "dead-letter-offset";
/// When it was written there, as in 2026-01-02T03:04:05.678Z; absent if the record had no time.
pub const TIME_HEADER: &str = "dead-letter-time";
/// How often the record was put back from the dead letters; the record goes on having it, so that a loop can be seen.
pub const REDRIVEN_HEADER: &str = "dlq-redriven";
/// Set to the number of bytes left out, if the payload would not fit beside these headers.
pub const OMITTED_HEADER: &str = "dead-letter-omitted-bytes";
/// Set if the record's own key and headers would not fit either, and are left out.
pub const BARE_HEADER: &str = "dead-letter-bare";

/// A reason longer than this is cut, so that a record stays within the size that brokers allow.
const MAX_REASON_BYTES: usize = 1024;

/// The headers of the dead letter of `record`: its own, then reason and origin.
pub fn dead_letter_headers(record: &OwnedMessage, reason: &str) -> OwnedHeaders {
    let own = record.headers().cloned().unwrap_or_default();
    let headers = own
        .insert(Header { key: REASON_HEADER, value: Some(cut(reason)) })
        .insert(Header { key: TOPIC_HEADER, value: Some(record.topic()) })
        .insert(Header { key: PARTITION_HEADER, value: Some(&record.partition().to_string()) })
        .insert(Header { key: OFFSET_HEADER, value: Some(&record.offset().to_string()) });
    let time = record.timestamp().to_millis().and_then(DateTime::from_timestamp_millis);
    match time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)) {
        Some(time) => headers.insert(Header { key: TIME_HEADER, value: Some(&time) }),
        None => headers,
    }
}

fn cut(reason: &str) -> &str {
    reason.split_at(reason.floor_char_boundary(MAX_REASON_BYTES)).0
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::Headers;

    use super::*;

    #[test]
    fn reason_and_origin_follow_the_record_s_own_headers() {
        let own = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("1") });
        let record = OwnedMessage::new(
            Some(b"{".to_vec()),
            None,
            "light-ingest".into(),
            Timestamp::CreateTime(1_767_323_045_678),
            2,
            41,
            Some(own),
        );
        let headers = dead_letter_headers(&record, &"ä".repeat(1000));
        let text = |at: usize| {
            let header = headers.get_as::<str>(at).expect("text");
            (header.key.to_owned(), header.value.expect("valued").to_owned())
        };
        assert_eq!(text(0), ("ce_id".into(), "1".into()));
        assert_eq!(text(1), (REASON_HEADER.into(), "ä".repeat(512)));
        assert_eq!(text(2), (TOPIC_HEADER.into(), "light-ingest".into()));
        assert_eq!((text(3).1, text(4).1), ("2".into(), "41".into()));
        assert_eq!(text(5), (TIME_HEADER.into(), "2026-01-02T03:04:05.678Z".into()));
    }
}
