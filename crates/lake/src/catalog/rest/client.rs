//! Sending requests to the catalog, and taking in no more of an answer than is bounded.
//!
//! A question is asked again when the catalog was briefly away; a POST never is, not even by the HTTP library:
//! only the table can tell what became of one that had no answer.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::{Request, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::auth::Auth;
use super::wire::{ErrorAnswer, Fault};
use crate::catalog::properties::{required, without_secret};
use crate::catalog::{COMMIT_DEADLINE, MAX_METADATA_BYTES};
use crate::error::{Error, ErrorKind, Result};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a question may take, its answer included.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a change may take, its answer included.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(120);
const _: () =
    assert!(CHANGE_TIMEOUT.as_secs() < COMMIT_DEADLINE.as_secs(), "a commit has time for its answer");
/// How long an unused connection is kept: less than servers keep theirs, so that a commit seldom meets a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a question is asked that is not answered, and the pause after the first time; it doubles.
const QUESTIONS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How much of an answer that is an error is read.
const MAX_FAULT_BYTES: u64 = 64 << 10;
/// How many characters of the catalog's own words are passed on.
const MAX_WORDS: usize = 500;
/// The header that asks for storage credentials, and what it asks for.
const DELEGATION: HeaderName = HeaderName::from_static("x-iceberg-access-delegation");
const VENDED: HeaderValue = HeaderValue::from_static("vended-credentials");

/// A connection to one catalog.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    auth: Auth,
}

/// What the catalog answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) etag: Option<HeaderValue>,
    body: Bytes,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &without_secret(self.base.as_str())).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(properties: &BTreeMap<String, String>) -> Result<Self> {
        let base = base(required(properties, "uri")?)?;
        // The token server may be another's: what the catalog's headers say is not for it.
        let auth = Auth::new(properties, &base, http(HeaderMap::new())?)?;
        Ok(Self { http: http(headers(properties)?)?, base, auth })
    }

    /// Goes to another address from now on.
    pub(super) fn follow(&mut self, uri: &str) -> Result<()> {
        self.base = base(uri)?;
        Ok(())
    }

    /// Asks for `path`; with `known`, only if the answer is another than the one with that tag.
    pub(super) async fn get(&self, path: &str, known: Option<&HeaderValue>) -> Result<Answer> {
        let mut renewed = false;
        let mut pause = FIRST_PAUSE;
        let mut asked = 0;
        loop {
            asked += 1;
            let mut request = self.request(Method::GET, path, QUESTION_TIMEOUT)?;
            if let Some(tag) = known {
                request.headers_mut().insert(IF_NONE_MATCH, tag.clone());
            }
            match self.send(request).await {
                Ok(answer) if unauthorized(answer.status) && !renewed && self.auth.renewable() => {
                    renewed = true;
                }
                Ok(answer) if asked >= QUESTIONS || !may_pass(answer.status) => return Ok(answer),
                Err(Failure { error, passing }) if asked >= QUESTIONS || !passing => return Err(error),
                Ok(_) | Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }

    /// Posts `body` to `path`, once. If our token was refused, the next request has a new one.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        let body = serde_json::to_vec(body)
            .map_err(|e| Error::inconsistent("a request to the catalog could not be encoded").caused_by(e))?;
        let mut request = self.request(Method::POST, path, CHANGE_TIMEOUT)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        self.send(request).await.map_err(|failure| failure.error)
    }

    fn request(&self, method: Method, path: &str, timeout: Duration) -> Result<Request> {
        let url = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let url = Url::parse(&url)
            .map_err(|e| Error::config(format!("`{path}` is no path of a catalog")).caused_by(e))?;
        let mut request = Request::new(method, url);
        *request.timeout_mut() = Some(timeout);
        Ok(request)
    }

    async fn send(&self, mut request: Request) -> Result<Answer, Failure> {
        let what = format!("{} {}", request.method(), request.url().path());
        let used = self.auth.apply(&mut request).await.map_err(|error| Failure { error, passing: false })?;
        let failed = |e: reqwest::Error| Failure {
            passing: !e.is_timeout(),
            error: Error::unavailable(format!("the catalog did not answer {what}"))
                .caused_by(e.without_url()),
        };
        let response = self.http.execute(request).await.map_err(failed)?;
        let status = response.status();
        if unauthorized(status) {
            self.auth.forget(used.as_ref()).await;
        }
        let etag = response.headers().get(ETAG).cloned();
        let body = if status.is_success() {
            read(response, MAX_METADATA_BYTES).await.map_err(failed)?.ok_or_else(|| Failure {
                error: Error::inconsistent(format!(
                    "the catalog's answer to {what} has more than the {MAX_METADATA_BYTES} bytes that are read: expire snapshots"
                )),
                passing: false,
            })?
        } else {
            // Only words are lost with it.
            read(response, MAX_FAULT_BYTES).await.ok().flatten().unwrap_or_default()
        };
        Ok(Answer { status, etag, body })
    }
}

/// A request without an answer, and whether asking again may help.
struct Failure {
    error: Error,
    passing: bool,
}

impl Answer {
    /// How long the body is.
    pub(super) fn bytes(&self) -> u64 {
        self.body.len() as u64
    }

    /// The body as JSON.
    pub(super) fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Error::unavailable(format!("the catalog's answer is not {what}")).caused_by(e))
    }

    /// What the catalog says went wrong; `None` if it is not the catalog that speaks.
    pub(super) fn fault(&self) -> Option<Fault> {
        serde_json::from_slice::<ErrorAnswer>(&self.body).ok().map(|answer| answer.error)
    }

    /// An error that says what failed and why. Refused credentials may be mended where they are given out, so
    /// they are worth another try; a request that is wrong in itself is not.
    pub(super) fn error(&self, what: &str) -> Error {
        let kind = match self.status.as_u16() {
            401 | 403 | 404 | 407 | 408 | 419 | 425 | 429 => ErrorKind::Unavailable,
            400..=499 | 501 => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        let words = match self.fault() {
            Some(fault) => format!("{} {}", fault.kind, fault.message),
            None => String::from_utf8_lossy(&self.body).into_owned(),
        };
        let words: String = words.chars().take(MAX_WORDS).collect();
        Error::new(kind, format!("{what}: the catalog answered {}: {}", self.status.as_u16(), words.trim()))
    }
}

/// Whether we were not recognised. 419 is Iceberg's own for a token that expired.
fn unauthorized(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 419)
}

/// Whether the catalog is likely to answer soon.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// The body; `None` if it is longer than `limit`.
pub(super) async fn read(mut response: Response, limit: u64) -> Result<Option<Bytes>, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if (body.len() + chunk.len()) as u64 > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

fn base(uri: &str) -> Result<Url> {
    match Url::parse(uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => Ok(url),
        _ => Err(Error::config(format!(
            "catalog property `uri`: expected http(s)://host[:port][/path], got `{}`",
            without_secret(uri)
        ))),
    }
}

fn http(headers: HeaderMap) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("event-ingest/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        // A redirected POST would be sent twice, and a token would go where nobody configured it to.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .map_err(|e| Error::config("cannot make an HTTP client for the catalog").caused_by(e))
}

/// The headers of every request to the catalog: `header.<name>` = value.
fn headers(properties: &BTreeMap<String, String>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::from_iter([(DELEGATION, VENDED)]);
    for (property, value) in properties {
        let Some(name) = property.strip_prefix("header.") else { continue };
        let wrong = || Error::config(format!("catalog property `{property}` makes no HTTP header"));
        let name = HeaderName::try_from(name).map_err(|_| wrong())?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}
