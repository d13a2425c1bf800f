//! Names of objects, and the only place that takes one apart.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};

const SCHEME: &str = "s3://";

/// Longest object key in bytes, by the S3 protocol.
pub const MAX_KEY_BYTES: usize = 1024;

/// Name of an object: `s3://` + bucket + `/` + key, the key verbatim.
///
/// Nothing is percent-encoded or decoded: spaces, `+`, `%`, `#` and `?` are data. Keys that no client can address are
/// representable, so that they can be set aside with a reason instead of being read as another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ObjectUri {
    /// As it is written: one allocation, of which the parts are slices.
    text: String,
    /// Where the key begins.
    key_at: usize,
}

/// A text that names no object. A retry never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Another scheme, or none.
    #[error("{0:?} is no object name: expected s3://<bucket>/<key>")]
    Scheme(String),
    /// A bucket, but no slash and key behind it.
    #[error("{0:?} names a bucket and no object: expected s3://<bucket>/<key>")]
    NoKey(String),
    /// An empty bucket name, or one with a slash.
    #[error("{0:?} is no bucket name: it is empty or holds a slash")]
    Bucket(String),
}

impl ObjectUri {
    /// Names the object `key`, verbatim, in `bucket`.
    pub fn new(bucket: &str, key: &str) -> Result<Self, UriError> {
        if bucket.is_empty() || bucket.contains('/') {
            return Err(UriError::Bucket(bucket.to_owned()));
        }
        let key_at = SCHEME.len() + bucket.len() + 1;
        let mut text = String::with_capacity(key_at + key.len());
        text.extend([SCHEME, bucket, "/", key]);
        Ok(Self { text, key_at })
    }

    /// Splits `s3://bucket/key` at the first slash behind the bucket.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        Self::try_from(text.to_owned())
    }

    /// The name as it is written: `s3://<bucket>/<key>`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The bucket, never empty and without a slash.
    pub fn bucket(&self) -> &str {
        &self.text[SCHEME.len()..self.key_at - 1]
    }

    /// The key as it is in the bucket.
    pub fn key(&self) -> &str {
        &self.text[self.key_at..]
    }

    /// The part of the key behind its last slash.
    pub fn file_name(&self) -> &str {
        self.key().rsplit_once('/').map_or(self.key(), |(_, name)| name)
    }

    /// Why an S3 client cannot ask for this key as it is; `None` if it can.
    ///
    /// Clients strip, encode or refuse such keys, so reading one could mean to read another object.
    pub fn unaddressable(&self) -> Option<&'static str> {
        let key = self.key();
        if key.is_empty() {
            return Some("key is empty");
        }
        if key.starts_with('/') {
            return Some("key begins with a slash");
        }
        if key.len() > MAX_KEY_BYTES {
            return Some("key is longer than 1024 bytes");
        }
        if key.contains(|c: char| c.is_ascii_control()) {
            return Some("key has a control character");
        }
        key.split('/').find_map(|segment| match segment {
            "" => Some("key has an empty segment"),
            "." => Some("key has a segment \".\""),
            ".." => Some("key has a segment \"..\""),
            _ => None,
        })
    }
}

/// By bucket, then by key.
impl Ord for ObjectUri {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.bucket(), self.key()).cmp(&(other.bucket(), other.key()))
    }
}

impl PartialOrd for ObjectUri {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ObjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ObjectUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl Serialize for ObjectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl From<ObjectUri> for String {
    fn from(uri: ObjectUri) -> Self {
        uri.text
    }
}

impl TryFrom<String> for ObjectUri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        let Some(rest) = text.strip_prefix(SCHEME) else { return Err(UriError::Scheme(text)) };
        match rest.find('/') {
            None => Err(UriError::NoKey(text)),
            Some(0) => Err(UriError::Bucket(String::new())),
            Some(slash) => Ok(Self { key_at: SCHEME.len() + slash + 1, text }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_verbatim() {
        for key in ["a b+c%2Fd#e?f=g&h", "incoming/ümläut/日本.parquet", "//x", "", "a/", "s3://in/side"]
        {
            let uri = ObjectUri::new("b", key).unwrap();
            assert_eq!(uri.to_string(), format!("s3://b/{key}"));
            assert_eq!(ObjectUri::parse(uri.as_str()).unwrap(), uri);
            assert_eq!((uri.bucket(), uri.key()), ("b", key));
        }
    }

    #[test]
    fn what_names_no_object_is_refused() {
        for text in ["", "b/k", "s3:/b/k", "S3://b/k", "http://b/k"] {
            assert!(matches!(ObjectUri::parse(text), Err(UriError::Scheme(_))), "{text}");
        }
        assert!(matches!(ObjectUri::parse("s3://b"), Err(UriError::NoKey(_))));
        assert!(matches!(ObjectUri::parse("s3:///k"), Err(UriError::Bucket(_))));
        assert!(matches!(ObjectUri::new("a/b", "k"), Err(UriError::Bucket(_))));
    }

    #[test]
    fn names_are_sorted_by_bucket_and_then_by_key() {
        // As texts they would stand the other way round: a hyphen comes before a slash.
        let uri = |text: &str| ObjectUri::parse(text).unwrap();
        assert!(uri("s3://b/x") < uri("s3://b-2/a"));
        assert!(uri("s3://b/a") < uri("s3://b/b"));
    }

    #[test]
    fn unaddressable_keys_say_why() {
        let reason = |key: &str| ObjectUri::new("b", key).unwrap().unaddressable();
        assert_eq!(reason(""), Some("key is empty"));
        assert_eq!(reason("/a"), Some("key begins with a slash"));
        assert_eq!(reason("a//b"), Some("key has an empty segment"));
        assert_eq!(reason("a/"), Some("key has an empty segment"));
        assert_eq!(reason("./a"), Some("key has a segment \".\""));
        assert_eq!(reason("a/../b"), Some("key has a segment \"..\""));
        assert_eq!(reason("a\nb"), Some("key has a control character"));
        assert_eq!(reason(&"k".repeat(1025)), Some("key is longer than 1024 bytes"));
        for key in ["a", "a/b", "a/.b", "a/b.", "...", "a b", "%2F", "+", "#?", "日本"] {
            assert_eq!(reason(key), None, "{key}");
        }
    }
}
