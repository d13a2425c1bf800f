//! Key encodings of the producers.

use std::borrow::Cow;

use super::error::shortened;
use super::{NotificationError, Producer};

/// The key as it is in the bucket.
pub(super) fn decode(producer: Producer, key: &str) -> Result<Cow<'_, str>, NotificationError> {
    match producer {
        // These write keys as they are: a `%` or `+` in one is data.
        Producer::Ceph | Producer::EventBridge => Ok(Cow::Borrowed(key)),
        // MinIO escapes `/` too and AWS does not; decoding is the same.
        Producer::Minio | Producer::Aws => {
            form_decode(key).ok_or_else(|| NotificationError::Key(shortened(key)))
        }
    }
}

/// Undoes form encoding. Strict: a broken escape or bytes that are not UTF-8 would name another object.
fn form_decode(text: &str) -> Option<Cow<'_, str>> {
    let escaped = |byte: u8| byte == b'+' || byte == b'%';
    let Some(plain) = text.bytes().position(escaped) else {
        return Some(Cow::Borrowed(text));
    };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text.as_bytes()[..plain]);
    let mut bytes = text.bytes().skip(plain);
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_keys_are_data() {
        for producer in [Producer::Ceph, Producer::EventBridge] {
            assert_eq!(decode(producer, "a+b%2Fc%zz").unwrap(), "a+b%2Fc%zz");
        }
    }

    #[test]
    fn encoded_keys_are_decoded_once() {
        for producer in [Producer::Minio, Producer::Aws] {
            let decode = |key| decode(producer, key).unwrap();
            assert_eq!(decode("a+b%2Bc"), "a b+c");
            assert_eq!(decode("in%2fa/b"), "in/a/b");
            assert_eq!(decode("100%2525"), "100%25");
            assert_eq!(decode("%E6%97%A5"), "日");
            assert_eq!(decode("plain/日"), "plain/日");
        }
    }

    #[test]
    fn broken_escapes_are_refused() {
        for key in ["%", "a%2", "%zz", "%+1", "%FF"] {
            assert!(decode(Producer::Aws, key).is_err(), "{key}");
            assert!(decode(Producer::Minio, key).is_err(), "{key}");
        }
    }
}
