//! What is written down of an object that was set aside, and how it is told to others.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ingest_core::identity::{normalise_etag, normalise_version_id};
use ingest_core::{FileFormat, ObjectHint, ObjectIdentity, ObjectUri, RequestedObject, UriError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Hex digits of [`Notice::id`].
const ID_DIGITS: usize = 40;

/// One object that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The object's URI.
    pub file: String,
    /// Which version of it, if it could be found out. Without it the record speaks of what the request said.
    pub identity: Option<ObjectIdentity>,
    /// What the request said of it.
    pub announced: Announced,
    /// Why.
    pub reason: String,
    /// The table that it was meant for.
    pub table: String,
    /// The format that the request gave.
    pub format: FileFormat,
    /// The options of the request.
    pub options: BTreeMap<String, String>,
    /// The request that brought it.
    pub request_id: String,
    /// When it was set aside.
    pub time: DateTime<Utc>,
}

/// What a request said of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Size in bytes.
    pub size: Option<u64>,
    /// ETag, as written.
    pub etag: Option<String>,
    /// Version id.
    pub version_id: Option<String>,
    /// When the object was created.
    pub event_time: Option<DateTime<Utc>>,
}

impl Announced {
    /// The hint of a requested object.
    pub fn of(object: &RequestedObject) -> Self {
        let hint = object.hint.clone();
        Self { size: hint.size, etag: hint.etag, version_id: hint.version_id, event_time: hint.event_time }
    }
}

impl Record {
    /// The object as it was requested, to be requested again.
    ///
    /// # Errors
    /// `file` names no object: the record was not written by this system.
    pub fn requested(&self) -> Result<RequestedObject, UriError> {
        let said = self.announced.clone();
        let hint = ObjectHint {
            event_time: said.event_time,
            size: said.size,
            etag: said.etag,
            version_id: said.version_id,
        };
        Ok(RequestedObject { uri: ObjectUri::parse(&self.file)?, hint })
    }

    /// The name of its file. A record without an identity is named by what the request said, so it can never
    /// stand for an object that is found later.
    pub(super) fn name(&self) -> String {
        match &self.identity {
            Some(identity) => identity_name(identity),
            None => announced_name(&self.file, &self.announced),
        }
    }
}

/// The name of the file of a record with this identity.
pub(super) fn identity_name(identity: &ObjectIdentity) -> String {
    digest(&("identity", identity))
}

/// The name of the file of a record without an identity: however what was said is spelled.
pub(super) fn announced_name(file: &str, said: &Announced) -> String {
    let version_id = normalise_version_id(said.version_id.as_deref());
    let etag = said.etag.as_deref().map(normalise_etag).filter(|etag| !etag.is_empty());
    digest(&("announced", file, version_id, etag))
}

fn digest(what: &impl Serialize) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(what).expect("strings always have a JSON form")))
}

/// A record as it is told to others: the data of the CloudEvent `dev.eventingest.quarantined.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The table, whatever its name; none if it was never made.
    pub table_uuid: Option<Uuid>,
    /// The record.
    #[serde(flatten)]
    pub record: Record,
}

impl Notice {
    /// Names what happened, not when: the same object version set aside again for the same reason has the same
    /// id, so that a repeat can be recognised.
    pub fn id(&self) -> String {
        let record = &self.record;
        let mut id = digest(&(self.table_uuid, &record.table, record.name(), &record.reason));
        id.truncate(ID_DIGITS);
        id
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ingest_core::ObjectVersion;

    use super::*;

    pub(in crate::quarantine) fn record(key: &str) -> Record {
        Record {
            file: format!("s3://inbox/{key}"),
            identity: Some(ObjectIdentity {
                store: "s3".into(),
                bucket: "inbox".into(),
                key: key.into(),
                version: ObjectVersion::ETag("abc".into()),
            }),
            announced: Announced { size: Some(3), etag: None, version_id: None, event_time: None },
            reason: "no rows".into(),
            table: "db.events".into(),
            format: FileFormat::Parquet,
            options: BTreeMap::new(),
            request_id: "r".into(),
            time: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_repeat_is_told_under_the_same_id_and_a_new_reason_under_another() {
        let notice = Notice { table_uuid: Some(Uuid::nil()), record: record("a") };
        let mut later = notice.clone();
        later.record.time = Utc::now();
        later.record.request_id = "another".into();
        assert_eq!((notice.id(), notice.id().len()), (later.id(), ID_DIGITS));
        later.record.reason = "another".into();
        assert_ne!(notice.id(), later.id());
        assert_ne!(notice.id(), Notice { table_uuid: None, ..notice.clone() }.id());
    }

    #[test]
    fn what_the_request_said_never_names_the_record_of_a_version() {
        let found = record("a");
        let mut missing = Record { identity: None, ..record("a") };
        missing.announced.etag = Some("abc".into());
        assert_ne!(found.name(), missing.name());
        let mut other = missing.clone();
        other.announced.version_id = Some("v".into());
        assert_ne!(missing.name(), other.name());
    }

    #[test]
    fn what_the_request_said_is_known_again_however_it_is_spelled() {
        let name = |version_id: Option<&str>, etag: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let said =
                Announced { size: None, etag: text(etag), version_id: text(version_id), event_time: None };
            announced_name("s3://inbox//a", &said)
        };
        for etag in ["\"AB-2\"", "W/\"ab-2\"", "ab-2"] {
            assert_eq!(name(None, Some(etag)), name(Some("null"), Some("Ab-2")), "{etag}");
        }
        assert_eq!(name(None, None), name(Some(""), Some("\"\"")));
        assert_ne!(name(None, None), name(None, Some("ab-2")));
        assert_ne!(name(Some("v"), None), name(Some("V"), None));
    }

    #[test]
    fn a_record_is_requested_again_as_it_was_announced() {
        let mut record = record("ü +%2F");
        record.announced.version_id = Some("v".into());
        let object = record.requested().unwrap();
        assert_eq!((object.uri.key(), object.hint.version_id.as_deref()), ("ü +%2F", Some("v")));
        assert_eq!(Announced::of(&object), record.announced);
    }
}
