//! `aws-chunked` uploads with a trailing checksum, as newer AWS clients send them. object_store's client does
//! not, so the request is made and signed here.

use chrono::Utc;
use http::StatusCode;
use reqwest::Response;
use sha2::{Digest, Sha256};

use crate::s3::{ACCESS_KEY, SECRET_KEY, Server};

const PAYLOAD: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const SIGNED_HEADERS: &str = "host;x-amz-content-sha256;x-amz-date";
const CONTENT: &str = "sent in chunks";
/// CRC-32 of it, in base64.
const CHECKSUM: &str = "GD/CXw==";

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

async fn put(server: &Server, key: &str, length: usize, trailer: &str) -> Response {
    let host = server.url.strip_prefix("http://").unwrap();
    let time = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
    let date = &time[..8];
    let request = format!(
        "PUT\n/inbox/{key}\n\nhost:{host}\nx-amz-content-sha256:{PAYLOAD}\nx-amz-date:{time}\n\n\
         {SIGNED_HEADERS}\n{PAYLOAD}"
    );
    let scope = format!("{date}/us-east-1/s3/aws4_request");
    let digest = hex::encode(Sha256::digest(request));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let secret = format!("AWS4{SECRET_KEY}").into_bytes();
    let signing_key =
        [date, "us-east-1", "s3", "aws4_request"].iter().fold(secret, |key, part| hmac(&key, part));
    let signature = hex::encode(hmac(&signing_key, &to_sign));

    let (head, tail) = CONTENT.split_at(8);
    let body = format!("{:x}\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n{trailer}\r\n\r\n", head.len(), tail.len());
    reqwest::Client::new()
        .put(format!("{}/inbox/{key}", server.url))
        .header("x-amz-content-sha256", PAYLOAD)
        .header("x-amz-date", &time)
        .header("x-amz-decoded-content-length", length)
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("content-encoding", "aws-chunked")
        .header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={SIGNED_HEADERS}, \
                 Signature={signature}"
            ),
        )
        .body(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_right_trailer_is_accepted_and_the_transfer_leaves_no_trace() {
    let server = Server::start().await;
    let done = put(&server, "k", CONTENT.len(), &format!("x-amz-checksum-crc32:{CHECKSUM}")).await;
    assert_eq!(done.status(), StatusCode::OK);
    assert_eq!(done.headers()["x-amz-checksum-crc32"], CHECKSUM);
    assert_eq!(server.place.read("k").await, CONTENT);
    let object = server.place.store.head("inbox", "k").await.unwrap();
    assert_eq!(object.attributes.content_encoding, None);
}

#[tokio::test]
async fn a_wrong_trailer_or_length_is_refused() {
    let server = Server::start().await;
    let right = format!("x-amz-checksum-crc32:{CHECKSUM}");
    for (length, trailer, code) in [
        (CONTENT.len(), "x-amz-checksum-crc32:AAAAAA==", "BadDigest"),
        (CONTENT.len(), "x-amz-checksum-sha1:AAAAAA==", "InvalidRequest"),
        (CONTENT.len() + 1, right.as_str(), "IncompleteBody"),
    ] {
        let refused = put(&server, "k", length, trailer).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        let answer = refused.text().await.unwrap();
        assert!(answer.contains(code), "{code}: {answer}");
    }
    assert_eq!(server.place.blob_files(), 0);
    assert_eq!(server.place.announced().await, []);
}
