//! A proxy for HTTP/1.1.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::Fault;

/// Headers that belong to one connection, or are made anew for the next.
const OF_THE_LINE: [hyper::header::HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// A proxy before one server. Commits are the POSTs whose path ends as the test says; it ends when dropped.
pub struct HttpProxy {
    port: u16,
    state: Arc<State>,
    accepting: AbortHandle,
}

impl HttpProxy {
    /// Listens before the server at `upstream` (`http://host:port`). A commit is a POST to a path that ends in `commits`.
    pub async fn start(upstream: &str, commits: &str) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            commits: commits.to_owned(),
            client: reqwest::Client::new(),
            planned: Mutex::default(),
            held: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, state.clone())).abort_handle();
        Self { port, state, accepting }
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Further commits meet these faults, one each.
    pub fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.planned.lock().expect("no panic under the lock").extend(faults);
    }

    /// Further commits meet no faults but those that are planned from now on.
    pub fn clear(&self) {
        self.state.planned.lock().expect("no panic under the lock").clear();
    }

    /// Faults that no commit has met yet.
    pub fn unmet(&self) -> usize {
        self.state.planned.lock().expect("no panic under the lock").len()
    }

    /// Lets what was held go on, and returns the server's answers.
    pub async fn release(&self) -> Vec<StatusCode> {
        self.state.release().await
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and with it the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(|request| state.clone().answer(request));
            // A connection that was cut on purpose ends in an error, and so does one that the client gave up.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

struct State {
    upstream: String,
    commits: String,
    client: reqwest::Client,
    planned: Mutex<VecDeque<Fault>>,
    held: Mutex<Vec<(Fault, Call)>>,
}

/// A request, whole, so that it can be sent more than once.
#[derive(Clone)]
struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Severed> {
        let commit = request.method() == Method::POST && request.uri().path().ends_with(&self.commits);
        let (parts, body) = request.into_parts();
        let call = Call {
            method: parts.method,
            path: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            headers: without_line(&parts.headers),
            body: body.collect().await.map_err(|_| Severed)?.to_bytes(),
        };
        if !commit {
            return self.send(&call).await;
        }
        self.release_overtaken().await;
        let fault = self.planned.lock().expect("no panic under the lock").pop_front();
        let Some(fault) = fault else { return self.send(&call).await };
        match fault {
            Fault::Answer(status) => {
                self.send(&call).await?;
                Ok(status_alone(status))
            }
            Fault::Cut => {
                self.send(&call).await?;
                Err(Severed)
            }
            Fault::Repeat => {
                self.send(&call).await?;
                self.send(&call).await
            }
            Fault::Lose => Err(Severed),
            Fault::Hold | Fault::Overtake => {
                self.held.lock().expect("no panic under the lock").push((fault, call));
                Ok(status_alone(504))
            }
        }
    }

    async fn release(&self) -> Vec<StatusCode> {
        let held = std::mem::take(&mut *self.held.lock().expect("no panic under the lock"));
        let mut answers = Vec::new();
        for (_, call) in held {
            answers.push(self.send(&call).await.expect("the server answers a late request").status());
        }
        answers
    }

    async fn release_overtaken(&self) {
        let waits = self
            .held
            .lock()
            .expect("no panic under the lock")
            .iter()
            .any(|(fault, _)| *fault == Fault::Overtake);
        if waits {
            self.release().await;
        }
    }

    async fn send(&self, call: &Call) -> Result<Response<Full<Bytes>>, Severed> {
        let request = self
            .client
            .request(call.method.clone(), format!("{}{}", self.upstream, call.path))
            .headers(call.headers.clone())
            .body(call.body.clone());
        let answer = request.send().await.map_err(|_| Severed)?;
        let mut response = Response::new(Full::default());
        *response.status_mut() = answer.status();
        *response.headers_mut() = without_line(answer.headers());
        *response.body_mut() = Full::new(answer.bytes().await.map_err(|_| Severed)?);
        Ok(response)
    }
}

fn without_line(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in OF_THE_LINE {
        headers.remove(name);
    }
    headers
}

fn status_alone(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(status).expect("a fault names an HTTP status");
    response
}

/// The connection ends here, without an answer: that is what hyper makes of a service's error.
#[derive(Debug)]
struct Severed;

impl fmt::Display for Severed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Severed {}
