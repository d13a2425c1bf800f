//! What every operator's command is told: which lake, what it may touch, and how to log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use lake::LakeConfig;
use lake_args::{LakeArgs, LakeUse, allow_list, catalog_listing};
use service_kit::config::{Origin, Property};
use service_kit::logging::LoggingArgs;

use crate::standalone::config::{CATALOG_NAME, STORE_NAME};
use crate::standalone::folder::{FolderError, Neighbour};

/// Requests that write data files at once in a command that ingests, unless it says otherwise.
const CONCURRENT_WRITES: usize = 2;

/// Flags whose values come from the folder if there is one.
const OF_FOLDER: [&str; 4] = ["catalog-name", "store-name", "ledger-root", "heavy-root"];

/// The flags that all of the operator's commands have.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("log_level", |arg| arg.default_value("warn")))]
pub struct OperatorArgs {
    /// Folder of a standalone instance: its catalog, warehouse, ledger, store name and, while it runs, S3 endpoint are taken, whatever the environment says. Only --catalog goes over it; --catalog-name, --store-name, --ledger-root and --heavy-root contradict it
    #[arg(long, env = "EVENT_INGEST_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Catalog, storage and ledger.
    #[command(flatten)]
    pub lake: LakeArgs,
    /// What may be read of sources: s3://bucket, s3://bucket/prefix or *; repeatable, or separated by commas. A listing has to lie within one of them. Everything by default: you name the files
    #[arg(long = "allow-source", env = "ALLOW_SOURCES", value_delimiter = ',', default_value = "*")]
    pub allow_source: Vec<String>,
    /// What may be written: namespace.table, namespace.* or *; repeatable, or separated by commas. Everything by default: you name the table
    #[arg(long = "allow-table", env = "ALLOW_TABLES", value_delimiter = ',', default_value = "*")]
    pub allow_table: Vec<String>,
    /// What tables may own: with the option mode=register, files there become data files where they are. Same patterns; nothing by default
    #[arg(long = "own-source", env = "OWN_SOURCES", value_delimiter = ',')]
    pub own_source: Vec<String>,
    /// Logs.
    #[command(flatten)]
    pub logging: LoggingArgs,
    /// Show every effective setting and where it came from, secrets masked, and exit
    #[arg(long)]
    pub print_config: bool,
}

/// The settings as a command uses them.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The lake; makes no tables unless the command says so.
    pub lake: LakeConfig,
    /// Passed-through properties, for `--print-config`.
    pub properties: Vec<(String, Property)>,
}

impl OperatorArgs {
    /// The settings, together with what the environment passes through to the catalog.
    ///
    /// # Errors
    /// A pattern that means nothing, or a folder that is not a standalone instance's.
    pub fn settings(&self, vars: &BTreeMap<String, String>) -> anyhow::Result<Operator> {
        let mut lake = self.lake.clone();
        let properties = match &self.data {
            None => lake.properties(vars),
            Some(data) => {
                CATALOG_NAME.clone_into(&mut lake.catalog_name);
                STORE_NAME.clone_into(&mut lake.store_name);
                lake.ledger_root = None;
                lake.heavy_root = None;
                let mut properties = of_folder(data)?;
                properties.extend(lake.properties(&BTreeMap::new()));
                properties
            }
        };
        let mut listing = catalog_listing(&properties);
        if self.data.is_some() {
            listing.extend(replaced(&lake));
        }
        let purpose = LakeUse {
            allow: allow_list(&self.allow_source, &self.allow_table, &self.own_source)?,
            create_tables: false,
            concurrent_writes: CONCURRENT_WRITES,
        };
        Ok(Operator { lake: lake.config(&properties, purpose), properties: listing })
    }

    /// Fails if a flag contradicts `--data`. `matches` is what was given to the command; a variable contradicts nothing.
    ///
    /// # Errors
    /// The flag.
    pub(crate) fn check_origins(&self, matches: &ArgMatches) -> anyhow::Result<()> {
        let flagged =
            |flag: &&&str| matches.value_source(&flag.replace('-', "_")) == Some(ValueSource::CommandLine);
        match OF_FOLDER.iter().find(flagged) {
            Some(flag) if self.data.is_some() => {
                anyhow::bail!("--{flag} contradicts --data, which takes it from the folder: give one of them")
            }
            _ => Ok(()),
        }
    }
}

