//! Tokens and signatures.

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use lake::catalog::{Commit, Outcome};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::server::{Seen, Server, fault, json_answer, made};
use super::{load, open, try_open};

const TOKENS: &str = "/oauth/tokens";

fn token(n: usize, more: &str) -> Response {
    let body = format!(r#"{{"access_token":"token-{n}","token_type":"bearer"{more}}}"#);
    ([("content-type", "application/json")], body).into_response()
}

fn is_token(seen: &Seen) -> bool {
    seen.is(Method::POST, TOKENS)
}

fn empty() -> Commit {
    Commit { requirements: Vec::new(), updates: Vec::new() }
}

#[tokio::test]
async fn a_given_token_goes_with_every_request() {
    let server = Server::start(|_, _| None).await;
    load(&open(&server, &[("token", "given")]).await).await;
    for end in ["/v1/config", "/events"] {
        assert_eq!(server.seen(&Method::GET, end)[0].header("authorization"), Some("Bearer given"), "{end}");
    }
}

#[tokio::test]
async fn one_token_serves_until_it_ends() {
    let server =
        Server::start(|seen, before| is_token(seen).then(|| token(before, r#","expires_in":3600"#))).await;
    let given = [("credential", "me:hu:sh"), ("audience", "lake"), ("header.x-tenant", "one")];
    let catalog = open(&server, &given).await;
    load(&catalog).await;
    load(&catalog).await;
    let asked = server.seen(&Method::POST, TOKENS);
    assert_eq!(asked.len(), 1);
    let pairs = [
        ("grant_type", "client_credentials"),
        ("scope", "catalog"),
        ("client_id", "me"),
        ("client_secret", "hu:sh"),
        ("audience", "lake"),
    ];
    assert_eq!(asked[0].form(), pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    let load = &server.seen(&Method::GET, "/events")[1];
    assert_eq!(load.header("authorization"), Some("Bearer token-0"));
    let tenants = (load.header("x-tenant"), asked[0].header("x-tenant"));
    assert_eq!(tenants, (Some("one"), None), "the catalog's headers are not for the token server");
}

#[tokio::test]
async fn a_token_at_its_end_is_replaced_before_it_is_used() {
    let server =
        Server::start(|seen, before| is_token(seen).then(|| token(before, r#","expires_in":0"#))).await;
    let catalog = open(&server, &[("credential", "hush"), ("scope", "mine")]).await;
    load(&catalog).await;
    let asked = server.seen(&Method::POST, TOKENS);
    assert_eq!(asked.len(), 2, "one for the configuration, one for the table");
    let form = asked[0].form();
    assert!(form.iter().all(|(name, _)| name != "client_id"), "{form:?}");
    assert!(form.contains(&("scope".to_owned(), "mine".to_owned())), "{form:?}");
    assert_eq!(server.seen(&Method::GET, "/events")[0].header("authorization"), Some("Bearer token-2"));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = Server::start(|seen, before| match before {
        _ if is_token(seen) => Some(token(before, "")),
        // The token of the start is not good any more.
        _ if seen.header("authorization") == Some("Bearer token-0") && before > 1 => {
            Some(fault(StatusCode::UNAUTHORIZED, "NotAuthorizedException", "expired"))
        }
        _ => seen.is(Method::GET, "/never").then(|| StatusCode::UNAUTHORIZED.into_response()),
    })
    .await;
    let catalog = open(&server, &[("credential", "me:hush")]).await;
    load(&catalog).await;
    assert_eq!(server.seen(&Method::POST, TOKENS).len(), 2);
    let never = ingest_core::TableName::parse("db.never").unwrap();
    let error = catalog.load(&never).await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains("401"), "{error}");
    assert_eq!(server.seen(&Method::GET, "/never").len(), 2);
}

#[tokio::test]
async fn a_refused_token_amid_an_outage_does_not_begin_the_questions_anew() {
    let server = Server::start(|seen, before| match before {
        _ if is_token(seen) => Some(token(before, "")),
        _ if !seen.is(Method::GET, "/events") => None,
        4 => Some(StatusCode::UNAUTHORIZED.into_response()),
        _ => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
    })
    .await;
    let catalog = open(&server, &[("credential", "me:hush")]).await;
    let error = catalog.load(&super::events()).await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains("503"), "{error}");
    assert_eq!(server.seen(&Method::GET, "/events").len(), 4);
}

#[tokio::test]
async fn a_commit_with_a_refused_token_is_not_sent_again_but_the_next_has_a_new_one() {
    let server = Server::start(|seen, before| match seen.header("authorization") {
        _ if is_token(seen) => Some(token(before, "")),
        Some("Bearer token-0") if seen.is(Method::POST, "/events") => {
            Some(StatusCode::UNAUTHORIZED.into_response())
        }
        _ => seen.is(Method::POST, "/events").then(made),
    })
    .await;
    let catalog = open(&server, &[("credential", "me:hush")]).await;
    let table = load(&catalog).await;
    assert!(matches!(catalog.commit(&table, empty()).await, Outcome::Unknown(error) if error.retryable()));
    assert_eq!(server.seen(&Method::POST, "/events").len(), 1);
    assert!(matches!(catalog.commit(&table, empty()).await, Outcome::Committed));
}

#[tokio::test]
async fn no_secret_shows_when_no_token_is_to_be_had() {
    let refuses = Server::start(|seen, _| {
        let body = r#"{"error":"invalid_client","error_description":"who are you"}"#;
        is_token(seen).then(|| (StatusCode::UNAUTHORIZED, body).into_response())
    })
    .await;
    let error = try_open(&refuses, &[("credential", "me:hush")]).await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains("who are you"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hush"));
    let babbles = Server::start(|seen, _| {
        is_token(seen).then(|| json_answer(&json!({ "access_token": ["hush"], "token_type": "bearer" })))
    })
    .await;
    let error = try_open(&babbles, &[("credential", "me:hush")]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn requests_are_signed_with_their_bodies() {
    let server = Server::start(|seen, _| seen.is(Method::POST, "/events").then(made)).await;
    let keys = [
        ("rest.sigv4-enabled", "true"),
        ("rest.signing-name", "glue"),
        ("rest.signing-region", "eu-west-1"),
        ("rest.access-key-id", "AKID"),
        ("rest.secret-access-key", "hush"),
        ("rest.session-token", "session"),
    ];
    let catalog = open(&server, &keys).await;
    let table = load(&catalog).await;
    assert!(matches!(catalog.commit(&table, empty()).await, Outcome::Committed));
    let config = server.seen(&Method::GET, "/v1/config");
    for seen in config.iter().chain(&server.seen(&Method::POST, "/events")) {
        let signature = seen.header("authorization").unwrap();
        assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{signature}");
        assert!(signature.contains("/eu-west-1/glue/aws4_request"), "{signature}");
        assert!(
            signature.contains("host;x-amz-content-sha256;x-amz-date;x-amz-security-token"),
            "{signature}"
        );
        assert_eq!(
            seen.header("x-amz-content-sha256"),
            Some(hex::encode(Sha256::digest(&seen.body)).as_str())
        );
        assert_eq!(seen.header("x-amz-security-token"), Some("session"));
    }
    let both = [keys[0], keys[2], keys[3], keys[4], ("token", "t")];
    assert!(try_open(&server, &both).await.unwrap_err().to_string().contains("`token`"));
}
