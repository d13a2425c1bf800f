//! The S3 protocol over a socket, spoken by object_store's client.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleError;
use bytes::Bytes;
use event_ingest::standalone::config::Credentials;
use event_ingest::standalone::s3;
use futures::{StreamExt, TryStreamExt};
use http::{Method, StatusCode};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, UpdateVersion, WriteMultipart,
};
use tokio::net::TcpListener;

use crate::support::Place;

/// Keys that the client can address. The store's own tests have the others.
const ODD_KEYS: [&str; 7] =
    ["a", "a/b", "with space", "plus+and%2Fpercent%", "q?x=1&y#z", "žluťoučký/🐎", "quote\"'<&>.parquet"];

pub const ACCESS_KEY: &str = "alice";
pub const SECRET_KEY: &str = "wonderland";

/// The service on a socket.
pub struct Server {
    pub place: Place,
    pub url: String,
}

impl Server {
    pub async fn start() -> Self {
        let place = Place::new().await;
        let credentials =
            Credentials { access_key: ACCESS_KEY.to_owned(), secret_key: SECRET_KEY.to_owned() };
        let service = s3::service(place.store.clone(), "us-east-1", &credentials);
        let router = Router::new()
            .fallback_service(HandleError::new(service, |error: s3s::HttpError| async move {
                (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
            }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { place, url }
    }

    fn builder(&self) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_endpoint(&self.url)
            .with_allow_http(true)
            .with_bucket_name("inbox")
            .with_region("us-east-1")
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
    }

    fn client(&self) -> AmazonS3 {
        self.builder().build().unwrap()
    }
}

async fn keys(client: &AmazonS3, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(Path::from);
    let found: Vec<_> = client.list(prefix.as_ref()).try_collect().await.unwrap();
    found.into_iter().map(|object| object.location.to_string()).collect()
}

#[tokio::test]
async fn odd_keys_come_back_as_they_went() {
    let server = Server::start().await;
    let client = server.client();
    let mut expected = ODD_KEYS.to_vec();
    expected.sort_unstable();
    for key in ODD_KEYS {
        client.put(&Path::parse(key).unwrap(), key.into()).await.unwrap();
    }
    for key in ODD_KEYS {
        let got = client.get(&Path::parse(key).unwrap()).await.unwrap().bytes().await.unwrap();
        assert_eq!(got, key.as_bytes(), "{key}");
        assert_eq!(server.place.read(key).await, key);
    }
    assert_eq!(keys(&client, None).await, expected);
    let folder = client.list_with_delimiter(None).await.unwrap();
    let prefixes: Vec<String> = folder.common_prefixes.iter().map(ToString::to_string).collect();
    assert_eq!(prefixes, ["a", "žluťoučký"]);
    assert_eq!(folder.objects.len(), expected.len() - 2);
    for key in ODD_KEYS {
        client.delete(&Path::parse(key).unwrap()).await.unwrap();
    }
    assert_eq!(keys(&client, None).await, [""; 0]);
    assert_eq!(server.place.blob_files(), 0);
}

#[tokio::test]
async fn a_listing_of_more_than_a_page_is_complete() {
    let server = Server::start().await;
    let numbered: Vec<String> = (0..1_205).map(|number| format!("many/{number:05}")).collect();
    futures::stream::iter(&numbered)
        .for_each_concurrent(16, async |key| drop(server.place.put(key, "").await))
        .await;
    let client = server.client();
    let listed = keys(&client, Some("many")).await;
    assert_eq!(listed.len(), 1_205);
    assert!(listed.is_sorted());
    let offset = Path::from("many/01200");
    let after: Vec<_> = client.list_with_offset(None, &offset).try_collect().await.unwrap();
    assert_eq!(after.len(), 4);
    let locations = futures::stream::iter(after).map(|object| Ok(object.location));
    let gone: Vec<_> = client.delete_stream(Box::pin(locations)).try_collect().await.unwrap();
    assert_eq!(gone.len(), 4);
    assert_eq!(keys(&client, None).await.len(), 1_201);
}

#[tokio::test]
async fn ranges_and_conditions_are_honoured() {
    let server = Server::start().await;
    let client = server.client();
    let path = Path::from("k");
    let put = client.put(&path, "0123456789".into()).await.unwrap();
    let etag = put.e_tag.unwrap();
    let get = |options: GetOptions| client.get_opts(&path, options);

    let range = |range: GetRange| GetOptions { range: Some(range), ..GetOptions::default() };
    for (asked, expected) in [
        (GetRange::Bounded(2..5), "234"),
        (GetRange::Offset(7), "789"),
        (GetRange::Suffix(2), "89"),
        (GetRange::Bounded(8..100), "89"),
    ] {
        let got = get(range(asked)).await.unwrap();
        assert_eq!(got.meta.size, 10);
        assert_eq!(got.bytes().await.unwrap(), expected);
    }
    assert!(get(range(GetRange::Offset(10))).await.is_err());

    let matching = GetOptions { if_match: Some(etag.clone()), ..GetOptions::default() };
    assert_eq!(get(matching).await.unwrap().meta.e_tag.unwrap(), etag);
    let other = GetOptions { if_match: Some("\"other\"".to_owned()), ..GetOptions::default() };
    assert!(matches!(get(other).await, Err(Error::Precondition { .. })));
    let unchanged = GetOptions { if_none_match: Some(etag), ..GetOptions::default() };
    assert!(matches!(get(unchanged).await, Err(Error::NotModified { .. })));
    let modified = client.head(&path).await.unwrap().last_modified;
    let since = GetOptions { if_modified_since: Some(modified), ..GetOptions::default() };
    assert!(matches!(get(since).await, Err(Error::NotModified { .. })));
    let before = modified - chrono::TimeDelta::seconds(1);
    let since = GetOptions { if_modified_since: Some(before), ..GetOptions::default() };
    get(since).await.unwrap();
    let unmodified = GetOptions { if_unmodified_since: Some(before), ..GetOptions::default() };
    assert!(matches!(get(unmodified).await, Err(Error::Precondition { .. })));

    let missing = client.get(&Path::from("none")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn writes_are_conditional() {
    let server = Server::start().await;
    let client = server.client();
    let path = Path::from("k");
    let created = client.put_opts(&path, "1".into(), PutMode::Create.into()).await.unwrap();
    let again = client.put_opts(&path, "2".into(), PutMode::Create.into()).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })));
    let version = |e_tag| PutMode::Update(UpdateVersion { e_tag, version: None });
    let updated = client.put_opts(&path, "2".into(), version(created.e_tag.clone()).into()).await.unwrap();
    let stale = client.put_opts(&path, "3".into(), version(created.e_tag).into()).await;
    assert!(matches!(stale, Err(Error::Precondition { .. })));
    assert_eq!(client.head(&path).await.unwrap().e_tag, updated.e_tag);
    assert_eq!(server.place.announced().await.len(), 2);
}

