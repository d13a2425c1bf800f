//! The routes over a plant that says what the test wants.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use chrono::DateTime;
use futures::StreamExt;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use ingest_core::{ObjectUri, TableName};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::PlantError;
use crate::model::{
    Abilities, Ability, Changed, DeadLetter, FileLine, Health, HeavyJob, Mode, Outcome, Page, Problem,
    Quarantined, SetAside, Severity, Status, Story, UploadTarget, Uploaded,
};
use crate::plant::{FilesQuery, ListQuery, TableQuery, Upload};

const TOKEN: &str = "0123456789abcdef";

#[derive(Debug, Default)]
struct Fake {
    statuses: AtomicUsize,
    asked: Mutex<Vec<FilesQuery>>,
}

#[async_trait]
impl Plant for Fake {
    fn abilities(&self) -> Abilities {
        let upload = UploadTarget { bucket: "inbox".to_owned(), max_bytes: 8 };
        Abilities { changes: vec![Ability::RetryQuarantined, Ability::Upload], upload: Some(upload) }
    }

    async fn status(&self) -> Status {
        self.statuses.fetch_add(1, Ordering::Relaxed);
        let problem = |severity, kind: &str| Problem {
            kind: kind.to_owned(),
            severity,
            subject: "s".to_owned(),
            detail: "d".to_owned(),
            mend: "m".to_owned(),
            runbook: None,
            since: None,
        };
        Status {
            version: "1".to_owned(),
            mode: Mode::Standalone,
            taken_at: DateTime::UNIX_EPOCH,
            health: Health::Ok,
            problems: vec![problem(Severity::Attention, "small"), problem(Severity::Broken, "large")],
            stages: Vec::new(),
            tables: Vec::new(),
            heavy: None,
            set_aside: SetAside::default(),
        }
    }

    async fn files(&self, query: &FilesQuery) -> Result<Page<FileLine>, PlantError> {
        self.asked.lock().unwrap().push(query.clone());
        Ok(Page::last(Vec::new()))
    }

    async fn story(&self, object: &ObjectUri, _: Option<&TableName>) -> Result<Story, PlantError> {
        Err(PlantError::not_found(format!("{object} was never seen")))
    }

    async fn quarantined(&self, _: &TableQuery) -> Result<Page<Quarantined>, PlantError> {
        Err(PlantError::unavailable("the store does not answer"))
    }

    async fn dead_letters(&self, _: &ListQuery) -> Result<Page<DeadLetter>, PlantError> {
        Ok(Page::last(Vec::new()))
    }

    async fn heavy_jobs(&self, _: &ListQuery) -> Result<Page<HeavyJob>, PlantError> {
        Ok(Page::last(Vec::new()))
    }

    async fn retry_quarantined(&self, table: &TableName, ids: &[String]) -> Result<Changed, PlantError> {
        let done = |id: &String| Outcome { id: id.clone(), done: true, message: table.to_string() };
        Ok(Changed { outcomes: ids.iter().map(done).collect() })
    }

    async fn upload(&self, mut upload: Upload) -> Result<Uploaded, PlantError> {
        let mut bytes = 0;
        while let Some(piece) = upload.body.next().await {
            bytes += piece.map_err(PlantError::unavailable)?.len() as u64;
        }
        Ok(Uploaded { file: upload.key, bytes, etag: String::new() })
    }
}

struct Server {
    plant: Arc<Fake>,
    router: Router,
}

/// Status, headers, body.
type Said = (StatusCode, HeaderMap, Value);

impl Server {
    fn new(token: Option<&str>) -> Self {
        let plant = Arc::new(Fake::default());
        let access = Access { token: token.map(|token| Token::new(token).unwrap()), local_only: true };
        let router = super::router(plant.clone(), access, Router::new());
        Self { plant, router }
    }

