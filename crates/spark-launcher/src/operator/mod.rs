//! Spark on Kubernetes: an attempt is a SparkApplication of Kubeflow's Spark operator.
//!
//! What it looks like is pure: [`application`] from attempt and settings. The rest asks the Kubernetes API, a call at a
//! time, and tells what it says in the terms of [`Backend`](crate::Backend).

mod answer;
mod api;
mod args;
mod backend;
mod build;
mod config;
mod label;
mod merge;
mod resource;
mod sizing;
mod state;
mod template;

pub use args::OperatorArgs;
pub use backend::OperatorBackend;
pub use build::{DIGEST_ANNOTATION, application, content_digest};
pub use config::{MAX_TIME_TO_LIVE, OperatorConfig, OperatorConfigError};
pub use label::label_value;
pub use sizing::{Size, Sizing};
pub use template::{MAX_TEMPLATE_BYTES, Template, TemplateError};
