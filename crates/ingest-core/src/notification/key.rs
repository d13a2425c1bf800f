//! Key encodings of the producers.

use super::{NotificationError, Producer};

/// The key as it is in the bucket.
pub(super) fn decode(producer: Producer, key: &str) -> Result<String, NotificationError> {
    match producer {
        // RGW writes keys as they are: a `%` or `+` in it is data.
        Producer::Ceph => Ok(key.to_owned()),
        // MinIO escapes `/` too and AWS does not; decoding is the same.
        Producer::Minio | Producer::Aws => {
            form_decode(key).ok_or_else(|| NotificationError::Key(key.to_owned()))
        }
    }
}

/// Undoes form encoding. Strict: a broken escape or bytes that are not UTF-8 would name another object.
fn form_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceph_keys_are_data() {
        assert_eq!(decode(Producer::Ceph, "a+b%2Fc%zz").unwrap(), "a+b%2Fc%zz");
    }

    #[test]
    fn encoded_keys_are_decoded_once() {
        for producer in [Producer::Minio, Producer::Aws] {
            let decode = |key| decode(producer, key).unwrap();
            assert_eq!(decode("a+b%2Bc"), "a b+c");
            assert_eq!(decode("in%2fa/b"), "in/a/b");
            assert_eq!(decode("100%2525"), "100%25");
            assert_eq!(decode("%E6%97%A5"), "日");
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