/// The settings that a folder says, as `--print-config` lists them in place of flags and variables.
fn replaced(lake: &LakeArgs) -> impl Iterator<Item = (String, Property)> {
    let root = |root: &Option<String>| root.clone().unwrap_or_else(|| "(unset)".to_owned());
    let roots = [root(&lake.ledger_root), root(&lake.heavy_root)];
    let values = [lake.catalog_name.clone(), lake.store_name.clone()].into_iter().chain(roots);
    let shown = |(name, value): (&str, String)| (name.to_owned(), Property { value, origin: Origin::Flag });
    OF_FOLDER.into_iter().zip(values).map(shown)
}

/// Catalog and storage properties of a standalone instance.
fn of_folder(data: &Path) -> Result<BTreeMap<String, Property>, FolderError> {
    let properties = Neighbour::look(data)?.properties();
    let flagged = |(name, value)| (name, Property { value, origin: Origin::Flag });
    Ok(properties.into_iter().map(flagged).collect())
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn args(line: &[&str]) -> OperatorArgs {
        let command = OperatorArgs::augment_args(Command::new("files"));
        let matches = command.get_matches_from(["files"].iter().chain(line));
        OperatorArgs::from_arg_matches(&matches).unwrap()
    }

    fn settings(line: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Operator> {
        let vars = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        args(line).settings(&vars)
    }

    #[test]
    fn an_operator_may_touch_what_it_names_and_is_not_told_of_every_commit() {
        let operator = settings(&[], &[("ICEBERG_CATALOG__URI", "sqlite:////c.db")]).unwrap();
        assert_eq!(operator.lake.properties["uri"], "sqlite:////c.db");
        assert!(operator.lake.allow.allows_table(&"any.table".parse().unwrap()));
        assert!(!operator.lake.create_tables);
        assert_eq!((operator.lake.store_name.as_str(), args(&[]).logging.log_level.as_str()), ("s3", "warn"));
        let narrow = settings(&["--allow-table", "db.*"], &[]).unwrap();
        assert!(!narrow.lake.allow.allows_table(&"other.t".parse().unwrap()));
        assert!(settings(&["--allow-table", "d*"], &[]).unwrap_err().to_string().contains("--allow-table"));
    }

    #[test]
    fn a_standalone_folder_fills_in_all_that_its_server_knows() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().to_str().unwrap();
        let missing = settings(&["--data", data], &[]).unwrap_err().to_string();
        assert!(missing.contains(data), "{missing}");

        std::fs::write(place.path().join("catalog.db"), "").unwrap();
        let env = [("ICEBERG_CATALOG__URI", "sqlite:////elsewhere.db")];
        let line = ["--data", data, "--store-name", "other", "--catalog", "s3.region=eu"];
        let Operator { lake, properties } = settings(&line, &env).unwrap();
        let shown = properties.iter().find(|(name, _)| name == "store-name");
        assert_eq!(shown.map(|(_, property)| property.value.as_str()), Some(STORE_NAME));
        let root = place.path().canonicalize().unwrap();
        assert_eq!(lake.properties["uri"], format!("sqlite:///{}/catalog.db", root.display()));
        assert_eq!(lake.properties["warehouse"], format!("file://{}/warehouse", root.display()));
        assert_eq!((lake.store_name.as_str(), lake.properties["s3.region"].as_str()), (STORE_NAME, "eu"));
        assert!(!lake.properties.contains_key("s3.endpoint"), "no server runs");
    }

    #[test]
    fn a_flag_may_not_contradict_the_folder() {
        let check = |line: &[&str]| {
            let command = OperatorArgs::augment_args(Command::new("files"));
            let matches = command.get_matches_from(["files"].iter().chain(line));
            OperatorArgs::from_arg_matches(&matches).unwrap().check_origins(&matches)
        };
        for flag in OF_FOLDER {
            let flag = format!("--{flag}");
            let error = check(&["--data", "d", &flag, "x"]).unwrap_err().to_string();
            assert!(error.contains(&flag) && error.contains("--data"), "{error}");
            check(&[&flag, "x"]).unwrap();
        }
        check(&["--data", "d", "--catalog", "s3.region=eu"]).unwrap();
    }
}