#[tokio::test]
async fn attributes_come_back_as_they_went() {
    let server = Server::start().await;
    let client = server.client();
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "application/vnd.apache.parquet"),
        (Attribute::CacheControl, "no-store"),
        (Attribute::ContentDisposition, "attachment"),
        (Attribute::ContentEncoding, "gzip"),
        (Attribute::ContentLanguage, "cs"),
        (Attribute::Metadata("maker".into()), "us"),
    ]);
    let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
    let path = Path::from("k");
    client.put_opts(&path, "x".into(), options).await.unwrap();
    assert_eq!(client.get(&path).await.unwrap().attributes, attributes);
    client.copy(&path, &Path::from("copy")).await.unwrap();
    assert_eq!(client.get(&Path::from("copy")).await.unwrap().attributes, attributes);
}

#[tokio::test]
async fn a_multipart_upload_is_one_object() {
    let server = Server::start().await;
    let client = server.client();
    let path = Path::from("dir/large file.parquet");
    let content: Vec<u8> = (0..12 * 1024 * 1024_u32).map(|number| number.to_le_bytes()[1]).collect();
    let upload = client.put_multipart_opts(&path, PutMultipartOptions::default()).await.unwrap();
    let mut writer = WriteMultipart::new(upload);
    writer.write(&content);
    let done = writer.finish().await.unwrap();
    assert!(done.e_tag.unwrap().trim_matches('"').ends_with("-3"));
    assert_eq!(client.get(&path).await.unwrap().bytes().await.unwrap(), content);
    assert_eq!(server.place.blob_files(), 1);
    let announced = server.place.announced().await;
    assert_eq!(
        announced,
        [("s3:ObjectCreated:CompleteMultipartUpload".to_owned(), "dir%2Flarge+file.parquet".to_owned())]
    );

    let mut upload = client.put_multipart(&path).await.unwrap();
    upload.put_part(PutPayload::from(Bytes::from_static(b"part"))).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(server.place.blob_files(), 1);
}

#[tokio::test]
async fn checksums_are_verified() {
    let server = Server::start().await;
    let client = server.builder().with_checksum_algorithm(Checksum::SHA256).build().unwrap();
    client.put(&Path::from("k"), "content".into()).await.unwrap();
    assert_eq!(server.place.read("k").await, "content");
}

#[tokio::test]
async fn only_the_right_secret_opens() {
    let server = Server::start().await;
    let wrong = server.builder().with_secret_access_key("looking-glass").build().unwrap();
    let refused = wrong.put(&Path::from("k"), "x".into()).await;
    assert!(matches!(refused, Err(Error::PermissionDenied { .. })), "{refused:?}");
    let anonymous = reqwest::get(format!("{}/inbox/k", server.url)).await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.place.announced().await, []);
}

#[tokio::test]
async fn presigned_urls_work_and_a_short_body_is_refused() {
    let server = Server::start().await;
    let client: Arc<AmazonS3> = Arc::new(server.client());
    let sign = async |method, key: &str| {
        client.signed_url(method, &Path::parse(key).unwrap(), Duration::from_secs(60)).await.unwrap()
    };
    let http = reqwest::Client::new();
    let put = http.put(sign(Method::PUT, "a b").await).body("presigned").send().await.unwrap();
    assert_eq!(put.status(), StatusCode::OK);
    let got = http.get(sign(Method::GET, "a b").await).send().await.unwrap();
    assert_eq!(got.text().await.unwrap(), "presigned");

    let damaged =
        http.put(sign(Method::PUT, "damaged").await).header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    let refused = damaged.body("not empty").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("BadDigest"));
    for (header, value) in [("x-amz-checksum-crc32", "AAAAAA=="), ("content-md5", "x")] {
        let damaged = http.put(sign(Method::PUT, "damaged").await).header(header, value);
        assert_eq!(
            damaged.body("content").send().await.unwrap().status(),
            StatusCode::BAD_REQUEST,
            "{header}"
        );
    }
    assert_eq!(keys(&client, None).await, ["a b"]);
    assert_eq!(server.place.blob_files(), 1);
}
