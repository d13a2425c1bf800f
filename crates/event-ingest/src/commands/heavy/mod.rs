//! `event-ingest heavy`: the requests that the spark launcher owns, and what a person may do about them.

mod change;
mod list;
mod show;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{ArgMatches, Args, Command, Subcommand};
use lake::Lake;
use spark_launcher::record::Record;
use spark_launcher::record::store::{Found, Records};
use spark_launcher::record::summary::Summary;

use super::{look, operate};

/// Digits of a record's id that are enough to name it, if no other has the same.
const LEAST_DIGITS: usize = 6;
/// Closed records that are looked through.
const MAX_CLOSED: usize = 10_000;

/// Requests that the spark launcher owns
#[derive(Args, Debug)]
pub struct HeavyArgs {
    #[command(subcommand)]
    command: HeavyCommand,
}

#[derive(Subcommand, Debug)]
enum HeavyCommand {
    /// List requests, the oldest first; exit code 3 if one of them was given up
    List(list::ListArgs),
    /// Show one request: its attempts, how they ended, and where their logs are
    Show(show::ShowArgs),
    /// Let requests that were given up try again
    Retry(change::RetryArgs),
    /// End requests: what runs is stopped, what is in the table stays
    Cancel(change::CancelArgs),
}

/// Runs the subcommand that was given.
///
/// # Errors
/// Wrong settings, no such request, or a store that does not answer.
pub fn run(cli: &Command, matches: &ArgMatches, args: HeavyArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        HeavyCommand::List(args) => look(cli, matches, &args.operator.clone(), |config| async move {
            list::list(&records(&Lake::open(config).await?)?, &args).await
        }),
        HeavyCommand::Show(args) => look(cli, matches, &args.operator.clone(), |config| async move {
            show::show(&records(&Lake::open(config).await?)?, &args).await
        }),
        HeavyCommand::Retry(args) => operate(cli, matches, &args.operator.clone(), |config, _| async move {
            change::retry(&records(&Lake::open(config).await?)?, &args).await
        }),
        HeavyCommand::Cancel(args) => operate(cli, matches, &args.operator.clone(), |config, _| async move {
            change::cancel(&records(&Lake::open(config).await?)?, &args).await
        }),
    }
}

fn records(lake: &Lake) -> anyhow::Result<Records> {
    Ok(spark_launcher::records(lake)?)
}

/// The live record that a person means by an id, the beginning of one, or the name of an application.
async fn live(records: &Records, name: &str) -> anyhow::Result<Record> {
    let found = find_live(records, name).await?;
    found.with_context(|| format!("no live request `{name}`: `event-ingest heavy list` shows them"))
}

async fn find_live(records: &Records, name: &str) -> anyhow::Result<Option<Record>> {
    let begins = digits(name)?;
    let mut ids: Vec<String> = records.list().await?.into_iter().map(|listed| listed.id).collect();
    ids.retain(|id| id.starts_with(begins));
    match ids.as_slice() {
        [] => Ok(None),
        [id] => match records.find(id).await? {
            Found::Live(record) => Ok(Some(*record)),
            Found::Vacant(_) => Ok(None),
        },
        several => bail!("`{name}` may be any of {}: give more digits", several.join(", ")),
    }
}

/// The live or closed record that a person means.
async fn any(records: &Records, name: &str) -> anyhow::Result<Summary> {
    if let Some(record) = find_live(records, name).await? {
        return Ok(Summary::of(records, &record).await?);
    }
    let begins = digits(name)?;
    let mut stories = records.stories(MAX_CLOSED).await?;
    stories.retain(|(id, _)| id.starts_with(begins));
    match stories.as_slice() {
        [] => bail!("no request `{name}`, live or closed: `event-ingest heavy list --closed 100` shows them"),
        [(id, _)] => Ok(records.closed(id).await?.context("it was removed just now")?.into()),
        several => bail!("`{name}` may be any of {} closed requests: give more digits", several.len()),
    }
}

/// The digits of an id in what a person gave.
fn digits(name: &str) -> anyhow::Result<&str> {
    let digits = name.strip_prefix("ingest-").unwrap_or(name);
    let digits = digits.split_once('-').map_or(digits, |(digits, _)| digits);
    if digits.len() < LEAST_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("`{name}` is no request: expected {LEAST_DIGITS} to 40 hex digits, or an application's name");
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_its_digits_or_its_application() {
        for name in ["0123ab", "ingest-0123ab", "ingest-0123ab-2"] {
            assert_eq!(digits(name).unwrap(), "0123ab");
        }
        for name in ["0123a", "", "ingest-", "label", "ingest-label-1"] {
            assert!(digits(name).is_err(), "{name}");
        }
    }
}
