//! What needs the token. It is checked before anything of a body is read.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Json;
use axum::body::{Body as HttpBody, BodyDataStream};
use axum::extract::State;
use futures::{StreamExt, stream};
use http::{HeaderMap, header};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Api;
use super::access::Admitted;
use super::extract::{Body, Id, Params, ids, table};
use super::failure::{ChangeFailures, Code, Failure};
use crate::model::{Changed, Redrive, RetryQuarantined, Uploaded};
use crate::plant::{PlantError, Upload};

/// Longest wait for the next piece of a body.
const IDLE: Duration = Duration::from_secs(60);
/// Longest key, in characters.
const MAX_KEY: usize = 1024;
/// What an upload is sent as.
const BYTES: &str = "application/octet-stream";

type Answer<T> = Result<Json<T>, Failure>;

/// Request objects of the quarantine again, as they were announced
#[utoipa::path(post, path = "/api/v1/quarantine/retry", operation_id = "retry_quarantined", tag = "change",
    request_body = RetryQuarantined, security(("token" = [])),
    responses((status = 200, body = Changed), ChangeFailures))]
pub(super) async fn retry_quarantined(
    State(api): State<Api>,
    _: Admitted,
    Body(wanted): Body<RetryQuarantined>,
) -> Answer<Changed> {
    let (table, ids) = (table(wanted.table)?, ids(wanted.ids)?);
    api.changes.run(api.plant.retry_quarantined(&table, &ids)).await.map(Json)
}

/// Send dead letters back to where they came from
#[utoipa::path(post, path = "/api/v1/dead-letters/redrive", operation_id = "redrive", tag = "change",
    request_body = Redrive, security(("token" = [])),
    responses((status = 200, body = Changed), ChangeFailures))]
pub(super) async fn redrive(
    State(api): State<Api>,
    _: Admitted,
    Body(wanted): Body<Redrive>,
) -> Answer<Changed> {
    let ids = ids(wanted.ids)?;
    api.changes.run(api.plant.redrive(&ids)).await.map(Json)
}

/// Let a heavy request that was given up try again
#[utoipa::path(post, path = "/api/v1/heavy/{id}/retry", operation_id = "retry_heavy", tag = "change",
    params(("id" = String, Path, description = "Id of its record", max_length = 2048)), security(("token" = [])),
    responses((status = 200, body = Changed), ChangeFailures))]
pub(super) async fn retry_heavy(State(api): State<Api>, _: Admitted, Id(id): Id) -> Answer<Changed> {
    api.changes.run(api.plant.retry_heavy(&id)).await.map(Json)
}

/// End a heavy request; what is in the table stays
#[utoipa::path(post, path = "/api/v1/heavy/{id}/cancel", operation_id = "cancel_heavy", tag = "change",
    params(("id" = String, Path, description = "Id of its record", max_length = 2048)), security(("token" = [])),
    responses((status = 200, body = Changed), ChangeFailures))]
pub(super) async fn cancel_heavy(State(api): State<Api>, _: Admitted, Id(id): Id) -> Answer<Changed> {
    api.changes.run(api.plant.cancel_heavy(&id)).await.map(Json)
}

/// What a file is to be called.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadParams {
    /// The key that it is to have in the bucket, verbatim
    #[param(min_length = 1, max_length = 1024)]
    key: String,
}

/// Put a file into the bucket, as an S3 client would
#[utoipa::path(post, path = "/api/v1/uploads", operation_id = "upload", tag = "change", params(UploadParams),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), security(("token" = [])),
    responses((status = 200, body = Uploaded), ChangeFailures))]
pub(super) async fn upload(
    State(api): State<Api>,
    _: Admitted,
    Params(params): Params<UploadParams>,
    headers: HeaderMap,
    body: HttpBody,
) -> Answer<Uploaded> {
    let Some(target) = api.plant.abilities().upload else {
        return Err(PlantError::unable("files cannot be uploaded here: put them into the bucket").into());
    };
    let key = params.key;
    if key.is_empty() || key.chars().count() > MAX_KEY {
        return Err(Failure::new(Code::BadRequest, format!("`key`: expected 1 to {MAX_KEY} characters")));
    }
    if headers.get(header::CONTENT_TYPE).is_none_or(|value| value != BYTES) {
        return Err(Failure::new(Code::BadType, format!("send the file itself, as `Content-Type: {BYTES}`")));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > target.max_bytes) {
        return Err(too_large(target.max_bytes));
    }
    let broken = Arc::new(OnceLock::new());
    let body = bounded(body.into_data_stream(), target.max_bytes, broken.clone());
    let upload = Upload { key, body: body.boxed() };
    let done = api.uploads.run(api.plant.upload(upload)).await;
    // What the body came to grief of says more than that it could not be read.
    done.map(Json).map_err(|failure| broken.get().cloned().unwrap_or(failure))
}

/// The pieces of a body, until they are too many or do not come.
fn bounded(
    body: BodyDataStream,
    max_bytes: u64,
    broken: Arc<OnceLock<Failure>>,
) -> impl futures::Stream<Item = Result<bytes::Bytes, String>> + Send {
    let begin = (Some(body), 0u64, broken);
    stream::unfold(begin, move |(body, before, broken)| async move {
        let mut body = body?;
        let failure = match tokio::time::timeout(IDLE, body.next()).await {
            Ok(None) => return None,
            Ok(Some(Ok(bytes))) => {
                let size = before + bytes.len() as u64;
                match size <= max_bytes {
                    true => return Some((Ok(bytes), (Some(body), size, broken))),
                    false => too_large(max_bytes),
                }
            }
            Ok(Some(Err(error))) => {
                Failure::new(Code::SlowBody, format!("the body broke off: {error}; send it again"))
            }
            Err(_) => {
                Failure::new(Code::SlowBody, format!("nothing came for {} s; send it again", IDLE.as_secs()))
            }
        };
        let message = failure.message.clone();
        // Only the first counts, and there is no second: the body ends here.
        let _ = broken.set(failure);
        Some((Err(message), (None, before, broken)))
    })
}

fn too_large(max_bytes: u64) -> Failure {
    Failure::new(
        Code::TooLarge,
        format!("a file may have {max_bytes} bytes here: put larger ones into the bucket"),
    )
}
