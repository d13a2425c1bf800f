//! `event-ingest maintain`: Iceberg's own maintenance of a table, by Spark.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::Context;
use clap::Args;
use ingest_core::TableName;
use service_kit::config::key_value;
use service_kit::shutdown;
use tokio::process::Command;

use super::exit::Interrupted;
use super::print::OutputArgs;

/// Rewrite small files and manifests, expire snapshots, remove orphan files; ledger and stages are never harmed
#[derive(Args, Debug)]
pub struct MaintainArgs {
    /// Table
    #[arg(value_name = "TABLE")]
    table: TableName,
    /// Options of the job, after `--`: which procedures, and how old what goes has to be. `-- --help` lists them
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
    /// Spark's spark-submit
    #[arg(long, env = "SPARK_SUBMIT", default_value = "spark-submit", value_name = "FILE")]
    spark_submit: PathBuf,
    /// The job's file: spark/event_ingest_job/maintenance.py of the repository
    #[arg(
        long,
        env = "SPARK_MAINTENANCE_JOB",
        default_value = "/opt/event-ingest/event_ingest_job/maintenance.py",
        value_name = "FILE"
    )]
    spark_job: String,
    /// The master, such as local[2] or yarn; Spark's own configuration says it otherwise
    #[arg(long, env = "SPARK_MASTER_URL")]
    spark_master: Option<String>,
    /// A property of Spark, the catalog's among them; repeatable. Every user of the machine can see it: secrets belong into Spark's files or the environment
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    spark_conf: Vec<(String, String)>,
    /// A further argument before the job, as in --spark-arg=--queue --spark-arg=ingest; repeatable
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    spark_arg: Vec<String>,
    /// Show the command, and do not run it
    #[arg(long)]
    dry_run: bool,
    /// How the command is shown; what Spark's job prints is its own.
    #[command(flatten)]
    output: OutputArgs,
}

impl MaintainArgs {
    /// The arguments of `spark-submit`.
    fn line(&self) -> Vec<String> {
        let mut line = Vec::new();
        if let Some(master) = &self.spark_master {
            line.extend(["--master".to_owned(), master.clone()]);
        }
        for (key, value) in &self.spark_conf {
            line.extend(["--conf".to_owned(), format!("{key}={value}")]);
        }
        line.extend(self.spark_arg.iter().cloned());
        line.extend([self.spark_job.clone(), self.table.to_string()]);
        line.extend(self.options.iter().cloned());
        line
    }
}

/// Runs the job; its exit code is the command's. An interruption ends it.
///
/// # Errors
/// It cannot be run, or was interrupted.
pub fn run(args: &MaintainArgs) -> anyhow::Result<ExitCode> {
    let line = args.line();
    if args.dry_run {
        let program = args.spark_submit.display().to_string();
        match args.output.is_json() {
            true => println!("{}", serde_json::json!({"program": program, "arguments": line})),
            false => println!("{program} {}", line.join(" ")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = shutdown::on_signal()?;
        let mut command = Command::new(&args.spark_submit);
        command.args(&line).stdin(Stdio::null()).kill_on_drop(true);
        let mut job =
            command.spawn().with_context(|| format!("cannot run {}", args.spark_submit.display()))?;
        let status = stop.run_until_cancelled(job.wait()).await.ok_or_else(Interrupted::default)??;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    })
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    #[test]
    fn the_job_gets_the_table_and_what_follows_two_hyphens() {
        let line = [
            "maintain",
            "db.t",
            "--spark-master=local[1]",
            "--spark-conf=a=b=c",
            "--",
            "--expire-snapshots",
            "--retain",
            "50",
        ];
        let matches = MaintainArgs::augment_args(Command::new("maintain")).get_matches_from(line);
        let args = MaintainArgs::from_arg_matches(&matches).unwrap();
        let job = "/opt/event-ingest/event_ingest_job/maintenance.py";
        let expected =
            ["--master", "local[1]", "--conf", "a=b=c", job, "db.t", "--expire-snapshots", "--retain", "50"];
        assert_eq!(args.line(), expected);
    }
}
