//! Put, get, head, copy and delete.

use std::collections::BTreeMap;

use s3s::dto::*;
use s3s::{S3Result, TrailingHeaders, s3_error};

use super::body::{Claims, receive, send};
use super::conditions::{Conditions, etag, precondition, timestamp};
use super::{Endpoint, require_null_version};
use crate::standalone::store::{Attributes, Object};

/// Keys of one `DeleteObjects`, as in S3.
const MAX_DELETE_KEYS: usize = 1000;

/// The encoding of the transfer, which is not part of the object.
const AWS_CHUNKED: &str = "aws-chunked";

/// Claims and attributes have the same names in every input that carries them.
macro_rules! claims {
    ($input:ident, $trailers:expr) => {
        $crate::standalone::s3::body::Claims {
            length: $input.content_length,
            md5: $input.content_md5,
            checksum: Checksum {
                checksum_crc32: $input.checksum_crc32,
                checksum_crc32c: $input.checksum_crc32c,
                checksum_crc64nvme: $input.checksum_crc64nvme,
                checksum_sha1: $input.checksum_sha1,
                checksum_sha256: $input.checksum_sha256,
                ..Default::default()
            },
            trailing: $input.checksum_algorithm,
            trailers: $trailers,
        }
    };
}
macro_rules! attributes {
    ($input:ident) => {
        $crate::standalone::store::Attributes {
            content_type: $input.content_type,
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $crate::standalone::s3::objects::stored_encoding($input.content_encoding),
            content_language: $input.content_language,
            user: $input.metadata.unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use {attributes, claims};

impl Endpoint {
    pub(super) async fn put(
        &self,
        input: PutObjectInput,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<PutObjectOutput> {
        if input.write_offset_bytes.is_some() {
            return Err(s3_error!(NotImplemented, "objects cannot be appended to"));
        }
        let precondition = precondition(input.if_match, input.if_none_match)?;
        self.store.require_bucket(&input.bucket).await?;
        let claims: Claims = claims!(input, trailers);
        let (blob, checksum) = receive(&self.store, input.body, claims).await?;
        let attributes = attributes!(input);
        let object = self.store.put(&input.bucket, &input.key, blob, attributes, precondition).await?;
        Ok(PutObjectOutput {
            e_tag: Some(etag(&object.etag)),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            ..Default::default()
        })
    }

    pub(super) async fn get(&self, input: GetObjectInput) -> S3Result<GetObjectOutput> {
        require_null_version(input.version_id.as_deref())?;
        require_whole(input.part_number)?;
        let (object, file) = self.store.read(&input.bucket, &input.key).await?;
        Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        }
        .check(&object)?;
        let (start, end, content_range) = match input.range {
            None => (0, object.size, None),
            Some(range) => {
                let bytes = range.check(object.size)?;
                let shown = format!("bytes {}-{}/{}", bytes.start, bytes.end - 1, object.size);
                (bytes.start, bytes.end, Some(shown))
            }
        };
        let body = send(file, start, end - start).await?;
        Ok(GetObjectOutput {
            body: Some(body),
            content_length: Some(wire_size(end - start)),
            content_range,
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            metadata: metadata(&object.attributes.user),
            content_type: object.attributes.content_type,
            cache_control: object.attributes.cache_control,
            content_disposition: object.attributes.content_disposition,
            content_encoding: object.attributes.content_encoding,
            content_language: object.attributes.content_language,
            ..Default::default()
        })
    }

    pub(super) async fn head(&self, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
        require_null_version(input.version_id.as_deref())?;
        require_whole(input.part_number)?;
        let object = self.store.head(&input.bucket, &input.key).await?;
        Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        }
        .check(&object)?;
        Ok(HeadObjectOutput {
            content_length: Some(wire_size(object.size)),
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            metadata: metadata(&object.attributes.user),
            content_type: object.attributes.content_type,
            cache_control: object.attributes.cache_control,
            content_disposition: object.attributes.content_disposition,
            content_encoding: object.attributes.content_encoding,
            content_language: object.attributes.content_language,
            ..Default::default()
        })
    }

    pub(super) async fn copy(&self, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
        let (bucket, key) = source_of(&input.copy_source)?;
        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        if !replace && (bucket, key) == (input.bucket.as_str(), input.key.as_str()) {
            return Err(s3_error!(
                InvalidRequest,
                "a copy of an object onto itself must replace its metadata"
            ));
        }
        let source = self.store.head(bucket, key).await?;
        Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        }
        .check_source(&source)?;
        let attributes: Option<Attributes> = replace.then(|| attributes!(input));
        let object =
            self.store.copy((bucket, key, &source.etag), &input.bucket, &input.key, attributes).await?;
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(etag(&object.etag)),
                last_modified: Some(timestamp(object.modified)),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    pub(super) async fn delete(&self, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        require_null_version(input.version_id.as_deref())?;
        if input.if_match.is_some() {
            return Err(s3_error!(NotImplemented, "a delete takes no If-Match"));
        }
        self.store.delete(&input.bucket, vec![input.key]).await?;
        Ok(DeleteObjectOutput::default())
    }

    pub(super) async fn delete_many(&self, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
        let Delete { objects, quiet } = input.delete;
        if objects.len() > MAX_DELETE_KEYS {
            return Err(s3_error!(
                MalformedXML,
                "at most {MAX_DELETE_KEYS} keys can be deleted at once, got {}",
                objects.len()
            ));
        }
        let (current, versioned): (Vec<_>, Vec<_>) = objects
            .into_iter()
            .partition(|object| require_null_version(object.version_id.as_deref()).is_ok());
        let keys: Vec<String> = current.into_iter().map(|object| object.key).collect();
        self.store.delete(&input.bucket, keys.clone()).await?;
        let deleted = keys.into_iter().map(|key| DeletedObject { key: Some(key), ..Default::default() });
        let errors = versioned.into_iter().map(|object| Error {
            code: Some("NoSuchVersion".to_owned()),
            key: Some(object.key),
            version_id: object.version_id,
            ..Default::default()
        });
        Ok(DeleteObjectsOutput {
            deleted: (quiet != Some(true)).then(|| deleted.collect()),
            errors: Some(errors.collect()),
            ..Default::default()
        })
    }
}

/// The bucket and key that a copy is made from.
pub(super) fn source_of(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            require_null_version(version_id.as_deref())?;
            Ok((bucket, key))
        }
        _ => Err(s3_error!(NotImplemented, "a copy source is named by bucket and key here")),
    }
}

/// A size as the protocol carries it.
pub(super) fn wire_size(size: u64) -> i64 {
    i64::try_from(size).expect("a file is smaller than 2^63 bytes")
}

/// `Content-Encoding` without the encoding of the transfer.
pub(super) fn stored_encoding(encoding: Option<String>) -> Option<String> {
    let encoding = encoding?;
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|one| !one.is_empty() && *one != AWS_CHUNKED).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn metadata(user: &BTreeMap<String, String>) -> Option<Metadata> {
    let user = user.iter();
    (user.len() > 0).then(|| user.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Objects are stored in one piece, whichever way they came.
fn require_whole(part_number: Option<i32>) -> S3Result<()> {
    match part_number {
        None => Ok(()),
        Some(_) => Err(s3_error!(NotImplemented, "parts of an object cannot be read by number; use Range")),
    }
}

/// An object as a listing shows it.
pub(super) fn listed(object: Object, key: String) -> s3s::dto::Object {
    s3s::dto::Object {
        e_tag: Some(etag(&object.etag)),
        key: Some(key),
        last_modified: Some(timestamp(object.modified)),
        size: Some(wire_size(object.size)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}
