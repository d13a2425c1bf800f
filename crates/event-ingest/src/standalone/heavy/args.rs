//! Flags of the heavy lane.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use service_kit::config::{byte_size, key_value};

/// Who reads heavy batches.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heavy {
    /// Spark, if spark-submit and the job are found; this process otherwise.
    Auto,
    /// This process, as it reads all others.
    Inline,
    /// Spark; without it nothing starts.
    SparkSubmit,
}

/// How heavy batches are read.
#[derive(Args, Debug, Clone)]
pub struct HeavyArgs {
    /// Who reads heavy batches: this process (inline) or Spark; auto takes Spark where spark-submit and the job are found
    #[arg(long, env = "EVENT_INGEST_HEAVY", value_name = "NAME", default_value = "auto")]
    pub heavy: Heavy,
    /// A batch of this size or more is heavy
    #[arg(long, env = "EVENT_INGEST_LIGHT_MAX_BYTES", value_name = "SIZE", default_value = "500MB", value_parser = byte_size)]
    pub light_max_bytes: u64,
    /// Spark's spark-submit; looked for in $SPARK_HOME/bin and on the PATH if not given
    #[arg(long, env = "SPARK_SUBMIT", value_name = "FILE")]
    pub spark_submit: Option<PathBuf>,
    /// The Spark job's file
    #[arg(long, env = "SPARK_JOB", value_name = "FILE", default_value = "/opt/event-ingest/main.py")]
    pub spark_job: PathBuf,
    /// Spark's master: Spark has to run on this machine
    #[arg(long, env = "SPARK_MASTER_URL", value_name = "MASTER", default_value = "local[*,4]")]
    pub spark_master: String,
    /// A property of Spark; repeatable. Every user of the machine can see it
    #[arg(long = "spark-conf", value_name = "KEY=VALUE", value_parser = key_value)]
    pub spark_conf: Vec<(String, String)>,
    /// A further argument of spark-submit, as in --spark-arg=--jars --spark-arg=a.jar,b.jar; repeatable
    #[arg(long = "spark-arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub spark_args: Vec<String>,
}
