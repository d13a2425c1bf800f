//! Flags and environment variables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, ValueEnum};
use ingest_core::{FileFormat, Glob, MAX_FILES_PER_REQUEST, Rule, RuleSet, TableName, Target, Unmatched};
use service_kit::config::{
    byte_size, duration, number, number_from_one_to, positive, socket_address, some_time,
};
use service_kit::kafka::KafkaArgs;
use service_kit::logging::LoggingArgs;
use service_kit::rules::RulesSource;
use service_kit::traces::TracesArgs;

use crate::notify::NotifyArgs;

/// What becomes of a batch that would leave the light limits.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverflowArg {
    /// It fills up all the same and goes to the heavy lane.
    Heavy,
    /// It closes first, so that only single large objects go to the heavy lane.
    Split,
}

/// What becomes of a new object that no rule wants, or of unknown format.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnmatched {
    /// It is counted and passed over.
    Ignore,
    /// Its record goes to the dead letters.
    DeadLetter,
}

impl From<OnUnmatched> for Unmatched {
    fn from(arg: OnUnmatched) -> Self {
        match arg {
            OnUnmatched::Ignore => Self::Ignore,
            OnUnmatched::DeadLetter => Self::DeadLetter,
        }
    }
}

/// Which objects are wanted, and for which table: the same for the dispatcher and for whoever lists what it should have seen.
#[derive(ClapArgs, Debug, Clone)]
pub struct RuleArgs {
    /// YAML file of rules in place of the flags for buckets, keys, events, table and format; read again when it changes
    #[arg(
        long,
        env = "RULES",
        value_name = "FILE",
        conflicts_with_all = ["buckets", "prefix", "suffix", "events", "table", "format"]
    )]
    pub rules: Option<PathBuf>,
    /// Buckets to take objects from, * for any run of characters; repeatable, or separated by commas
    #[arg(long = "bucket", env = "BUCKETS", value_delimiter = ',', default_value = "*")]
    pub buckets: Vec<Glob>,
    /// Keys begin with this
    #[arg(long, env = "KEY_PREFIX", default_value = "")]
    pub prefix: String,
    /// Keys end with this
    #[arg(long, env = "KEY_SUFFIX", default_value = "")]
    pub suffix: String,
    /// Event names without s3:, * for any run of characters; repeatable, or separated by commas
    #[arg(long = "event", env = "EVENTS", value_delimiter = ',', default_value = "ObjectCreated:*")]
    pub events: Vec<Glob>,
    /// Table of the objects, as namespace.name
    #[arg(long, env = "TABLE", default_value = "db.my_table")]
    pub table: TableName,
    /// Format of the objects: parquet, csv or json; told by the suffix of each key if not given
    #[arg(long, env = "FORMAT")]
    pub format: Option<FileFormat>,
}

impl RuleArgs {
    /// The file of rules, or the one rule that these flags are.
    pub fn source(&self) -> RulesSource {
        match &self.rules {
            Some(path) => RulesSource::File(path.clone()),
            None => RulesSource::Given(RuleSet::new([self.rule()])),
        }
    }

    fn rule(&self) -> Rule {
        Rule {
            name: "flags".to_owned(),
            buckets: self.buckets.clone(),
            prefix: self.prefix.clone(),
            suffix: self.suffix.clone(),
            events: self.events.iter().map(Rule::event).collect(),
            ..Rule::all(Target { format: self.format, ..Target::new(self.table.clone()) })
        }
    }
}

/// Batches announcements of new objects from Kafka and sends each batch to the light or the heavy lane
#[derive(Parser, Debug, Clone)]
#[command(name = "dispatcher", version)]
pub struct Args {
    /// Address for /livez, /readyz and /metrics
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8081", value_name = "IP:PORT", value_parser = socket_address)]
    pub listen: SocketAddr,

    /// Kafka topic of the announcements
    #[arg(long, env = "TOPIC", default_value = "s3-events")]
    pub topic: String,
    /// Kafka consumer group
    #[arg(long, env = "GROUP", default_value = "dispatcher-group")]
    pub group: String,
    /// Kafka topic for light requests
    #[arg(long, env = "LIGHT_TOPIC", default_value = "light-ingest")]
    pub light_topic: String,
    /// Kafka topic for heavy requests
    #[arg(long, env = "HEAVY_TOPIC", default_value = "heavy-ingest")]
    pub heavy_topic: String,
    /// Kafka topic for records that cannot be handled
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "ingest-dlq")]
    pub dead_letter_topic: String,
    /// librdkafka's own properties.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// Which objects are wanted, and for which table.
    #[command(flatten)]
    pub rule: RuleArgs,
    /// What becomes of objects that match nothing, or whose suffix tells no format; a file of rules may say otherwise
    #[arg(long, env = "UNMATCHED", default_value = "ignore")]
    pub unmatched: OnUnmatched,

    /// A batch closes at this many files
    #[arg(long, env = "BATCH_MAX_FILES", default_value = "50", value_parser = number_from_one_to(MAX_FILES_PER_REQUEST))]
    pub batch_max_files: usize,
    /// A batch closes this long after its first file was taken in
    #[arg(long, env = "BATCH_MAX_WAIT", default_value = "30s", value_parser = some_time)]
    pub batch_max_wait: Duration,
    /// A batch closes when no file came for this long; not by this if not given
    #[arg(long, env = "IDLE", value_parser = some_time)]
    pub idle: Option<Duration>,
    /// A batch closes before its request grows beyond this size; keep it under the brokers' max.message.bytes
    #[arg(long, env = "BATCH_MAX_REQUEST_BYTES", default_value = "900kB", value_parser = byte_size)]
    pub batch_max_request_bytes: u64,
    /// A light batch is smaller than this
    #[arg(long, env = "LIGHT_MAX_BYTES", default_value = "500MB", value_parser = byte_size)]
    pub light_max_bytes: u64,
    /// A light batch has at most this many files
    #[arg(long, env = "LIGHT_MAX_FILES", default_value = "200", value_parser = number)]
    pub light_max_files: usize,
    /// What becomes of a batch that would leave the light limits
    #[arg(long, env = "OVERFLOW", default_value = "heavy")]
    pub overflow: OverflowArg,
    /// Announcements held in memory, in open and unacknowledged batches, before reading pauses
    #[arg(long, env = "MAX_HELD", default_value = "20000", value_parser = positive)]
    pub max_held: usize,
    /// Dead letters in flight before reading pauses; each is held whole
    #[arg(long, env = "MAX_DEAD_LETTERS", default_value = "32", value_parser = positive)]
    pub max_dead_letters: usize,

    /// How long a rebalance may wait for requests in flight; has to be shorter than the session.timeout.ms of Kafka
    #[arg(long, env = "REVOKE_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub revoke_timeout: Duration,
    /// How long open batches may take to get out at shutdown
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "25s", value_parser = duration)]
    pub shutdown_timeout: Duration,
    /// How long /readyz waits for Kafka
    #[arg(long, env = "READY_TIMEOUT", default_value = "5s", value_parser = duration)]
    pub ready_timeout: Duration,

    /// Notifications over HTTP.
    #[command(flatten)]
    pub notify: NotifyArgs,

    /// Logs.
    #[command(flatten)]
    pub logging: LoggingArgs,
    /// Traces.
    #[command(flatten)]
    pub traces: TracesArgs,
    /// Show every effective setting and where it came from, secrets masked, and exit
    #[arg(long)]
    pub print_config: bool,
}
