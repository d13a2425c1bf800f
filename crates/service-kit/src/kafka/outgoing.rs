//! A record to produce: [`Outgoing`].

use std::mem;

use bytes::Bytes;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};

use super::dead_letter::{BARE_HEADER, DEAD_LETTER_PREFIX, OMITTED_HEADER, dead_letter_headers};

/// A record to produce, kept whole, so that it can be sent again.
#[derive(Debug)]
pub struct Outgoing {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: OwnedHeaders,
    /// Its payload.
    pub payload: Option<Bytes>,
}

impl Outgoing {
    /// A record to set aside, with its key and headers, the reason and its origin.
    pub fn dead_letter(record: &OwnedMessage, reason: &str) -> Self {
        Self {
            key: record.key().map(<[u8]>::to_vec),
            headers: dead_letter_headers(record, reason),
            payload: record.payload().map(Bytes::copy_from_slice),
        }
    }

    /// Leaves out what a broker may find too large: the payload first, and then, of a dead letter, all that is not its
    /// reason and its origin. Says whether there was anything.
    pub fn shrink(&mut self) -> bool {
        if let Some(payload) = self.payload.take() {
            let bytes = payload.len().to_string();
            self.headers =
                mem::take(&mut self.headers).insert(Header { key: OMITTED_HEADER, value: Some(&bytes) });
            return true;
        }
        let ours = |name: &str| name.starts_with(DEAD_LETTER_PREFIX);
        let own = self.headers.iter().filter(|header| !ours(header.key)).count();
        if self.key.take().is_none() && own == 0 {
            return false;
        }
        let kept = self.headers.iter().filter(|header| ours(header.key));
        let kept = kept.fold(OwnedHeaders::new(), |headers, header| headers.insert(header));
        self.headers = kept.insert(Header { key: BARE_HEADER, value: Some("true") });
        true
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::super::{OFFSET_HEADER, PARTITION_HEADER, REASON_HEADER, TOPIC_HEADER};
    use super::*;

    fn headers(outgoing: &Outgoing) -> Vec<(&str, &str)> {
        let valued = outgoing.headers.iter().map(|header| (header.key, header.value.expect("valued")));
        valued.map(|(key, value)| (key, std::str::from_utf8(value).expect("UTF-8"))).collect()
    }

    #[test]
    fn a_dead_letter_is_the_record_as_it_was_and_its_origin_outlasts_the_rest() {
        let own = OwnedHeaders::new().insert(Header { key: "x", value: Some("1") });
        let (payload, key) = (Some(b"\xff\x00".to_vec()), Some(b"k".to_vec()));
        let record =
            OwnedMessage::new(payload, key, "s3-events".into(), Timestamp::NotAvailable, 2, 41, Some(own));
        let mut letter = Outgoing::dead_letter(&record, "no-rule");
        assert_eq!(letter.key.as_deref(), Some(&b"k"[..]));
        assert_eq!(letter.payload.as_deref(), Some(&b"\xff\x00"[..]));
        let origin = [
            (REASON_HEADER, "no-rule"),
            (TOPIC_HEADER, "s3-events"),
            (PARTITION_HEADER, "2"),
            (OFFSET_HEADER, "41"),
        ];
        assert_eq!(headers(&letter), [&[("x", "1")], &origin[..]].concat());

        assert!(letter.shrink());
        assert_eq!((letter.payload.is_none(), letter.key.as_deref()), (true, Some(&b"k"[..])));
        assert_eq!(headers(&letter), [&[("x", "1")], &origin[..], &[(OMITTED_HEADER, "2")]].concat());

        assert!(letter.shrink());
        assert_eq!(letter.key, None);
        let last = [&origin[..], &[(OMITTED_HEADER, "2"), (BARE_HEADER, "true")]].concat();
        assert_eq!(headers(&letter), last);

        assert!(!letter.shrink());
        assert_eq!(headers(&letter), last);
    }
}
