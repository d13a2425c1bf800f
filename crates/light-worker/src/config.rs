//! Settings: flags over environment over defaults.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ingest_core::{RequestDefaults, TableName};
use lake::LakeConfig;
use lake_args::{AllowError, LakeArgs, LakeUse, allow_list, catalog_listing};
use service_kit::config::{Property, byte_size, duration, number, positive, socket_address};
use service_kit::intake::http::HttpLimits;
use service_kit::kafka::{
    BackoffLimits, ClientProperties, INTAKE_DEFAULTS, KafkaArgs, KafkaIntakeConfig, PropertyError,
};
use service_kit::logging::LoggingArgs;
use service_kit::outlet::{OutletConfig, SinkUrl};
use service_kit::traces::TracesArgs;

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

/// Appends files to Apache Iceberg tables on request: CloudEvents over HTTP, or from Kafka
#[derive(Parser, Debug, Clone)]
#[command(name = "light-worker", version)]
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

    /// Kafka topic of the requests
    #[arg(long, env = "LIGHT_TOPIC", default_value = "light-ingest")]
    pub topic: String,
    /// Kafka consumer group
    #[arg(long, env = "LIGHT_GROUP", default_value = "light-worker")]
    pub group: String,
    /// Kafka topic for the answers to requests that came from Kafka; none if not given
    #[arg(long, env = "RESULTS_TOPIC")]
    pub results_topic: Option<String>,
    /// Kafka topic for records that cannot be handled
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "ingest-dlq")]
    pub dead_letter_topic: String,
    /// Kafka topic for an event about each file that is set aside, sent before its request is answered; none if not given
    #[arg(long, env = "QUARANTINE_TOPIC")]
    pub quarantine_topic: Option<String>,
    /// Address that takes the same events over HTTP; a Knative SinkBinding sets it
    // Parsed later: clap repeats a wrong value in its error, and this one may hold a password.
    #[arg(long, env = "K_SINK", value_name = "URL", hide_env_values = true)]
    pub event_sink: Option<String>,
    /// Shortest delay before a Kafka record is tried again
    #[arg(long, env = "RETRY_DELAY_MIN", default_value = "200ms", value_parser = duration)]
    pub retry_delay_min: Duration,
    /// Longest delay before a Kafka record is tried again
    #[arg(long, env = "RETRY_DELAY_MAX", default_value = "30s", value_parser = duration)]
    pub retry_delay_max: Duration,
    /// librdkafka's own properties.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// Catalog, storage and ledger.
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
    /// What tables may own: with the option mode=register, files there become data files where they are. Same patterns; nothing by default
    #[arg(long = "own-source", env = "OWN_SOURCES", value_delimiter = ',')]
    pub own_source: Vec<String>,
    /// What may be written: namespace.table, namespace.* or *; repeatable, or separated by commas
    #[arg(long = "allow-table", env = "ALLOW_TABLES", value_delimiter = ',', default_value = "db.*")]
    pub allow_table: Vec<String>,

    /// Requests that write data files at once; each takes about 100 MiB of memory
    #[arg(long, env = "CONCURRENT_WRITES", default_value = "2", value_parser = positive)]
    pub concurrent_writes: usize,
    /// Requests worked on at once, for each source
    #[arg(long, env = "REQUEST_CONCURRENCY", default_value = "64", value_parser = positive)]
    pub concurrency: usize,
    /// HTTP requests that may wait for their turn; more are answered 429
    #[arg(long, env = "REQUEST_QUEUE", default_value = "64", value_parser = number)]
    pub queue: usize,
    /// Largest body of an HTTP request, in bytes or with a unit
    #[arg(long, env = "BODY_LIMIT", default_value = "4MiB", value_parser = byte_size)]
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
    /// Where news of files that are set aside goes.
    pub quarantine_events: OutletConfig,
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

/// A setting that cannot be used as it is. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A Kafka property.
    #[error(transparent)]
    Kafka(#[from] PropertyError),
    /// `--allow-source` or `--allow-table`.
    #[error(transparent)]
    Allow(#[from] AllowError),
    /// The sink's address.
    #[error("--event-sink (K_SINK): {0}")]
    Sink(String),
    /// The delays contradict one another.
    #[error(
        "--retry-delay-min (RETRY_DELAY_MIN): expected at most --retry-delay-max {longest:?}, was given {first:?}"
    )]
    RetryDelays {
        /// The shortest delay.
        first: Duration,
        /// The longest.
        longest: Duration,
    },
}

impl Args {
    /// The settings, together with what the environment passes through to librdkafka and to the catalog.
    pub fn config(&self, vars: &BTreeMap<String, String>) -> Result<Config, ConfigError> {
        let catalog = self.lake.properties(vars);
        let kafka = ClientProperties::new(vars.clone(), &self.kafka.properties)?;
        if self.retry_delay_min > self.retry_delay_max {
            return Err(ConfigError::RetryDelays {
                first: self.retry_delay_min,
                longest: self.retry_delay_max,
            });
        }
        let purpose = LakeUse {
            allow: allow_list(&self.allow_source, &self.allow_table, &self.own_source)?,
            create_tables: self.create_tables,
            concurrent_writes: self.concurrent_writes,
        };
        let mut properties = catalog_listing(&catalog);
        // A missing broker is an error now, not when a client starts.
        let intake = if self.source == Source::Http {
            None
        } else {
            kafka.consumer_with(INTAKE_DEFAULTS, &self.group)?;
            Some((self.kafka_intake(), kafka.clone()))
        };
        let news = match &self.quarantine_topic {
            Some(topic) => {
                kafka.producer()?;
                Some((topic.clone(), kafka.clone()))
            }
            None => None,
        };
        let sink = self.event_sink.as_deref().map(SinkUrl::parse).transpose().map_err(ConfigError::Sink)?;
        let uses_kafka = intake.is_some() || news.is_some();
        if uses_kafka {
            let of_intake = if intake.is_some() { INTAKE_DEFAULTS } else { &[] };
            properties.extend(kafka.listing_with(of_intake));
        }
        Ok(Config {
            listen: self.port.map_or(self.listen, |port| (Ipv4Addr::UNSPECIFIED, port).into()),
            http: (self.source != Source::Kafka).then(|| self.http_limits()),
            ignored_variables: if uses_kafka { kafka.ignored().to_vec() } else { Vec::new() },
            kafka: intake,
            quarantine_events: OutletConfig { topic: news, sink },
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