    async fn ask(&self, request: http::request::Builder, body: impl Into<Body>) -> Said {
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Said {
        self.ask(Request::get(path), Body::empty()).await
    }

    async fn retry(&self, token: Option<&str>, body: &Value) -> Said {
        let request =
            Request::post("/api/v1/quarantine/retry").header(header::CONTENT_TYPE, "application/json");
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        self.ask(request, body.to_string()).await
    }

    async fn upload(&self, query: &str, body: impl Into<Body>) -> Said {
        let request = Request::post(format!("/api/v1/uploads?{query}"))
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        self.ask(request, body).await
    }
}

#[tokio::test]
async fn looking_is_free_and_changing_needs_the_token() {
    let (open, closed) = (Server::new(Some(TOKEN)), Server::new(None));
    let wanted = json!({"table": "db.t", "ids": ["a", "b"]});
    for server in [&open, &closed] {
        assert_eq!(server.get("/api/v1/status").await.0, StatusCode::OK);
    }
    let (status, _, said) = closed.retry(Some(TOKEN), &wanted).await;
    assert_eq!((status, &said["code"]), (StatusCode::FORBIDDEN, &json!("read-only")));
    for token in [None, Some("0123456789abcdeX")] {
        let (status, headers, said) = open.retry(token, &wanted).await;
        assert_eq!((status, &said["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")));
        assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer");
    }
    // Nothing of a body is looked at before: what is wrong with it stays unsaid.
    assert_eq!(open.retry(None, &json!("nonsense")).await.0, StatusCode::UNAUTHORIZED);
    let (status, _, said) = open.retry(Some(TOKEN), &wanted).await;
    assert_eq!((status, &said["outcomes"][1]["id"]), (StatusCode::OK, &json!("b")));
}

#[tokio::test]
async fn permissions_say_what_this_sender_may_do() {
    let server = Server::new(Some(TOKEN));
    let may = async |token: &str| {
        let request =
            Request::get("/api/v1/permissions").header(header::AUTHORIZATION, format!("Bearer {token}"));
        let said = server.ask(request, Body::empty()).await.2;
        (said["read_only"].clone(), said["admitted"].clone())
    };
    assert_eq!(may(TOKEN).await, (json!(false), json!(true)));
    assert_eq!(may("another token").await, (json!(false), json!(false)));
    assert_eq!(Server::new(None).get("/api/v1/permissions").await.2["read_only"], true);
}

#[tokio::test]
async fn the_worst_problem_comes_first_and_viewers_share_a_status() {
    let server = Server::new(None);
    let said = server.get("/api/v1/status").await.2;
    assert_eq!((&said["health"], &said["problems"][0]["kind"]), (&json!("broken"), &json!("large")));
    server.get("/api/v1/status").await;
    assert_eq!(server.plant.statuses.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn parameters_are_bounded_and_reach_the_plant() {
    let server = Server::new(None);
    let query = "table=db.t&text=a%20b%2F&state=quarantined&limit=7&after=x";
    assert_eq!(server.get(&format!("/api/v1/files?{query}")).await.0, StatusCode::OK);
    let asked = server.plant.asked.lock().unwrap().pop().unwrap();
    assert_eq!((asked.text.as_str(), asked.list.limit, asked.list.after.as_deref()), ("a b/", 7, Some("x")));
    let long = "x".repeat(extract::MAX_TEXT + 1);
    for (query, code) in [
        ("limit=0", "bad-request"),
        ("limit=501", "bad-request"),
        ("limit=-1", "bad-request"),
        ("limit=1&limit=2", "bad-request"),
        ("lmit=1", "bad-request"),
        ("state=lost", "bad-request"),
        (&format!("text={long}"), "bad-request"),
        ("table=t", "invalid"),
    ] {
        let (status, _, said) = server.get(&format!("/api/v1/files?{query}")).await;
        assert!(status.is_client_error() && said["code"] == code, "{query}: {said}");
        assert_eq!(said["retry"], false);
    }
    for (ids, table) in [(json!([]), "db.t"), (json!(vec!["a"; 101]), "db.t"), (json!([long]), "db.t")] {
        let server = Server::new(Some(TOKEN));
        let said = server.retry(Some(TOKEN), &json!({"table": table, "ids": ids})).await;
        assert_eq!(said.0, StatusCode::BAD_REQUEST, "{}", said.2);
    }
}

#[tokio::test]
async fn failures_of_the_plant_say_whether_a_retry_helps() {
    let server = Server::new(Some(TOKEN));
    let (status, _, said) = server.get("/api/v1/story?object=s3://b/k").await;
    assert_eq!((status, &said["retry"]), (StatusCode::NOT_FOUND, &json!(false)));
    assert_eq!(server.get("/api/v1/story?object=k").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, headers, said) = server.get("/api/v1/quarantine").await;
    assert_eq!((status, &said["retry"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(true)));
    assert!(headers.contains_key(header::RETRY_AFTER));
    let request =
        Request::post("/api/v1/heavy/a/retry").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    assert_eq!(server.ask(request, Body::empty()).await.0, StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn a_file_is_taken_up_to_its_bound() {
    let server = Server::new(Some(TOKEN));
    let (status, _, said) = server.upload("key=in%2Fa", "12345678").await;
    assert_eq!((status, said), (StatusCode::OK, json!({"file": "in/a", "bytes": 8, "etag": ""})));
    let pieces = || Body::from_stream(futures::stream::iter(["12345", "6789"].map(Ok::<_, String>)));
    for body in [Body::from("123456789"), pieces()] {
        let (status, _, said) = server.upload("key=a", body).await;
        assert_eq!((status, &said["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too-large")));
    }
    let broken = Body::from_stream(futures::stream::iter([Ok("1"), Err("gone")]));
    let (status, _, said) = server.upload("key=a", broken).await;
    assert_eq!((status, &said["retry"]), (StatusCode::REQUEST_TIMEOUT, &json!(true)));
    for query in ["", "key=", &format!("key={}", "k".repeat(1025))] {
        assert_eq!(server.upload(query, "1").await.0, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_one_form() {
    let server = Server::new(None);
    let (status, _, said) = server.get("/api/v1/nothing/of/this").await;
    assert_eq!((status, &said["code"]), (StatusCode::NOT_FOUND, &json!("not-found")));
    let (status, headers, said) = server.ask(Request::delete("/api/v1/status"), Body::empty()).await;
    assert_eq!((status, &said["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("bad-method")));
    assert_eq!(headers[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn strangers_names_are_refused_and_browsers_are_told_not_to_leak() {
    let server = Server::new(None);
    let as_host = async |host: &str| {
        let request = Request::get("/").header(header::HOST, host);
        server.ask(request, Body::empty()).await
    };
    assert_eq!(as_host("evil.example:9001").await.0, StatusCode::FORBIDDEN);
    for path in ["/", "/console/app.js", "/api/v1/status", "/api/v1/nothing"] {
        let headers = server.get(path).await.1;
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], headers::POLICY);
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
    assert_eq!(as_host("localhost:9001").await.0, StatusCode::OK);
}

#[test]
fn the_document_names_every_route_and_what_it_asks_for() {
    let document = serde_json::to_value(document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let changing =
        paths.values().flat_map(|path| path.as_object().unwrap()).filter(|(method, _)| *method == "post");
    for (_, operation) in changing {
        assert!(operation["security"][0][BEARER].is_array() && operation["responses"]["401"].is_object());
    }
    assert_eq!(paths.len(), 12);
    assert!(document["components"]["schemas"]["Failure"].is_object());
    assert_eq!(document["components"]["securitySchemes"][BEARER]["scheme"], "bearer");
}
