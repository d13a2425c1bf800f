//! Notifications as the producers really send them: every field, each producer's own key encoding.
//!
//! Written from the producers' documentation and sources, not from our parser, and with an encoder of its own.

use serde_json::{Value, json};

/// When everything here happened.
pub const EVENT_TIME: &str = "2026-01-02T03:04:05.678Z";

/// An object that was put or removed.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// The key, verbatim.
    pub key: &'a str,
    /// Length in bytes.
    pub size: u64,
    /// The ETag, without quotes.
    pub etag: &'a str,
    /// The version, in a versioned bucket.
    pub version_id: Option<&'a str>,
}

/// Who sends the notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Producer {
    /// Ceph's RADOS gateway.
    Ceph,
    /// MinIO.
    Minio,
    /// Amazon S3.
    Aws,
}

impl Producer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ceph, Self::Minio, Self::Aws];

    /// The message for an object that was put.
    pub fn created(self, object: &Object<'_>) -> Vec<u8> {
        self.message("ObjectCreated:Put", object)
    }

    /// The message for an object that was removed.
    pub fn removed(self, object: &Object<'_>) -> Vec<u8> {
        self.message("ObjectRemoved:Delete", object)
    }

    /// The key of the Kafka record: MinIO sets bucket and key, Ceph sets none, AWS does not speak Kafka.
    pub fn record_key(self, object: &Object<'_>) -> Option<String> {
        (self == Self::Minio).then(|| format!("{}/{}", object.bucket, object.key))
    }

    /// The message for an event by its name without `s3:`.
    pub fn message(self, event: &str, object: &Object<'_>) -> Vec<u8> {
        let message = match self {
            Self::Ceph => json!({"Records": [ceph(event, object)]}),
            Self::Minio => json!({
                "EventName": format!("s3:{event}"),
                "Key": format!("{}/{}", object.bucket, object.key),
                "Records": [minio(event, object)],
            }),
            Self::Aws => json!({"Records": [aws(event, object)]}),
        };
        message.to_string().into_bytes()
    }
}

/// One message of AWS with a record for each object.
pub fn aws_batch(objects: &[Object<'_>]) -> Vec<u8> {
    let records: Vec<Value> = objects.iter().map(|object| aws("ObjectCreated:Put", object)).collect();
    json!({"Records": records}).to_string().into_bytes()
}

/// What AWS sends when a notification is configured.
pub fn aws_test_event(bucket: &str) -> Vec<u8> {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": EVENT_TIME,
        "Bucket": bucket,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
    })
    .to_string()
    .into_bytes()
}

/// The key is raw, the version is empty when there is none, metadata and tags are lists of pairs.
fn ceph(event: &str, object: &Object<'_>) -> Value {
    json!({
        "eventVersion": "2.2",
        "eventSource": "ceph:s3",
        "awsRegion": "default",
        "eventTime": EVENT_TIME,
        "eventName": event,
        "userIdentity": {"principalId": "ingest"},
        "requestParameters": {"sourceIPAddress": ""},
        "responseElements": {
            "x-amz-request-id": "503a4c37-85eb-47cd-8681-2817e80b4281.5330.903595",
            "x-amz-id-2": "14d2-default-default",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "ingest",
            "bucket": {
                "name": object.bucket,
                "ownerIdentity": {"principalId": "ingest"},
                "arn": format!("arn:aws:s3:default::{}", object.bucket),
                "id": "503a4c37-85eb-47cd-8681-2817e80b4281.4332.38",
            },
            "object": {
                "key": object.key,
                "size": object.size,
                "eTag": object.etag,
                "versionId": object.version_id.unwrap_or_default(),
                "sequencer": "A5C7576900C46928",
                "metadata": [{"key": "x-amz-meta-origin", "val": "test"}],
                "tags": [],
            },
        },
        "eventId": "1767323045.678000.a5c75769",
        "opaqueData": "",
    })
}

/// The key is query-escaped, slashes too; the event's name begins with `s3:`.
fn minio(event: &str, object: &Object<'_>) -> Value {
    let mut record = json!({
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": EVENT_TIME,
        "eventName": format!("s3:{event}"),
        "userIdentity": {"principalId": "minioadmin"},
        "requestParameters": {"principalId": "minioadmin", "region": "", "sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-id-2": "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8",
            "x-amz-request-id": "1886D7C8A1B7F9C2",
            "x-minio-deployment-id": "4b1ab6b3-5ae1-4f15-9d0d-70b2e0d0a9c7",
            "x-minio-origin-endpoint": "http://127.0.0.1:9000",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": object.bucket,
                "ownerIdentity": {"principalId": "minioadmin"},
                "arn": format!("arn:aws:s3:::{}", object.bucket),
            },
            "object": {"key": escape(object.key, b"-_.~"), "sequencer": "1886D7C8A1C0B1A4"},
        },
        "source": {"host": "127.0.0.1", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7.0.90"},
    });
    let fields = &mut record["s3"]["object"];
    if let Some(version) = object.version_id {
        fields["versionId"] = version.into();
    }
    if event.starts_with("ObjectCreated") {
        fields["size"] = object.size.into();
        fields["eTag"] = object.etag.into();
        fields["contentType"] = "application/octet-stream".into();
        fields["userMetadata"] = json!({"content-type": "application/octet-stream"});
    }
    record
}

/// The key is URL-encoded, but for its slashes.
fn aws(event: &str, object: &Object<'_>) -> Value {
    let mut record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": EVENT_TIME,
        "eventName": event,
        "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": "C3D13FE58DE4C810",
            "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "ingest",
            "bucket": {
                "name": object.bucket,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": format!("arn:aws:s3:::{}", object.bucket),
            },
            "object": {"key": escape(object.key, b"-_.*/"), "sequencer": "0055AED6DCD90281E5"},
        },
    });
    let fields = &mut record["s3"]["object"];
    if let Some(version) = object.version_id {
        fields["versionId"] = version.into();
    }
    if event.starts_with("ObjectCreated") {
        fields["size"] = object.size.into();
        fields["eTag"] = object.etag.into();
    }
    record
}

/// Percent-encodes all but ASCII letters, digits and `kept`; a space becomes `+`.
fn escape(key: &str, kept: &[u8]) -> String {
    let mut escaped = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            _ if byte.is_ascii_alphanumeric() || kept.contains(&byte) => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(producer: Producer, key: &str) -> String {
        let object = Object { bucket: "inbox", key, size: 1, etag: "e", version_id: None };
        let message: Value = serde_json::from_slice(&producer.created(&object)).unwrap();
        message["Records"][0]["s3"]["object"]["key"].as_str().unwrap().to_owned()
    }

    #[test]
    fn each_producer_has_its_own_key_encoding() {
        let key = "a b/c+d%2Fé~.parquet";
        assert_eq!(key_of(Producer::Ceph, key), key);
        assert_eq!(key_of(Producer::Minio, key), "a+b%2Fc%2Bd%252F%C3%A9~.parquet");
        assert_eq!(key_of(Producer::Aws, key), "a+b/c%2Bd%252F%C3%A9%7E.parquet");
    }

    #[test]
    fn a_removal_of_minio_has_no_size() {
        let object = Object { bucket: "inbox", key: "k", size: 1, etag: "e", version_id: None };
        let message: Value = serde_json::from_slice(&Producer::Minio.removed(&object)).unwrap();
        assert_eq!(message["EventName"], "s3:ObjectRemoved:Delete");
        assert!(message["Records"][0]["s3"]["object"].get("size").is_none());
    }
}
