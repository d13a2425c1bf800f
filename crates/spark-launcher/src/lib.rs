//! The spark launcher: owns heavy requests until every object of them is in the table or set aside.
//!
//! | module | what it is |
//! |---|---|
//! | [`decide`] | the rule: what to do next about a record; pure |
//! | [`record`] | what owns a request, in object storage |
//! | [`launcher`] | the shell that does what the rule says |
//! | [`accept`], [`scan`], `tidy` | when it does: a request comes, time passes, things are left behind |
//! | [`sink`] | what it needs of tables |
//! | [`Backend`]; [`operator`], [`Submit`], [`Inline`] | what runs attempts |
//! | [`Config`], [`run`] | the service around all this |

#![warn(missing_docs)]

pub mod accept;
mod assemble;
mod backend;
mod config;
pub mod decide;
mod handler;
mod held;
mod inline;
pub mod launcher;
mod metrics;
pub mod operator;
pub mod record;
mod run;
pub mod scan;
pub mod sink;
mod sink_lake;
mod submit;
mod tidy;

pub use assemble::{BackendStartError, assemble, records};
pub use backend::{Attempt, AttemptName, AttemptState, Backend, BackendError};
pub use config::{Args, BackendConfig, BackendKind, Config, ConfigError, Source};
pub use handler::{HeavyHandler, SOURCE};
pub use inline::Inline;
pub use metrics::{
    ATTEMPTS, CLOSED, DURATION, GIVEN_UP, LAST_SCAN, LauncherMetrics, OLDEST, RECORDS, SCAN_FAILURES,
    STALE_BRANCHES,
};
pub use run::{RunError, run, run_on};
pub use submit::{Submit, SubmitArgs, SubmitConfig, Variables};
