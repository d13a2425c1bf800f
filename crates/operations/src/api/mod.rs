//! The same over HTTP: routes below `/api/v1`, and the OpenAPI document that describes them.
//!
//! | module | what it is |
//! |---|---|
//! | `read` | what anybody may ask who can reach the address |
//! | `change` | what needs the token |
//! | `access` | who may change something, and by which name the server is asked |
//! | `gate` | how many requests at once, and for how long |
//! | `recent` | one status for all who look at the same time |
//! | `extract`, `failure` | input and errors in one form |
//! | `headers` | what browsers are told not to do |

mod access;
mod change;
mod extract;
mod failure;
mod gate;
mod headers;
mod read;
mod recent;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use axum::{Json, Router, middleware};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Plant;
pub use access::{Access, Token, TokenError};
pub use failure::{Code, Failure};
use gate::Gate;
use recent::Recent;

/// Name of the security scheme in the document.
const BEARER: &str = "token";

/// What all handlers share.
#[derive(Clone)]
struct Api {
    plant: Arc<dyn Plant>,
    access: Arc<Access>,
    reads: Gate,
    changes: Gate,
    uploads: Gate,
    status: Arc<Recent>,
}

/// The admin API and the console, and `others` under the same guard. Paths: `/api/v1/…`, `/`, `/console/…`.
pub fn router(plant: Arc<dyn Plant>, access: Access, others: Router) -> Router {
    let access = Arc::new(access);
    let state = Api {
        plant,
        access: access.clone(),
        reads: Gate::new(gate::READS),
        changes: Gate::new(gate::CHANGES),
        uploads: Gate::new(gate::UPLOADS),
        status: Arc::default(),
    };
    let (routes, document) = described().split_for_parts();
    let document = Arc::new(document);
    let described = get(move || async move { Json(document.as_ref().clone()) });
    Router::new()
        .merge(routes.with_state(state))
        .route("/api/v1/openapi.json", described)
        .route("/api/v1/{*anything}", any(failure::nowhere))
        .merge(crate::console::router())
        .merge(others)
        .method_not_allowed_fallback(failure::bad_method)
        .layer(DefaultBodyLimit::max(extract::MAX_BODY))
        .layer(middleware::from_fn_with_state(access, access::own_name))
        .layer(middleware::map_response(headers::put))
}

/// The document that describes the routes.
#[must_use]
pub fn document() -> OpenApi {
    described().split_for_parts().1
}

fn described() -> OpenApiRouter<Api> {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token that the server was given; without one it changes nothing."));
    let components = ComponentsBuilder::new()
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()))
        .schema_from::<Failure>()
        .schema_from::<Code>();
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let info = InfoBuilder::new()
        .title("event-ingest admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("What an operator sees and may do. Ids of snapshots are texts."))
        .license(Some(license));
    let base = OpenApiBuilder::new().info(info.build()).components(Some(components.build())).build();
    OpenApiRouter::with_openapi(base)
        .routes(routes!(read::permissions))
        .routes(routes!(read::status))
        .routes(routes!(read::files))
        .routes(routes!(read::story))
        .routes(routes!(read::quarantined))
        .routes(routes!(read::dead_letters))
        .routes(routes!(read::heavy_jobs))
        .routes(routes!(change::retry_quarantined))
        .routes(routes!(change::redrive))
        .routes(routes!(change::retry_heavy))
        .routes(routes!(change::cancel_heavy))
        .routes(routes!(change::upload))
}
