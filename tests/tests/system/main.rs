//! The whole system against the real parts: Apache Kafka, the S3 protocol, three catalogs, independent readers.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails with the line that says so")]

mod announced;
mod broker_killed;
mod bucket;
mod catalogs;
mod corpus;
mod crash;
mod dispatcher_killed;
mod dlq;
mod heavy;
mod hostile;
mod killed;
mod limited;
mod many;
mod metrics;
mod monitoring;
mod notify;
mod operate;
mod pipeline;
mod positions;
mod real_data;
mod requested;
mod rolling;
mod rounds;
mod roundtrip;
mod rules;
mod security;
mod standalone;
mod statistics;
mod topics;
mod traced;
mod worker;
