//! What every service needs around its own work: configuration, logs, metrics, traces, health, shutdown, and the two ways
//! by which events come in (CloudEvents over HTTP, and over Kafka).

#![warn(missing_docs)]

pub mod admin;
pub mod config;
pub mod event;
pub mod intake;
pub mod kafka;
pub mod logging;
pub mod metrics;
pub mod outlet;
pub mod rules;
pub mod serve;
pub mod shutdown;
pub mod traces;
