//! Settings: flags over environment over defaults.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ingest_core::{RequestDefaults, TableName};
use lake::LakeConfig;
use lake_args::{AllowError, LakeArgs, LakeUse, allow_list, catalog_listing};
use service_kit::config::{Property, byte_size, duration, number, positive, socket_address, some_time};
use service_kit::intake::http::HttpLimits;
use service_kit::kafka::{
    BackoffLimits, ClientProperties, INTAKE_DEFAULTS, KafkaArgs, KafkaIntakeConfig, PropertyError,
};
use service_kit::logging::LoggingArgs;
use service_kit::traces::TracesArgs;

use crate::decide::Limits;
use crate::operator::{OperatorArgs, OperatorConfig, OperatorConfigError};
use crate::submit::{SubmitArgs, SubmitConfig};

/// Where requests come from.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// POST / at the listen address.
    Http,
    /// A Kafka topic.
    Kafka,
    /// Both.
    Both,
}

/// What runs attempts.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// SparkApplications of the Spark operator.
    SparkOperator,
    /// Processes of spark-submit on this machine.
    SparkSubmit,
    /// This process, without Spark.
    Inline,
}

/// Owns heavy requests until every file of them is in its Apache Iceberg table or set aside: CloudEvents over HTTP, or
/// from Kafka
#[derive(Parser, Debug, Clone)]
#[command(name = "spark-launcher", version)]
pub struct Args {
    /// Address for requests, /livez, /readyz and /metrics
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080", value_name = "IP:PORT", value_parser = socket_address)]
    pub listen: SocketAddr,
    /// Port on all interfaces; goes over the listen address. Knative sets it
    #[arg(long, env = "PORT")]
    pub port: Option<u16>,
    /// Where requests come from
    #[arg(long, env = "REQUEST_SOURCE", default_value = "http")]
    pub source: Source,

    /// What runs attempts
    #[arg(long, env = "HEAVY_BACKEND", value_name = "NAME")]
    pub backend: BackendKind,
    /// How often all records are looked at
    #[arg(long, env = "SCAN_INTERVAL", default_value = "30s", value_parser = some_time)]
    pub scan_interval: Duration,
    /// Look at all records once and exit: for a CronJob beside a service that scales to zero
    #[arg(long)]
    pub scan_once: bool,
    /// Attempts that may leave something undone before a request is given up
    #[arg(long, env = "MAX_ATTEMPTS", default_value = "5", value_parser = positive)]
    pub max_attempts: usize,
    /// Pause after the first attempt that left something undone; each next one is twice as long
    #[arg(long, env = "ATTEMPT_PAUSE_MIN", default_value = "30s", value_parser = duration)]
    pub attempt_pause_min: Duration,
    /// Longest pause between attempts
    #[arg(long, env = "ATTEMPT_PAUSE_MAX", default_value = "30m", value_parser = duration)]
    pub attempt_pause_max: Duration,
    /// Requests that are owned at once; more are answered 429
    #[arg(long, env = "MAX_RECORDS", default_value = "1000", value_parser = positive)]
    pub max_records: usize,
    /// With inline: attempts at once; each takes about 100 MiB of memory
    #[arg(long, env = "INLINE_ATTEMPTS", default_value = "1", value_parser = positive)]
    pub inline_attempts: usize,
    /// How the Spark operator is told.
    #[command(flatten)]
    pub operator: OperatorArgs,
    /// How spark-submit is run.
    #[command(flatten)]
    pub submit: SubmitArgs,

