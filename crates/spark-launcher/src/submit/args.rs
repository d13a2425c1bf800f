//! Flags of the backend `spark-submit`.

use std::path::PathBuf;

use clap::Args;
use service_kit::config::{byte_size, key_value, positive};

use super::{SubmitConfig, Variables};

/// How attempts are submitted, if they are.
#[derive(Args, Debug, Clone)]
pub struct SubmitArgs {
    /// With spark-submit: the program
    #[arg(long = "spark-submit", env = "SPARK_SUBMIT", default_value = "spark-submit", value_name = "FILE")]
    pub program: PathBuf,
    /// With spark-submit: the job's file, local or where Spark can read it
    #[arg(
        long = "spark-job",
        env = "SPARK_JOB",
        default_value = "/opt/event-ingest/main.py",
        value_name = "FILE"
    )]
    pub job: String,
    /// With spark-submit: the master, such as local[2] or yarn; Spark's own configuration says it otherwise
    #[arg(long = "spark-master", env = "SPARK_MASTER_URL")]
    pub master: Option<String>,
    /// With spark-submit: a property of Spark; repeatable. Every user of the machine can see it: secrets belong into Spark's files or the environment
    #[arg(long = "spark-conf", value_name = "KEY=VALUE", value_parser = key_value)]
    pub conf: Vec<(String, String)>,
    /// With spark-submit: a further argument before the job, as in --spark-arg=--queue --spark-arg=ingest; repeatable
    #[arg(long = "spark-arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub arguments: Vec<String>,
    /// With spark-submit: folder for logs and process numbers, of this launcher alone
    #[arg(
        long = "spark-work-dir",
        env = "SPARK_WORK_DIR",
        default_value = "/var/lib/event-ingest/spark",
        value_name = "DIR"
    )]
    pub folder: PathBuf,
    /// With spark-submit: processes at once
    #[arg(long = "spark-processes", env = "SPARK_PROCESSES", default_value = "1", value_parser = positive)]
    pub at_once: usize,
    /// With spark-submit: a log that has grown beyond this begins anew
    #[arg(long = "spark-log-limit", env = "SPARK_LOG_LIMIT", default_value = "64MiB", value_parser = byte_size)]
    pub log_bytes: u64,
}

impl SubmitArgs {
    /// The settings as the backend uses them.
    pub fn config(&self) -> SubmitConfig {
        SubmitConfig {
            program: self.program.clone(),
            master: self.master.clone(),
            conf: self.conf.clone(),
            arguments: self.arguments.clone(),
            job: self.job.clone(),
            folder: self.folder.clone(),
            at_once: self.at_once,
            log_bytes: self.log_bytes,
            variables: Variables::default(),
        }
    }
}
