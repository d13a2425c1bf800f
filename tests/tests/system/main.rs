//! The whole system against the real parts: Apache Kafka, the S3 protocol, a SQL catalog, independent readers.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails with the line that says so")]

mod bucket;
mod crash;
mod metrics;
mod pipeline;
mod standalone;
mod worker;