    /// Kafka topic of the requests
    #[arg(long, env = "HEAVY_TOPIC", default_value = "heavy-ingest")]
    pub topic: String,
    /// Kafka consumer group
    #[arg(long, env = "HEAVY_GROUP", default_value = "spark-launcher")]
    pub group: String,
    /// Kafka topic for the answers to requests that came from Kafka; none if not given
    #[arg(long, env = "RESULTS_TOPIC")]
    pub results_topic: Option<String>,
    /// Kafka topic for records that cannot be handled
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "ingest-dlq")]
    pub dead_letter_topic: String,
    /// Shortest delay before a Kafka record is tried again
    #[arg(long, env = "RETRY_DELAY_MIN", default_value = "200ms", value_parser = duration)]
    pub retry_delay_min: Duration,
    /// Longest delay before a Kafka record is tried again
    #[arg(long, env = "RETRY_DELAY_MAX", default_value = "30s", value_parser = duration)]
    pub retry_delay_max: Duration,
    /// librdkafka's own properties.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// Catalog, storage, ledger and records.
    #[command(flatten)]
    pub lake: LakeArgs,
    /// Table of requests that name none
    #[arg(long, env = "DEFAULT_TABLE", default_value = "db.my_table")]
    pub default_table: TableName,
    /// Make a table that is missing, with the schema of the first file that arrives for it
    #[arg(long, env = "CREATE_TABLES")]
    pub create_tables: bool,
    /// What may be read: s3://bucket, s3://bucket/prefix or *; repeatable, or separated by commas
    #[arg(
        long = "allow-source",
        env = "ALLOW_SOURCES",
        value_delimiter = ',',
        default_value = "s3://events-inbox"
    )]
    pub allow_source: Vec<String>,
    /// What may be written: namespace.table, namespace.* or *; repeatable, or separated by commas
    #[arg(long = "allow-table", env = "ALLOW_TABLES", value_delimiter = ',', default_value = "db.*")]
    pub allow_table: Vec<String>,

    /// Requests worked on at once, for each source
    #[arg(long, env = "REQUEST_CONCURRENCY", default_value = "8", value_parser = positive)]
    pub concurrency: usize,
    /// HTTP requests that may wait for their turn; more are answered 429
    #[arg(long, env = "REQUEST_QUEUE", default_value = "64", value_parser = number)]
    pub queue: usize,
    /// Largest body of an HTTP request, in bytes or with a unit
    #[arg(long, env = "BODY_LIMIT", default_value = "16MiB", value_parser = byte_size)]
    pub body_limit: u64,
    /// How long the body of an HTTP request may take to arrive
    #[arg(long, env = "BODY_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub body_timeout: Duration,
    /// After how long an HTTP request is answered 503, while its work goes on
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "280s", value_parser = duration)]
    pub request_timeout: Duration,
    /// How long /readyz waits for the catalog and Kafka
    #[arg(long, env = "READY_TIMEOUT", default_value = "5s", value_parser = duration)]
    pub ready_timeout: Duration,
    /// How long requests in flight may take to finish at shutdown
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "25s", value_parser = duration)]
    pub shutdown_timeout: Duration,

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

/// The settings as the service uses them.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address of everything over HTTP.
    pub listen: SocketAddr,
    /// Bounds of the HTTP intake, if it is wanted.
    pub http: Option<HttpLimits>,
    /// What to consume, and how to reach the brokers, if Kafka is wanted.
    pub kafka: Option<(KafkaIntakeConfig, ClientProperties)>,
    /// What runs attempts.
    pub backend: BackendConfig,
    /// Bounds of what is done about a record.
    pub limits: Limits,
    /// Most live records.
    pub max_records: usize,
    /// How often all records are looked at.
    pub scan_interval: Duration,
    /// Whether that is all, once.
    pub scan_once: bool,
    /// Catalog, storage and what is allowed.
    pub lake: LakeConfig,
    /// What requests may leave out.
    pub defaults: RequestDefaults,
    /// Bound of a readiness check.
    pub ready_timeout: Duration,
    /// Bound of the shutdown.
    pub shutdown_timeout: Duration,
    /// Passed-through properties, for `--print-config`.
    pub properties: Vec<(String, Property)>,
    /// Variables that look like Kafka properties, and are none.
    pub ignored_variables: Vec<String>,
}

/// A backend's settings.
#[derive(Debug, Clone)]
pub enum BackendConfig {
    /// So many attempts at once in this process.
    Inline(usize),
    /// SparkApplications.
    Operator(Box<OperatorConfig>),
    /// Processes.
    Submit(SubmitConfig),
}

