//! Which version of which object: the name under which the ledger knows a file.

use serde::{Deserialize, Serialize};

use crate::ObjectUri;

/// What tells two contents of one key apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectVersion {
    /// The version id, in a bucket with versioning.
    VersionId(String),
    /// The normalised ETag otherwise: the same bytes under the same key are then the same file.
    #[serde(rename = "etag")]
    ETag(String),
}

/// Identity of an object: the store's configured name, bucket, key and version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectIdentity {
    /// The configured name of the object store.
    pub store: String,
    /// The bucket.
    pub bucket: String,
    /// The key, verbatim.
    pub key: String,
    /// Which of the key's contents.
    pub version: ObjectVersion,
}

impl ObjectIdentity {
    /// The identity that an answer to GET or HEAD gives; `None` if it carries neither version id nor ETag.
    pub fn of(store: &str, uri: &ObjectUri, version_id: Option<&str>, etag: Option<&str>) -> Option<Self> {
        let version = match (normalise_version_id(version_id), etag.map(normalise_etag)) {
            (Some(id), _) => ObjectVersion::VersionId(id.to_owned()),
            (None, Some(etag)) if !etag.is_empty() => ObjectVersion::ETag(etag),
            _ => return None,
        };
        Some(Self {
            store: store.to_owned(),
            bucket: uri.bucket().to_owned(),
            key: uri.key().to_owned(),
            version,
        })
    }
}

/// The ETag without `W/` and quotes, in lower case.
pub fn normalise_etag(etag: &str) -> String {
    let etag = etag.trim();
    let etag = etag.strip_prefix("W/").or_else(|| etag.strip_prefix("w/")).unwrap_or(etag);
    etag.trim_matches('"').to_ascii_lowercase()
}

/// The version id, if there is one: stores say `""` or `null` for an object without.
pub fn normalise_version_id(version_id: Option<&str>) -> Option<&str> {
    version_id.filter(|id| !id.is_empty() && *id != "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version_id: Option<&str>, etag: Option<&str>) -> Option<ObjectVersion> {
        let uri = ObjectUri::new("b", "k").unwrap();
        ObjectIdentity::of("s3", &uri, version_id, etag).map(|identity| identity.version)
    }

    #[test]
    fn a_version_id_outranks_the_etag() {
        let id = Some(ObjectVersion::VersionId("Ab".into()));
        assert_eq!(version(Some("Ab"), Some("\"e\"")), id);
        assert_eq!(version(Some("Ab"), None), id);
    }

    #[test]
    fn null_and_empty_version_ids_are_none() {
        let etag = Some(ObjectVersion::ETag("e".into()));
        for id in [None, Some(""), Some("null")] {
            assert_eq!(version(id, Some("e")), etag);
            assert_eq!(version(id, None), None);
            assert_eq!(version(id, Some("\"\"")), None);
        }
    }

    #[test]
    fn etags_are_normalised() {
        for etag in ["AB-2", "\"ab-2\"", "W/\"Ab-2\"", " \"ab-2\" "] {
            assert_eq!(normalise_etag(etag), "ab-2", "{etag}");
        }
    }
}
