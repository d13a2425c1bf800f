//! The light worker: takes requests as CloudEvents, over HTTP and straight from Kafka, brings their rows into tables
//! through [`lake`], and answers with what became of every file.

#![warn(missing_docs)]

mod config;
mod handler;
mod ingest;
mod quarantined;
mod run;

pub use config::{Args, Config, ConfigError, Source};
pub use handler::{IngestHandler, SOURCE};
pub use ingest::Ingest;
pub use quarantined::{QuarantineEvents, quarantined};
pub use run::{RunError, run, run_on};
