//! The `event-ingest` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    event_ingest::cli::main(std::env::args_os())
}
