//! Multipart uploads.

use s3s::dto::*;
use s3s::{S3Result, TrailingHeaders, s3_error};

use super::Endpoint;
use super::body::{Claims, receive, send};
use super::conditions::{Conditions, etag, precondition, timestamp};
use super::listing::{Names, page};
use super::objects::{attributes, claims, source_of, wire_size};
use crate::standalone::store::{Attributes, MAX_PART_NUMBER};

impl Endpoint {
    pub(super) async fn create_upload(
        &self,
        input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let attributes: Attributes = attributes!(input);
        let id = self.store.create_upload(&input.bucket, &input.key, &attributes).await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        })
    }

    pub(super) async fn upload(
        &self,
        input: UploadPartInput,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<UploadPartOutput> {
        let number = part_number(input.part_number)?;
        let upload = (&*input.bucket, &*input.key, &*input.upload_id);
        self.store.require_upload(upload).await?;
        let claims: Claims = claims!(input, trailers);
        let (blob, checksum) = receive(&self.store, input.body, claims).await?;
        let part = self.store.put_part(upload, number, blob).await?;
        Ok(UploadPartOutput {
            e_tag: Some(etag(&part.etag)),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            ..Default::default()
        })
    }

    pub(super) async fn upload_copy(&self, input: UploadPartCopyInput) -> S3Result<UploadPartCopyOutput> {
        let number = part_number(input.part_number)?;
        let upload = (&*input.bucket, &*input.key, &*input.upload_id);
        self.store.require_upload(upload).await?;
        let (bucket, key) = source_of(&input.copy_source)?;
        let (source, file) = self.store.read(bucket, key).await?;
        Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        }
        .check_source(&source)?;
        let bytes = match input.copy_source_range {
            None => 0..source.size,
            Some(range) => Range::parse(&range)
                .map_err(|_| {
                    s3_error!(
                        InvalidArgument,
                        "x-amz-copy-source-range must look like bytes=0-9, got {range:?}"
                    )
                })?
                .check(source.size)?,
        };
        let body = send(file, bytes.start, bytes.end - bytes.start).await?;
        let (blob, _) = receive(&self.store, Some(body), Claims::default()).await?;
        let part = self.store.put_part(upload, number, blob).await?;
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(CopyPartResult {
                e_tag: Some(etag(&part.etag)),
                last_modified: Some(timestamp(part.modified)),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    pub(super) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let precondition = precondition(input.if_match, input.if_none_match)?;
        let listed = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let mut parts = Vec::with_capacity(listed.len());
        for part in listed {
            let (Some(number), Some(etag)) = (part.part_number, part.e_tag) else {
                return Err(s3_error!(MalformedXML, "every part needs PartNumber and ETag"));
            };
            parts.push((part_number(number)?, etag.into_value()));
        }
        let upload = (&*input.bucket, &*input.key, &*input.upload_id);
        let object = self.store.complete_upload(upload, &parts, precondition).await?;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag(&object.etag)),
            ..Default::default()
        })
    }

    pub(super) async fn parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let max_parts = page(input.max_parts, "max-parts")?;
        let after = input.part_number_marker.unwrap_or(0);
        let limit = usize::try_from(max_parts).unwrap_or(0);
        let upload = (&*input.bucket, &*input.key, &*input.upload_id);
        let mut parts =
            self.store.list_parts(upload, u16::try_from(after).unwrap_or(u16::MAX), limit + 1).await?;
        let truncated = parts.len() > limit;
        parts.truncate(limit);
        Ok(ListPartsOutput {
            part_number_marker: Some(after),
            next_part_number_marker: parts.last().map(|part| part.number.into()),
            max_parts: Some(max_parts),
            is_truncated: Some(truncated),
            parts: Some(
                parts
                    .into_iter()
                    .map(|part| Part {
                        e_tag: Some(etag(&part.etag)),
                        last_modified: Some(timestamp(part.modified)),
                        part_number: Some(part.number.into()),
                        size: Some(wire_size(part.size)),
                        ..Default::default()
                    })
                    .collect(),
            ),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }

    pub(super) async fn uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> S3Result<ListMultipartUploadsOutput> {
        if input.delimiter.as_deref().is_some_and(|text| !text.is_empty()) {
            return Err(s3_error!(NotImplemented, "uploads are listed without delimiter"));
        }
        let names = Names::of(input.encoding_type.as_ref())?;
        let max_uploads = page(input.max_uploads, "max-uploads")?;
        let limit = usize::try_from(max_uploads).unwrap_or(0);
        let prefix = input.prefix.unwrap_or_default();
        let key_marker = input.key_marker.unwrap_or_default();
        // Without an id the marker means: after every upload of that key.
        let id_marker = input
            .upload_id_marker
            .clone()
            .unwrap_or_else(|| if key_marker.is_empty() { "" } else { "\u{10ffff}" }.to_owned());
        let mut uploads =
            self.store.list_uploads(&input.bucket, &prefix, (&key_marker, &id_marker), limit + 1).await?;
        let truncated = uploads.len() > limit;
        uploads.truncate(limit);
        let last = uploads.last().filter(|_| truncated).cloned();
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(names.write(prefix)),
            key_marker: Some(names.write(key_marker)),
            upload_id_marker: input.upload_id_marker,
            next_key_marker: last.as_ref().map(|upload| names.write(upload.key.clone())),
            next_upload_id_marker: last.map(|upload| upload.id),
            max_uploads: Some(max_uploads),
            is_truncated: Some(truncated),
            encoding_type: input.encoding_type,
            uploads: Some(
                uploads
                    .into_iter()
                    .map(|upload| MultipartUpload {
                        key: Some(names.write(upload.key)),
                        upload_id: Some(upload.id),
                        initiated: Some(timestamp(upload.initiated)),
                        ..Default::default()
                    })
                    .collect(),
            ),
            ..Default::default()
        })
    }
}

fn part_number(number: i32) -> S3Result<u16> {
    u16::try_from(number).ok().filter(|number| (1..=MAX_PART_NUMBER).contains(number)).ok_or_else(|| {
        s3_error!(InvalidArgument, "partNumber must be between 1 and {MAX_PART_NUMBER}, got {number}")
    })
}
