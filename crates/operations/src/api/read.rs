//! What anybody may ask who can reach the address.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Api;
use super::extract::{Params, list, object, table, text};
use super::failure::{Failure, ReadFailures};
use crate::model::{
    DeadLetter, FileLine, FileState, HeavyJob, Page, Permissions, Quarantined, Status, Story,
};
use crate::plant::{FilesQuery, TableQuery};

type Answer<T> = Result<Json<T>, Failure>;

/// What the sender of this request may do here
#[utoipa::path(get, path = "/api/v1/permissions", operation_id = "permissions", tag = "look",
    responses((status = 200, body = Permissions), ReadFailures))]
pub(super) async fn permissions(State(api): State<Api>, headers: HeaderMap) -> Json<Permissions> {
    Json(Permissions {
        abilities: api.plant.abilities(),
        read_only: api.access.token.is_none(),
        admitted: api.access.admits(&headers),
    })
}

/// The whole at a glance: problems with their mends, the flow, tables
#[utoipa::path(get, path = "/api/v1/status", operation_id = "status", tag = "look",
    responses((status = 200, body = Status), ReadFailures))]
pub(super) async fn status(State(api): State<Api>) -> Answer<Status> {
    let status = async { Ok::<_, Failure>(api.status.of(&*api.plant).await) };
    api.reads.run(status).await.map(Json)
}

/// Which lines about objects.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FilesParams {
    /// Only of this table, as `namespace.name`
    #[param(max_length = 2048)]
    table: Option<String>,
    /// Only objects whose name, `s3://bucket/key`, has this text in it
    #[param(max_length = 2048)]
    text: Option<String>,
    /// Only in this state
    state: Option<FileState>,
    /// At most so many; 100 unless given
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before
    #[param(max_length = 2048)]
    after: Option<String>,
}

/// The newest lines about objects. A page may have fewer lines than asked for and still name a next one
#[utoipa::path(get, path = "/api/v1/files", operation_id = "files", tag = "look", params(FilesParams),
    responses((status = 200, body = Page<FileLine>), ReadFailures))]
pub(super) async fn files(
    State(api): State<Api>,
    Params(params): Params<FilesParams>,
) -> Answer<Page<FileLine>> {
    let query = FilesQuery {
        table: params.table.map(table).transpose()?,
        text: text("text", params.text.unwrap_or_default())?,
        state: params.state,
        list: list(params.limit, params.after)?,
    };
    api.reads.run(api.plant.files(&query)).await.map(Json)
}

/// Which object.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StoryParams {
    /// The object, as `s3://bucket/key`, the key as it is
    #[param(max_length = 2048)]
    object: String,
    /// Only as far as this table is concerned
    #[param(max_length = 2048)]
    table: Option<String>,
}

/// All that is known of one object
#[utoipa::path(get, path = "/api/v1/story", operation_id = "story", tag = "look", params(StoryParams),
    responses((status = 200, body = Story), ReadFailures))]
pub(super) async fn story(State(api): State<Api>, Params(params): Params<StoryParams>) -> Answer<Story> {
    let object = object(params.object)?;
    let table = params.table.map(table).transpose()?;
    api.reads.run(api.plant.story(&object, table.as_ref())).await.map(Json)
}

/// Which things of a table.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TableParams {
    /// Only of this table, as `namespace.name`
    #[param(max_length = 2048)]
    table: Option<String>,
    /// At most so many; 100 unless given
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before
    #[param(max_length = 2048)]
    after: Option<String>,
}

/// Objects that were set aside
#[utoipa::path(get, path = "/api/v1/quarantine", operation_id = "quarantine", tag = "look", params(TableParams),
    responses((status = 200, body = Page<Quarantined>), ReadFailures))]
pub(super) async fn quarantined(
    State(api): State<Api>,
    Params(params): Params<TableParams>,
) -> Answer<Page<Quarantined>> {
    let query =
        TableQuery { table: params.table.map(table).transpose()?, list: list(params.limit, params.after)? };
    api.reads.run(api.plant.quarantined(&query)).await.map(Json)
}

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// At most so many; 100 unless given
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before
    #[param(max_length = 2048)]
    after: Option<String>,
}

/// Notifications and requests that could not be used
#[utoipa::path(get, path = "/api/v1/dead-letters", operation_id = "dead_letters", tag = "look", params(ListParams),
    responses((status = 200, body = Page<DeadLetter>), ReadFailures))]
pub(super) async fn dead_letters(
    State(api): State<Api>,
    Params(params): Params<ListParams>,
) -> Answer<Page<DeadLetter>> {
    let query = list(params.limit, params.after)?;
    api.reads.run(api.plant.dead_letters(&query)).await.map(Json)
}

/// Requests that Spark carries out
#[utoipa::path(get, path = "/api/v1/heavy", operation_id = "heavy", tag = "look", params(ListParams),
    responses((status = 200, body = Page<HeavyJob>), ReadFailures))]
pub(super) async fn heavy_jobs(
    State(api): State<Api>,
    Params(params): Params<ListParams>,
) -> Answer<Page<HeavyJob>> {
    let query = list(params.limit, params.after)?;
    api.reads.run(api.plant.heavy_jobs(&query)).await.map(Json)
}
