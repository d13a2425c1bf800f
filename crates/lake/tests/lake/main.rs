//! The lake over a SQLite catalog, a local warehouse and buckets in memory.
#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails with the line that says so")]

mod evolve;
mod exactly_once;
mod faults;
mod fixture;
mod foreign;
mod golden;
mod group;
mod observed;
mod orphans;
mod outstanding;
mod owning;
mod parquet_types;
mod partitions;
mod ready;
mod rebuild;
mod register;
mod rest;
mod rewriting;
mod schema_policy;
mod splicing;
mod sql;
mod staged;
mod text;
mod types;
mod verify;
