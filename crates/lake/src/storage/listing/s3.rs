//! The listing of an S3 server's bucket: one signed request a page.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};
use http::{StatusCode, Uri};
use object_store::aws::{AmazonS3, AmazonS3ConfigKey, AwsAuthorizer};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::signer::Signer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rand::Rng;
use serde::Deserialize;

use super::{Listed, Listing, PAGE_KEYS, Page};
use crate::error::{Error, Result};
use crate::storage::s3;

/// Largest answer that is read: a thousand of the longest keys, each byte escaped, and what surrounds them.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// How often a page is asked for, and the pauses between.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Only its URL is used, at once.
const SIGNED_FOR: Duration = Duration::from_secs(60);

/// What a query takes as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A bucket of an S3 server.
pub(in crate::storage) struct S3Listing {
    bucket: String,
    region: String,
    client: AmazonS3,
    http: HttpClient,
}

/// Without the credentials.
impl fmt::Debug for S3Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Listing({})", self.bucket)
    }
}

impl S3Listing {
    pub(in crate::storage) fn new(bucket: &str, properties: &BTreeMap<String, String>) -> Result<Self> {
        let builder = s3::builder(bucket, properties)?;
        let region = builder.get_config_value(&AmazonS3ConfigKey::Region).unwrap_or_default();
        let cannot = |e| Error::config(format!("cannot list bucket `{bucket}`")).caused_by(e);
        // Whether plain HTTP is allowed was decided by the client's own settings.
        let options = s3::client_options(properties)?.with_allow_http(true);
        Ok(Self {
            bucket: bucket.to_owned(),
            region,
            client: builder.build().map_err(cannot)?,
            http: ReqwestConnector::default().connect(&options).map_err(cannot)?,
        })
    }

    /// One request, signed as the client's own are.
    async fn ask(&self, query: &str) -> Result<Page, Failure> {
        let refused = |e: object_store::Error| Failure::Passing(e.into());
        let mut url =
            self.client.signed_url(http::Method::GET, &Path::ROOT, SIGNED_FOR).await.map_err(refused)?;
        url.set_query(Some(query));
        let uri: Uri = url.as_str().parse().map_err(|e: http::uri::InvalidUri| Failure::Passing(e.into()))?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = uri;
        let credential = self.client.credentials().get_credential().await.map_err(refused)?;
        AwsAuthorizer::new(&credential, "s3", &self.region).authorize(&mut request, None);
        let answer = self.http.execute(request).await.map_err(|e| Failure::Passing(e.into()))?;
        let status = answer.status();
        let body = read(answer.into_body().bytes_stream()).await?;
        match status {
            StatusCode::OK => parse(&body).map_err(Failure::Passing),
            StatusCode::NOT_FOUND => Err(Failure::Lasting(status)),
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                Err(Failure::Refused(status))
            }
            status => Err(Failure::Passing(format!("the store answers {status}").into())),
        }
    }
}

/// Why a page was not given.
enum Failure {
    /// The next attempt may succeed.
    Passing(Box<dyn std::error::Error + Send + Sync>),
    /// Not soon: credentials, permissions, clock.
    Refused(StatusCode),
    /// There is no such bucket.
    Lasting(StatusCode),
}

