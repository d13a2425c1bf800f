//! Input, checked; what is wrong is said in the one form of errors.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::StatusCode;
use http::request::Parts;
use ingest_core::{ObjectUri, TableName};
use serde::de::DeserializeOwned;

use super::failure::{Code, Failure};
use crate::plant::{ListQuery, MAX_LIMIT};

/// Longest text of a parameter, in characters: an object's name, with room.
pub(super) const MAX_TEXT: usize = 2048;
/// Most ids in one change.
pub(super) const MAX_IDS: usize = 100;
/// Largest body of JSON in bytes: so many ids of that length, with room.
pub(super) const MAX_BODY: usize = 1024 * 1024;
/// Longest wait for a body of JSON.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The parameters behind the question mark.
pub(super) struct Params<T>(pub(super) T);

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

/// The id in a path.
pub(super) struct Id(pub(super) String);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(of_query(&error)),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match tokio::time::timeout(BODY_TIME, Json::from_request(request, state)).await {
            Ok(Ok(Json(body))) => Ok(Self(body)),
            Ok(Err(error)) => Err(of_body(&error)),
            Err(_) => {
                let seconds = BODY_TIME.as_secs();
                Err(Failure::new(Code::SlowBody, format!("no whole body within {seconds} s; send it again")))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(text("id", id)?)),
            Err(error) => Err(Failure::new(Code::BadRequest, error.body_text())),
        }
    }
}

fn of_query(error: &QueryRejection) -> Failure {
    Failure::new(Code::BadRequest, error.body_text())
}

fn of_body(error: &JsonRejection) -> Failure {
    let code = match error.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::BadType,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        _ => Code::BadRequest,
    };
    Failure::new(code, error.body_text())
}

/// The part of a list that was asked for.
pub(super) fn list(limit: Option<u32>, after: Option<String>) -> Result<ListQuery, Failure> {
    let default = ListQuery::default();
    let limit = limit.map_or(default.limit, |limit| limit as usize);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(bad("limit", &format!("a number from 1 to {MAX_LIMIT}")));
    }
    let after = after.map(|after| text("after", after)).transpose()?.filter(|after| !after.is_empty());
    Ok(ListQuery { limit, after })
}

/// A text of bounded length.
pub(super) fn text(name: &str, value: String) -> Result<String, Failure> {
    match value.chars().count() <= MAX_TEXT {
        true => Ok(value),
        false => Err(bad(name, &format!("at most {MAX_TEXT} characters"))),
    }
}

/// A table.
pub(super) fn table(value: String) -> Result<TableName, Failure> {
    TableName::parse(&text("table", value)?).map_err(|error| Failure::new(Code::Invalid, error.to_string()))
}

/// An object.
pub(super) fn object(value: String) -> Result<ObjectUri, Failure> {
    ObjectUri::parse(&text("object", value)?).map_err(|error| Failure::new(Code::Invalid, error.to_string()))
}

/// Some ids.
pub(super) fn ids(values: Vec<String>) -> Result<Vec<String>, Failure> {
    if values.is_empty() || values.len() > MAX_IDS {
        return Err(bad("ids", &format!("1 to {MAX_IDS} of them")));
    }
    values.into_iter().map(|id| text("ids", id)).collect()
}

fn bad(name: &str, expected: &str) -> Failure {
    Failure::new(Code::BadRequest, format!("`{name}`: expected {expected}"))
}
