//! A catalog server that answers as a test tells it to, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use iceberg::TableCreation;
use iceberg::spec::{NestedField, PrimitiveType, Schema, TableMetadata, TableMetadataBuilder, Type};
use serde_json::{Value, json};

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn is(&self, method: Method, end: &str) -> bool {
        self.method == method && self.target.split('?').next().is_some_and(|path| path.ends_with(end))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// What a test answers to a request, given how many came before it.
pub type Answers = Box<dyn Fn(&Seen, usize) -> Option<Response> + Send + Sync>;

struct Script {
    seen: Mutex<Vec<Seen>>,
    answers: Answers,
}

/// A server on a port of its own; it ends with the test's runtime.
pub struct Server {
    pub uri: String,
    script: Arc<Script>,
}

impl Server {
    /// Starts a server. What `answers` leaves open is answered as by a catalog that has one table, `db.events`.
    pub async fn start(answers: impl Fn(&Seen, usize) -> Option<Response> + Send + Sync + 'static) -> Self {
        let script = Arc::new(Script { seen: Mutex::default(), answers: Box::new(answers) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { uri, script }
    }

    /// The requests of a kind, in order.
    pub fn seen(&self, method: &Method, end: &str) -> Vec<Seen> {
        let seen = self.script.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.is(method.clone(), end)).cloned().collect()
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let seen = Seen {
        method: head.method,
        target: head.uri.to_string(),
        headers: head.headers,
        body: axum::body::to_bytes(body, usize::MAX).await.unwrap(),
    };
    let before = {
        let mut all = script.seen.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    (script.answers)(&seen, before).unwrap_or_else(|| usual(&seen))
}

fn usual(seen: &Seen) -> Response {
    if seen.is(Method::GET, "/v1/config") {
        return json_answer(&json!({ "defaults": {}, "overrides": {} }));
    }
    if seen.is(Method::GET, "/tables/events") {
        return json_answer(&loaded("file:/t/metadata/1.metadata.json", &json!({})));
    }
    fault(StatusCode::NOT_FOUND, "NoSuchTableException", "no such table")
}

/// An answer with a JSON body.
pub fn json_answer(body: &Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

/// An error as the protocol shapes it.
pub fn fault(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({ "error": { "message": message, "type": kind, "code": status.as_u16() } });
    (status, body.to_string()).into_response()
}

/// Cuts the connection instead of answering. The panic hook is not called: nothing is wrong.
pub fn cut() -> Response {
    std::panic::resume_unwind(Box::new("cut"))
}

/// A loaded table.
pub fn loaded(location: &str, config: &Value) -> Value {
    json!({ "metadata-location": location, "metadata": metadata(), "config": config })
}

/// The answer to a commit that was made and added no snapshot.
pub fn made() -> Response {
    json_answer(&loaded("file:/t/metadata/2.metadata.json", &json!({})))
}

/// The metadata of a table without rows, always the same.
pub fn metadata() -> TableMetadata {
    let field = NestedField::optional(1, "id", Type::Primitive(PrimitiveType::Long));
    let creation = TableCreation::builder()
        .name("events".to_owned())
        .location("s3://lake/db/events".to_owned())
        .schema(Schema::builder().with_fields([field.into()]).build().unwrap())
        .build();
    let builder = TableMetadataBuilder::from_table_creation(creation).unwrap();
    builder.assign_uuid(uuid::Uuid::nil()).build().unwrap().metadata
}
