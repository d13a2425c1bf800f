//! Errors, in one form: what happened, in words and as a code, and whether a retry helps.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::plant::{PlantError, PlantErrorKind};

/// Seconds after which something that did not work may be asked for again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Names the kind of failure, and never changes.
    pub code: Code,
    /// What happened, to what, and what to do.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retry: bool,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// 400: the request is not what the document describes.
    BadRequest,
    /// 401: the token was not shown.
    Unauthorized,
    /// 403: nothing can be changed here.
    ReadOnly,
    /// 403: the server was asked by a name that is not its own.
    ForeignHost,
    /// 404: there is no such thing.
    NotFound,
    /// 405: there is no such method.
    BadMethod,
    /// 408: the body did not arrive in time.
    SlowBody,
    /// 413: the body is too large.
    TooLarge,
    /// 415: the body is of another type.
    BadType,
    /// 422: it is as described, and cannot be.
    Invalid,
    /// 429: too many requests at once.
    Busy,
    /// 501: this server cannot do it.
    Unable,
    /// 503: something does not answer now.
    Unavailable,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ReadOnly | Self::ForeignHost => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BadType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Unable => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn retry(self) -> bool {
        matches!(self, Self::SlowBody | Self::Busy | Self::Unavailable)
    }
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry: code.retry() }
    }
}

impl From<PlantError> for Failure {
    fn from(error: PlantError) -> Self {
        let code = match error.kind {
            PlantErrorKind::NotFound => Code::NotFound,
            PlantErrorKind::Invalid => Code::Invalid,
            PlantErrorKind::Unavailable => Code::Unavailable,
            PlantErrorKind::Unable => Code::Unable,
        };
        Self::new(code, error.message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut answer = (self.code.status(), Json(&self)).into_response();
        match self.code {
            Code::Busy | Code::Unavailable => answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER),
            Code::Unauthorized => {
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            _ => None,
        };
        answer
    }
}

/// A path that is none.
pub(super) async fn nowhere() -> Failure {
    Failure::new(Code::NotFound, "there is nothing here; /api/v1/openapi.json describes what there is")
}

/// A method that a path does not have. The router adds the header that names those that it has.
pub(super) async fn bad_method() -> Failure {
    Failure::new(
        Code::BadMethod,
        "this path has no such method; /api/v1/openapi.json describes those that there are",
    )
}

/// What a reading request may be answered besides what was asked for.
pub(super) struct ReadFailures;

/// What a changing request may be answered besides what was asked for.
pub(super) struct ChangeFailures;

impl IntoResponses for ReadFailures {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        described(&READ)
    }
}

impl IntoResponses for ChangeFailures {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut all = described(&READ);
        all.extend(described(&CHANGE));
        all
    }
}

const READ: [(u16, &str); 6] = [
    (400, "the request is not what this document describes"),
    (403, "nothing can be changed here, or the server was asked by a name that is not its own"),
    (404, "there is no such thing"),
    (422, "it is as described, and cannot be"),
    (429, "too many requests at once; ask again"),
    (503, "something does not answer now; ask again"),
];
const CHANGE: [(u16, &str); 5] = [
    (401, "the token was not shown"),
    (408, "the body did not arrive in time; send it again"),
    (413, "the body is too large"),
    (415, "the body is of another type"),
    (501, "this server cannot do it"),
];

fn described(failures: &[(u16, &str)]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Failure"))).build();
    let response =
        |text: &str| ResponseBuilder::new().description(text).content("application/json", content());
    failures.iter().map(|(status, text)| (status.to_string(), response(text).build().into())).collect()
}
