//! `event-ingest man`: manual pages, made of the same definitions as `--help`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::{Man, generate_to};

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "To read a page: event-ingest man | man -l -\nTo install all:  event-ingest man --folder /usr/local/share/man/man1"
)]
pub struct ManArgs {
    /// Write a page for every command into this folder, made if it is missing, instead of the main page to standard output
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// Writes the pages.
///
/// # Errors
/// The folder cannot be written, or the output is closed.
pub fn run(cli: Command, args: &ManArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match &args.folder {
        None => Man::new(cli).render(out)?,
        Some(folder) => {
            let write = || fs::create_dir_all(folder).and_then(|()| generate_to(cli, folder));
            write().with_context(|| format!("cannot write the pages to {}", folder.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