#[async_trait]
impl Listing for S3Listing {
    async fn page(&self, prefix: &str, after: &str) -> Result<Page> {
        let query = query(prefix, after);
        let bucket = &self.bucket;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.ask(&query).await {
                Ok(page) => return Ok(page),
                Err(Failure::Lasting(status)) => {
                    return Err(Error::invalid(format!("there is no bucket `{bucket}` ({status})")));
                }
                Err(Failure::Refused(status)) => {
                    return Err(Error::unavailable(format!(
                        "bucket `{bucket}` cannot be listed: the store answers {status}; check credentials and region"
                    )));
                }
                Err(Failure::Passing(cause)) if attempt == ATTEMPTS => {
                    return Err(
                        Error::unavailable(format!("bucket `{bucket}` cannot be listed")).caused_by(cause)
                    );
                }
                Err(Failure::Passing(_)) => {
                    let bound = FIRST_PAUSE * 2_u32.pow(attempt);
                    let pause = bound.mul_f64(rand::rng().random_range(0.5..=1.0));
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

fn query(prefix: &str, after: &str) -> String {
    let escape = |text| utf8_percent_encode(text, UNRESERVED);
    // XML cannot hold every character that a key may have: keys are asked for in escaped form.
    let mut query = format!("encoding-type=url&list-type=2&max-keys={PAGE_KEYS}&prefix={}", escape(prefix));
    if !after.is_empty() {
        query.push_str(&format!("&start-after={}", escape(after)));
    }
    query
}

async fn read<E>(mut chunks: impl Stream<Item = Result<bytes::Bytes, E>> + Unpin) -> Result<Vec<u8>, Failure>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|e| Failure::Passing(e.into()))?);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(Failure::Passing(
                format!("the answer is longer than {MAX_ANSWER_BYTES} bytes").into(),
            ));
        }
    }
    Ok(body)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    encoding_type: Option<String>,
    #[serde(default)]
    contents: Vec<Contents>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    #[serde(default)]
    size: u64,
    #[serde(rename = "ETag")]
    e_tag: Option<String>,
    last_modified: DateTime<Utc>,
}

fn parse(body: &[u8]) -> Result<Page, Box<dyn std::error::Error + Send + Sync>> {
    let answer: Answer = quick_xml::de::from_reader(body)?;
    let escaped = answer.encoding_type.is_some();
    let listed = |found: Contents| {
        let key = if escaped { unescape(&found.key)? } else { found.key };
        Ok(Listed { key, size: found.size, etag: found.e_tag, modified: Some(found.last_modified) })
    };
    let objects = answer.contents.into_iter().map(listed).collect::<Result<_, std::str::Utf8Error>>()?;
    Ok(Page { objects, more: answer.is_truncated })
}

/// AWS and MinIO write a blank as `+`, Ceph as `%20`; a plus is `%2B` with all of them.
fn unescape(key: &str) -> Result<String, std::str::Utf8Error> {
    let blanks = key.replace('+', " ");
    Ok(percent_decode_str(&blanks).decode_utf8()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_verbatim_whoever_wrote_them() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Name>b</Name><Prefix></Prefix><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
              <Contents><Key>a+b%2Bc%25%2F/x//y</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>
                <ETag>&quot;900150983cd24fb0d6963f7d28e17f72&quot;</ETag><Size>3</Size><StorageClass>STANDARD</StorageClass></Contents>
              <Contents><Key>marker/</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><Size>0</Size></Contents>
            </ListBucketResult>"#;
        let page = parse(xml.as_bytes()).unwrap();
        assert!(page.more);
        let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["a b+c%//x//y", "marker/"]);
        assert_eq!(page.objects[0].etag.as_deref(), Some("\"900150983cd24fb0d6963f7d28e17f72\""));
        assert_eq!((page.objects[0].size, page.objects[1].etag.as_deref()), (3, None));
        let plain = xml.replace("<EncodingType>url</EncodingType>", "");
        assert_eq!(parse(plain.as_bytes()).unwrap().objects[0].key, "a+b%2Bc%25%2F/x//y");
    }

    #[test]
    fn an_empty_bucket_is_an_empty_page() {
        let xml = "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>";
        assert_eq!(parse(xml.as_bytes()).unwrap(), Page::default());
        assert!(parse(b"<html>no listing").is_err());
    }

    #[test]
    fn queries_are_escaped_and_in_order() {
        assert_eq!(
            query("in/ü", "in/a b+c"),
            "encoding-type=url&list-type=2&max-keys=1000&prefix=in%2F%C3%BC&start-after=in%2Fa%20b%2Bc"
        );
        assert_eq!(query("", ""), "encoding-type=url&list-type=2&max-keys=1000&prefix=");
    }
}
