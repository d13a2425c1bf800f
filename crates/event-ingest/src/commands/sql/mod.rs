//! `event-ingest sql`: a question to the tables, answered on the spot. It only reads, and sees each table at one snapshot.
//!
//! The engine is behind the cargo feature `sql`, as it is a large part of the program: images do without it.

#[cfg(feature = "sql")]
mod engine;
#[cfg(feature = "sql")]
mod rows;

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use lake::LakeConfig;

use super::print::OutputArgs;
#[cfg(feature = "sql")]
use super::print::watched;
use super::settings::OperatorArgs;

/// Longest statement that is read from standard input, in bytes.
const MAX_STATEMENT: u64 = 1 << 20;

/// The flags of the command.
#[derive(Args, Debug, Clone)]
pub struct SqlArgs {
    /// One SELECT over tables as namespace.name, such as "select count(*) from db.my_table"; - reads it from standard input
    #[arg(value_name = "STATEMENT")]
    pub statement: String,
    /// Rows that are printed at most; that there are more is said on standard error
    #[arg(long, value_name = "NUMBER", default_value = "1000")]
    pub max_rows: NonZeroUsize,
    /// Memory for sorting, grouping and joining at most, in MiB; what takes more goes through temporary files
    #[arg(long, value_name = "MIB", default_value = "1024")]
    pub memory: NonZeroUsize,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What all commands have.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

impl SqlArgs {
    fn statement(&self, input: impl Read) -> anyhow::Result<String> {
        if self.statement != "-" {
            return Ok(self.statement.clone());
        }
        let mut text = String::new();
        let read = input.take(MAX_STATEMENT + 1).read_to_string(&mut text);
        let length = read.context("standard input holds no statement")?;
        anyhow::ensure!(length as u64 <= MAX_STATEMENT, "a statement has {MAX_STATEMENT} bytes at most");
        Ok(text)
    }
}

/// Runs the command.
///
/// # Errors
/// No such statement, table or column; a table that cannot be read; or a build without the engine.
#[cfg(feature = "sql")]
pub async fn run(
    args: SqlArgs,
    config: LakeConfig,
    input: impl Read,
    mut out: impl Write,
) -> anyhow::Result<ExitCode> {
    let statement = args.statement(input)?;
    let lake = lake::Lake::open(config).await?;
    let answer = watched("the tables are opened", engine::ask(&lake, &statement, args.memory)).await?;
    let more = rows::write(&mut out, answer, args.max_rows.get(), args.output.is_json()).await?;
    if more {
        writeln!(io::stderr(), "there are more rows than {}: --max-rows", args.max_rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says that this build has no engine.
///
/// # Errors
/// Always.
#[cfg(not(feature = "sql"))]
#[expect(clippy::unused_async, reason = "with the engine it waits")]
pub async fn run(
    args: SqlArgs,
    _: LakeConfig,
    input: impl Read,
    mut out: impl Write,
) -> anyhow::Result<ExitCode> {
    args.statement(input)?;
    out.flush().and_then(|()| io::stderr().flush())?;
    anyhow::bail!(
        "this program was built without SQL, as those in the images are: `cargo build --release -p event-ingest` has it"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sql: SqlArgs,
    }

    #[test]
    fn a_statement_is_an_argument_or_standard_input_and_has_a_bound() {
        let said = |statement: &str, input: &[u8]| {
            Line::parse_from(["x", statement]).sql.statement(input).map_err(|error| error.to_string())
        };
        assert_eq!(said("select 1", b"select 2"), Ok("select 1".to_owned()));
        assert_eq!(said("-", b"select 2"), Ok("select 2".to_owned()));
        let long = vec![b' '; usize::try_from(MAX_STATEMENT).unwrap() + 1];
        assert!(said("-", &long).unwrap_err().contains("bytes at most"));
        assert_eq!(said("-", &long[1..]).map(|text| text.len()), Ok(long.len() - 1));
    }
}
