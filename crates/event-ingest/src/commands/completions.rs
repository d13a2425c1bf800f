//! `event-ingest completions`: what a shell needs to complete command lines.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "bash: event-ingest completions bash > ~/.local/share/bash-completion/completions/event-ingest\nzsh:  event-ingest completions zsh > \"${fpath[1]}/_event-ingest\"\nfish: event-ingest completions fish > ~/.config/fish/completions/event-ingest.fish"
)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Writes the script.
///
/// # Errors
/// The output is closed.
pub fn run(cli: &mut Command, args: &CompletionsArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    // clap's generator panics where writing fails: it writes to memory.
    let mut script = Vec::new();
    generate(args.shell, cli, cli.get_name().to_owned(), &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
