//! A flag goes over a variable that contradicts it. An operator's command runs in the environment of a service, where the
//! file of rules stands in `RULES` and a table in `TABLE`: who gives `--table` there means that table, and who gives
//! neither means the rules. Two flags that contradict each other stay an error, and so do two variables of a service.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// Commands to which a service's variables are only where they happen to run.
const COMMANDS: [&str; 3] = ["ingest", "reconcile", "doctor"];
/// The file of rules.
const RULES: &str = "rules";
/// What it stands in place of.
const REPLACED: [&str; 7] = ["buckets", "prefix", "suffix", "events", "table", "format", "options"];
/// Who gives one of these means something else than the rules. The others alone would be half of that: they stay an error.
const MEANT: [&str; 3] = ["buckets", "prefix", "table"];

/// The command line without the variables that something else goes over.
pub(crate) fn settle(cli: Command, args: &[OsString]) -> Command {
    // What is wrong with the line is said when it is parsed for good.
    let Ok(matches) = cli.clone().ignore_errors(true).try_get_matches_from(args) else { return cli };
    let Some((name, given)) = matches.subcommand().filter(|(name, _)| COMMANDS.contains(name)) else {
        return cli;
    };
    let flags = |ids: &[&str]| ids.iter().any(|id| of(given, id) == Some(ValueSource::CommandLine));
    let forgotten: &[&str] = match of(given, RULES) {
        Some(ValueSource::EnvVariable) if flags(&MEANT) => &[RULES],
        Some(_) => &REPLACED,
        None => &[],
    };
    cli.mut_subcommand(name, |command| {
        let known: Vec<String> = command.get_arguments().map(|arg| arg.get_id().to_string()).collect();
        let ids = known.iter().filter(|id| forgotten.contains(&id.as_str()));
        ids.fold(command, |command, id| command.mut_arg(id, |arg| arg.env(None::<&'static str>)))
    })
}

fn of(given: &ArgMatches, id: &str) -> Option<ValueSource> {
    given.try_contains_id(id).ok()?;
    given.value_source(id)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    /// Variables that the test's own command reads; `cargo` sets them for every test.
    const SET: [&str; 2] = ["CARGO_PKG_NAME", "CARGO_PKG_VERSION"];

    /// What is meant by this line where both variables are set, or only that of the table.
    fn meant(
        line: &[&str],
        rules_are_set: bool,
    ) -> Result<(Option<String>, Option<String>), clap::error::ErrorKind> {
        let rules = Arg::new("rules").long("rules").conflicts_with("table");
        let rules = if rules_are_set { rules.env(SET[0]) } else { rules };
        let ingest = Command::new("ingest").arg(rules).arg(Arg::new("table").long("table").env(SET[1]));
        let ingest = ingest.arg(Arg::new("suffix").long("suffix").conflicts_with("rules"));
        let cli = Command::new("x").subcommand(ingest);
        let args: Vec<OsString> = ["x", "ingest"].iter().chain(line).map(OsString::from).collect();
        let matches = settle(cli, &args).try_get_matches_from(&args).map_err(|error| error.kind())?;
        let given = matches.subcommand().unwrap().1;
        let value = |id: &str| given.get_one::<String>(id).cloned();
        Ok((value("rules"), value("table")))
    }

    #[test]
    fn a_flag_goes_over_a_variable_and_rules_go_over_a_table() {
        let set = |text: &str| Some(text.to_owned());
        let (rules, table) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        assert_eq!(meant(&[], true), Ok((set(rules), None)));
        assert_eq!(meant(&[], false), Ok((None, set(table))));
        assert_eq!(meant(&["--table", "db.a"], true), Ok((None, set("db.a"))));
        assert_eq!(meant(&["--rules", "r.yaml"], true), Ok((set("r.yaml"), None)));
        let half = meant(&["--suffix", ".csv"], true);
        assert_eq!(half, Err(clap::error::ErrorKind::ArgumentConflict), "whose files would these be?");
        let both = meant(&["--rules", "r.yaml", "--table", "db.a"], true);
        assert_eq!(both, Err(clap::error::ErrorKind::ArgumentConflict));
    }
}
