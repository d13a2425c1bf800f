//! The notifications: as AWS writes them, all of one length, each of an object of its own.

use std::borrow::Cow;

/// Bytes of each.
pub const BYTES: usize = 960;

/// Sizes of objects: fifty of them are a light batch.
const SIZES: std::ops::Range<u64> = 1_000_000..2_000_000;

const BUCKET: &str = "events-inbox";
const KEY_BEGIN: &str = "incoming/day=2026-01-02/part-";
const KEY_END: &str = ".snappy.parquet";

/// What all begin with, up to an id without meaning.
const BEGIN: &str = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-central-1","eventTime":"2026-01-02T03:04:01.123Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"AWS:AROAEXAMPLEPRINCIPAL:writer"},"requestParameters":{"sourceIPAddress":"192.0.2.1"},"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810","x-amz-id-2":""#;

/// The notification of object `number`.
pub fn notification(number: u64) -> String {
    // URL-encoded, as AWS has keys.
    let key = format!("{KEY_BEGIN}{number:09}{KEY_END}").replace('=', "%3D");
    let size = SIZES.start + number.wrapping_mul(7919) % (SIZES.end - SIZES.start);
    let etag = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let end = format!(
        r#""}},"s3":{{"s3SchemaVersion":"1.0","configurationId":"upload-notify","bucket":{{"name":"{BUCKET}","ownerIdentity":{{"principalId":"A3NL1KOZZKEXAMPLE"}},"arn":"arn:aws:s3:::{BUCKET}"}},"object":{{"key":"{key}","size":{size},"eTag":"{etag:016x}{number:016x}","sequencer":"00{number:016X}"}}}}}}]}}"#
    );
    // The id, as long as it takes.
    let id = BYTES - BEGIN.len() - end.len();
    format!("{BEGIN}{}{end}", "FMyUVURIY8IgAtTv8xRjskZQpcIZ9KG4".repeat(id.div_ceil(32)).split_at(id).0)
}

/// The number of the object that a request names.
pub fn number(file: Cow<'_, str>) -> anyhow::Result<u64> {
    let key = file.strip_prefix("s3://").and_then(|rest| rest.strip_prefix(BUCKET)?.strip_prefix('/'));
    let digits = key.and_then(|key| key.strip_prefix(KEY_BEGIN)?.strip_suffix(KEY_END));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| anyhow::anyhow!("{file} was never announced"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_are_json_of_one_length() {
        for number in [0, 1, 999_999_999] {
            let text = notification(number);
            assert_eq!(text.len(), BYTES);
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let size = value["Records"][0]["s3"]["object"]["size"].as_u64().expect("a number");
            assert!(SIZES.contains(&size));
        }
    }

    #[test]
    fn a_file_tells_its_number() {
        let file = "s3://events-inbox/incoming/day=2026-01-02/part-000000042.snappy.parquet";
        assert_eq!(number(file.into()).expect("one of ours"), 42);
        assert!(number("s3://events-inbox/incoming/other.parquet".into()).is_err());
    }
}
