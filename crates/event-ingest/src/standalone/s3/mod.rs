//! The S3 protocol over the store. Routing, signatures and XML are the `s3s` crate's.

mod body;
mod conditions;
mod error;
mod listing;
mod multipart;
mod objects;

use std::sync::Arc;

use async_trait::async_trait;
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::config::Credentials;
use super::store::Store;

/// Limit of a form upload (POST), in bytes: these are held in memory. Every other upload is streamed.
const MAX_FORM_BYTES: u64 = 16 * 1024 * 1024;

/// The S3 service over a store, for clients that sign with these credentials.
#[must_use]
pub fn service(store: Store, region: &str, credentials: &Credentials) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Endpoint { store, region: region.to_owned() });
    builder
        .set_auth(SimpleAuth::from_single(credentials.access_key.as_str(), credentials.secret_key.as_str()));
    let mut limits = S3Config::default();
    limits.post_object_max_file_size = MAX_FORM_BYTES;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(limits))));
    builder.build()
}

/// The operations, each in a few lines that translate between protocol and store.
struct Endpoint {
    store: Store,
    region: String,
}

type Answer<T> = S3Result<S3Response<T>>;

fn answer<T>(output: T) -> Answer<T> {
    Ok(S3Response::new(output))
}

/// There is one version of every object, which S3 calls `null`.
fn require_null_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(version) => Err(s3_error!(
            NoSuchVersion,
            "no version {version:?}: this endpoint keeps one version of an object"
        )),
    }
}

#[async_trait]
impl S3 for Endpoint {
    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let buckets = self.store.list_buckets().await?;
        answer(ListBucketsOutput {
            buckets: Some(buckets.into_iter().map(listing::bucket).collect()),
            owner: Some(Owner::default()),
            ..Default::default()
        })
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let bucket = request.input.bucket;
        self.store.create_bucket(&bucket).await?;
        answer(CreateBucketOutput { location: Some(format!("/{bucket}")) })
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.store.require_bucket(&request.input.bucket).await?;
        answer(HeadBucketOutput { bucket_region: Some(self.region.clone()), ..Default::default() })
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        self.store.delete_bucket(&request.input.bucket).await?;
        answer(DeleteBucketOutput::default())
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.store.require_bucket(&request.input.bucket).await?;
        // S3 has no constraint for its first region, and clients know.
        let constraint = (self.region != "us-east-1").then(|| self.region.clone().into());
        answer(GetBucketLocationOutput { location_constraint: constraint })
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> Answer<GetBucketVersioningOutput> {
        self.store.require_bucket(&request.input.bucket).await?;
        answer(GetBucketVersioningOutput::default())
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
        answer(self.list_v1(request.input).await?)
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        answer(self.list_v2(request.input).await?)
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        answer(self.put(request.input, request.trailing_headers).await?)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        answer(self.get(request.input).await?)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        answer(self.head(request.input).await?)
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> Answer<GetObjectTaggingOutput> {
        let GetObjectTaggingInput { bucket, key, .. } = request.input;
        self.store.head(&bucket, &key).await?;
        answer(GetObjectTaggingOutput::default())
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        answer(self.copy(request.input).await?)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        answer(self.delete(request.input).await?)
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        answer(self.delete_many(request.input).await?)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        answer(self.create_upload(request.input).await?)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        answer(self.upload(request.input, request.trailing_headers).await?)
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> Answer<UploadPartCopyOutput> {
        answer(self.upload_copy(request.input).await?)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        answer(self.complete_upload(request.input).await?)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        self.store.abort_upload(&bucket, &key, &upload_id).await?;
        answer(AbortMultipartUploadOutput::default())
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        answer(self.parts(request.input).await?)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        answer(self.uploads(request.input).await?)
    }
}