/// A setting that cannot be used as it is. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A Kafka property.
    #[error(transparent)]
    Kafka(#[from] PropertyError),
    /// `--allow-source` or `--allow-table`.
    #[error(transparent)]
    Allow(#[from] AllowError),
    /// The Spark operator's.
    #[error("--backend spark-operator: {0}")]
    Operator(#[from] OperatorConfigError),
    /// Attempts would end with the scan that begins them.
    #[error("--scan-once: with --backend inline attempts end with this process; give another backend")]
    ScanOnce,
    /// Two settings contradict one another.
    #[error("{shorter}: expected at most {longer} {longest:?}, was given {first:?}")]
    Order {
        /// Flag and variable of the shorter time.
        shorter: &'static str,
        /// Flag of the longer one.
        longer: &'static str,
        /// The shorter time.
        first: Duration,
        /// The longer one.
        longest: Duration,
    },
}

impl Args {
    /// The settings, together with what the environment passes through to librdkafka and to the catalog.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn config(&self, vars: &BTreeMap<String, String>) -> Result<Config, ConfigError> {
        if self.scan_once && self.backend == BackendKind::Inline {
            return Err(ConfigError::ScanOnce);
        }
        let catalog = self.lake.properties(vars);
        let kafka = ClientProperties::new(vars.clone(), &self.kafka.properties)?;
        let delays = (self.retry_delay_min, self.retry_delay_max);
        in_order("--retry-delay-min (RETRY_DELAY_MIN)", "--retry-delay-max", delays)?;
        let pauses = (self.attempt_pause_min, self.attempt_pause_max);
        in_order("--attempt-pause-min (ATTEMPT_PAUSE_MIN)", "--attempt-pause-max", pauses)?;
        let purpose = LakeUse {
            allow: allow_list(&self.allow_source, &self.allow_table, &[])?,
            create_tables: self.create_tables,
            concurrent_writes: self.inline_attempts,
        };
        let mut properties = catalog_listing(&catalog);
        // A missing broker is an error now, not when a client starts.
        let intake = if self.source == Source::Http {
            None
        } else {
            kafka.consumer_with(INTAKE_DEFAULTS, &self.group)?;
            properties.extend(kafka.listing_with(INTAKE_DEFAULTS));
            Some((self.kafka_intake(), kafka.clone()))
        };
        Ok(Config {
            listen: self.port.map_or(self.listen, |port| (Ipv4Addr::UNSPECIFIED, port).into()),
            http: (self.source != Source::Kafka).then(|| self.http_limits()),
            ignored_variables: if intake.is_some() { kafka.ignored().to_vec() } else { Vec::new() },
            kafka: intake,
            backend: match self.backend {
                BackendKind::Inline => BackendConfig::Inline(self.inline_attempts),
                BackendKind::SparkOperator => BackendConfig::Operator(Box::new(self.operator.config()?)),
                BackendKind::SparkSubmit => BackendConfig::Submit(self.submit.config()),
            },
            limits: Limits {
                attempts: self.max_attempts,
                first_pause: self.attempt_pause_min,
                longest_pause: self.attempt_pause_max,
                ..Limits::default()
            },
            max_records: self.max_records,
            scan_interval: self.scan_interval,
            scan_once: self.scan_once,
            lake: self.lake.config(&catalog, purpose),
            defaults: RequestDefaults { table: self.default_table.clone() },
            ready_timeout: self.ready_timeout,
            shutdown_timeout: self.shutdown_timeout,
            properties,
        })
    }

    fn http_limits(&self) -> HttpLimits {
        HttpLimits {
            body: usize::try_from(self.body_limit).unwrap_or(usize::MAX),
            body_timeout: self.body_timeout,
            request_timeout: self.request_timeout,
            concurrency: self.concurrency,
            queue: self.queue,
        }
    }

    fn kafka_intake(&self) -> KafkaIntakeConfig {
        KafkaIntakeConfig {
            topic: self.topic.clone(),
            group: self.group.clone(),
            results_topic: self.results_topic.clone(),
            dead_letter_topic: self.dead_letter_topic.clone(),
            concurrency: self.concurrency,
            backoff: BackoffLimits { first: self.retry_delay_min, longest: self.retry_delay_max },
            drain: self.shutdown_timeout,
        }
    }
}

fn in_order(
    shorter: &'static str,
    longer: &'static str,
    (first, longest): (Duration, Duration),
) -> Result<(), ConfigError> {
    if first > longest {
        return Err(ConfigError::Order { shorter, longer, first, longest });
    }
    Ok(())
}
