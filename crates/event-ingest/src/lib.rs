//! The command line of event-ingest: the standalone mode, the operator's commands, and what operators are shown.

pub mod cli;
#[cfg(test)]
mod cli_tests;
pub mod cluster;
pub mod commands;
mod coordinator;
pub mod overview;
mod precedence;
pub mod standalone;
pub mod survey;
