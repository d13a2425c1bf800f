//! The command line of event-ingest: the standalone mode and the operator's commands.

pub mod cli;
#[cfg(test)]
mod cli_tests;
pub mod commands;
pub mod standalone;
pub mod survey;
