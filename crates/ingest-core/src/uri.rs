//! Names of objects, and the only place that takes one apart.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

const SCHEME: &str = "s3://";

/// Longest object key in bytes, by the S3 protocol.
pub const MAX_KEY_BYTES: usize = 1024;

/// Name of an object: `s3://` + bucket + `/` + key, the key verbatim.
///
/// Nothing is percent-encoded or decoded: spaces, `+`, `%`, `#` and `?` are data. Keys that no client can address are
/// representable, so that they can be set aside with a reason instead of being read as another key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectUri {
    bucket: String,
    key: String,
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
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Splits `s3://bucket/key` at the first slash behind the bucket.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| UriError::Scheme(text.to_owned()))?;
        let (bucket, key) = rest.split_once('/').ok_or_else(|| UriError::NoKey(text.to_owned()))?;
        Self::new(bucket, key)
    }

    /// The bucket, never empty and without a slash.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key as it is in the bucket.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part of the key behind its last slash.
    pub fn file_name(&self) -> &str {
        self.key.rsplit_once('/').map_or(self.key.as_str(), |(_, name)| name)
    }

    /// Why an S3 client cannot ask for this key as it is; `None` if it can.
    ///
    /// Clients strip, encode or refuse such keys, so reading one could mean to read another object.
    pub fn unaddressable(&self) -> Option<&'static str> {
        if self.key.is_empty() {
            return Some("key is empty");
        }
        if self.key.starts_with('/') {
            return Some("key begins with a slash");
        }
        if self.key.len() > MAX_KEY_BYTES {
            return Some("key is longer than 1024 bytes");
        }
        if self.key.contains(|c: char| c.is_ascii_control()) {
            return Some("key has a control character");
        }
        self.key.split('/').find_map(|segment| match segment {
            "" => Some("key has an empty segment"),
            "." => Some("key has a segment \".\""),
            ".." => Some("key has a segment \"..\""),
            _ => None,
        })
    }
}

impl fmt::Display for ObjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

impl FromStr for ObjectUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl From<ObjectUri> for String {
    fn from(uri: ObjectUri) -> Self {
        uri.to_string()
    }
}

impl TryFrom<String> for ObjectUri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        Self::parse(&text)
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
            assert_eq!(ObjectUri::parse(&uri.to_string()).unwrap(), uri);
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
