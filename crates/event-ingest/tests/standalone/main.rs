//! The standalone mode, piece by piece and whole. One program, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails with the line that says so")]

mod chunked;
mod commands;
mod files;
mod flow;
mod heavy;
mod listing;
mod metrics;
mod operations;
mod reconcile;
mod s3;
mod server;
#[cfg(feature = "sql")]
mod sql;
mod store;
mod support;
