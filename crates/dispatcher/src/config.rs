//! The settings as the service uses them, and what contradicts itself.

use std::net::SocketAddr;
use std::time::Duration;

use ingest_core::batching::{BatchingConfig, Overflow};
use ingest_core::{Lane, LightLimits, Unmatched};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use service_kit::config::Property;
use service_kit::kafka::{ClientProperties, LAG_STATISTICS, PropertyError};
use service_kit::rules::RulesSource;

use crate::args::{Args, OverflowArg};
use crate::notify::{NotifyConfig, NotifyError};

/// librdkafka's own default of `session.timeout.ms`.
const SESSION_TIMEOUT: Duration = Duration::from_secs(45);

/// What the consumer gets beside service-kit's defaults unless the user says otherwise.
const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    // Partitions that stay are not given up while others move.
    ("partition.assignment.strategy", "cooperative-sticky"),
    LAG_STATISTICS,
];

/// The topics of Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Announcements come from here.
    pub source: String,
    /// Light requests go here.
    pub light: String,
    /// Heavy requests go here.
    pub heavy: String,
    /// Records that cannot be handled go here.
    pub dead_letters: String,
}

/// The settings as the service uses them.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address of the admin endpoints.
    pub listen: SocketAddr,
    /// The topics.
    pub topics: Topics,
    /// The consumer group.
    pub group: String,
    /// How to reach the brokers.
    pub kafka: ClientProperties,
    /// Which objects are wanted, and for which table.
    pub rules: RulesSource,
    /// What becomes of the others, unless the rules say it.
    pub unmatched: Unmatched,
    /// When batches close and where they go.
    pub batching: BatchingConfig,
    /// The webhook, if there is to be one.
    pub notify: Option<NotifyConfig>,
    /// Bound of a rebalance's wait for requests in flight.
    pub revoke_timeout: Duration,
    /// Bound of the shutdown.
    pub shutdown_timeout: Duration,
    /// Bound of a readiness check.
    pub ready_timeout: Duration,
}

/// A setting that cannot be used as it is. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A Kafka property.
    #[error(transparent)]
    Kafka(#[from] PropertyError),
    /// The webhook.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// A topic that would feed the dispatcher with its own output.
    #[error("{setting}: expected a topic other than --topic (TOPIC), was given {topic:?} for both")]
    Loop {
        /// The flag and the variable.
        setting: &'static str,
        /// The topic.
        topic: String,
    },
    /// A bound that a single batch could reach.
    #[error(
        "--max-held (MAX_HELD): expected at least --batch-max-files (BATCH_MAX_FILES), {files}, was given {held}"
    )]
    MaxHeld {
        /// Files of a batch.
        files: usize,
        /// Announcements held.
        held: usize,
    },
    /// A rebalance that could outlive the consumer's session.
    #[error(
        "--revoke-timeout (REVOKE_TIMEOUT): expected less than Kafka's session.timeout.ms, {session:?}, was given {revoke:?}"
    )]
    RevokeTimeout {
        /// The wait.
        revoke: Duration,
        /// The session.
        session: Duration,
    },
}

impl Args {
    /// The settings, together with what the environment passes through to librdkafka.
    pub fn config(&self, vars: impl IntoIterator<Item = (String, String)>) -> Result<Config, ConfigError> {
        let config = Config {
            listen: self.listen,
            topics: Topics {
                source: self.topic.clone(),
                light: self.light_topic.clone(),
                heavy: self.heavy_topic.clone(),
                dead_letters: self.dead_letter_topic.clone(),
            },
            group: self.group.clone(),
            kafka: ClientProperties::new(vars, &self.kafka.properties)?,
            rules: self.rule.source(),
            unmatched: self.unmatched.into(),
            batching: self.batching(),
            notify: self.notify.config()?,
            revoke_timeout: self.revoke_timeout,
            shutdown_timeout: self.shutdown_timeout,
            ready_timeout: self.ready_timeout,
        };
        config.check()?;
        Ok(config)
    }

    fn batching(&self) -> BatchingConfig {
        BatchingConfig {
            max_files: self.batch_max_files,
            max_request_bytes: usize::try_from(self.batch_max_request_bytes).unwrap_or(usize::MAX),
            max_wait: self.batch_max_wait,
            idle: self.idle,
            light: LightLimits { max_bytes: self.light_max_bytes, max_files: self.light_max_files },
            overflow: match self.overflow {
                OverflowArg::Heavy => Overflow::Heavy,
                OverflowArg::Split => Overflow::Split,
            },
            max_held: self.max_held,
            max_dead_letters: self.max_dead_letters,
            let_go_after: BatchingConfig::default().let_go_after,
        }
    }
}

impl Config {
    /// The properties of the consumer.
    pub(crate) fn consumer(&self) -> Result<ClientConfig, PropertyError> {
        let mut config = self.kafka.consumer_with(CONSUMER_DEFAULTS, &self.group)?;
        // librdkafka tells the id of a topic in its log alone: see `positions`.
        let debug =
            [config.get("debug"), Some("metadata")].into_iter().flatten().collect::<Vec<_>>().join(",");
        config.set("debug", debug).set_log_level(RDKafkaLogLevel::Debug);
        Ok(config)
    }

    /// Every librdkafka property that is set, as `kafka.<name>`, for `--print-config`.
    pub fn properties(&self) -> Vec<(String, Property)> {
        self.kafka.listing_with(CONSUMER_DEFAULTS)
    }

    /// What no single setting shows.
    fn check(&self) -> Result<(), ConfigError> {
        let targets = [
            ("--light-topic (LIGHT_TOPIC)", &self.topics.light),
            ("--heavy-topic (HEAVY_TOPIC)", &self.topics.heavy),
            ("--dead-letter-topic (DEAD_LETTER_TOPIC)", &self.topics.dead_letters),
        ];
        if let Some((setting, topic)) = targets.into_iter().find(|(_, topic)| **topic == self.topics.source) {
            return Err(ConfigError::Loop { setting, topic: topic.clone() });
        }
        if self.batching.max_held < self.batching.max_files {
            return Err(ConfigError::MaxHeld {
                files: self.batching.max_files,
                held: self.batching.max_held,
            });
        }
        // Missing brokers are an error now, not when the clients start.
        let session = self.consumer()?.get("session.timeout.ms").and_then(|millis| millis.parse().ok());
        let session = session.map_or(SESSION_TIMEOUT, Duration::from_millis);
        if self.revoke_timeout >= session {
            return Err(ConfigError::RevokeTimeout { revoke: self.revoke_timeout, session });
        }
        Ok(())
    }
}

impl Topics {
    /// The topic of a lane.
    pub(crate) fn lane(&self, lane: Lane) -> &str {
        match lane {
            Lane::Light => &self.light,
            Lane::Heavy => &self.heavy,
        }
    }

    /// Every topic that has to be there.
    pub(crate) fn all(&self) -> [&str; 4] {
        [&self.source, &self.light, &self.heavy, &self.dead_letters]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{CommandFactory, Parser};

    use super::*;

    const BROKER: &str = "bootstrap.servers=127.0.0.1:9092";

    fn config(flags: &[&str]) -> Result<Config, ConfigError> {
        let args =
            Args::try_parse_from(["dispatcher", "--kafka", BROKER].iter().chain(flags)).expect("valid flags");
        args.config([])
    }

    #[test]
    fn the_defaults_are_the_design_s() {
        let config = config(&[]).expect("valid");
        assert_eq!(config.batching, BatchingConfig::default());
        assert_eq!(config.topics.all(), ["s3-events", "light-ingest", "heavy-ingest", "ingest-dlq"]);
        assert_eq!(config.group, "dispatcher-group");
        let consumer = config.consumer().expect("valid");
        for (name, value) in [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("fetch.queue.backoff.ms", "10"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("debug", "metadata"),
        ] {
            assert_eq!(consumer.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn the_user_s_properties_go_over_ours() {
        let config = config(&["--kafka", "partition.assignment.strategy=range"]).expect("valid");
        let consumer = config.consumer().expect("valid");
        assert_eq!(consumer.get("partition.assignment.strategy"), Some("range"));
        let consumer = self::config(&["--kafka", "debug=cgrp"]).expect("valid").consumer().expect("valid");
        assert_eq!(consumer.get("debug"), Some("cgrp,metadata"));
        let shown: BTreeMap<_, _> = config.properties().into_iter().collect();
        assert_eq!(shown["kafka.partition.assignment.strategy"].value, "range");
        assert_eq!(shown["kafka.statistics.interval.ms"].value, "5000");
    }

    #[test]
    fn contradictions_name_the_settings() {
        let error = |flags: &[&str]| config(flags).expect_err("a contradiction").to_string();
        let text = error(&["--heavy-topic", "s3-events"]);
        assert!(text.contains("--heavy-topic (HEAVY_TOPIC)") && text.contains("s3-events"), "{text}");
        let text = error(&["--max-held", "49"]);
        assert!(text.contains("MAX_HELD") && text.contains("50") && text.contains("49"), "{text}");
        let text = error(&["--revoke-timeout", "6s", "--kafka", "session.timeout.ms=6000"]);
        assert!(text.contains("REVOKE_TIMEOUT") && text.contains("6s"), "{text}");
        let no_broker = Args::try_parse_from(["dispatcher"]).expect("valid flags").config([]);
        assert!(matches!(no_broker, Err(ConfigError::Kafka(PropertyError::NoBrokers))));
    }

    #[test]
    fn a_file_of_rules_stands_alone() {
        let rules = |flags: &[&str]| match config(flags).expect("valid").rules {
            RulesSource::File(path) => path.display().to_string(),
            RulesSource::Given(rules) => format!("{:?}", rules.tables().collect::<Vec<_>>()),
        };
        assert_eq!(rules(&["--rules", "rules.yaml"]), "rules.yaml");
        assert!(rules(&[]).contains("my_table"));
        for flag in ["--table=db.t", "--bucket=b", "--prefix=p", "--suffix=s", "--event=e", "--format=csv"] {
            let both = Args::try_parse_from(["dispatcher", "--rules", "rules.yaml", flag]);
            let error = both.expect_err(flag).to_string();
            let name = flag.split('=').next().expect("a name");
            assert!(error.contains("--rules") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn wrong_values_name_the_flag_and_what_was_expected() {
        for (flag, value, expected) in [
            ("--batch-max-files", "0", "1 to 10000"),
            ("--batch-max-files", "10001", "1 to 10000"),
            ("--batch-max-wait", "0s", "above zero"),
            ("--batch-max-wait", "soon", "30s"),
            ("--light-max-bytes", "many", "500MB"),
            ("--table", "events", "<namespace>.<table>"),
            ("--format", "orc", "parquet, csv or json"),
            ("--overflow", "drop", "heavy, split"),
            ("--unmatched", "drop", "dead-letter"),
            ("--max-held", "0", "from 1"),
            ("--light-max-files", "-1", "from 0"),
            ("--listen", "here", "127.0.0.1:8080"),
        ] {
            let error =
                Args::try_parse_from(["dispatcher", &format!("{flag}={value}")]).expect_err(flag).to_string();
            for part in [flag, value, expected] {
                assert!(error.contains(part), "{part:?} is missing in {error}");
            }
        }
    }

    #[test]
    fn every_flag_has_help_and_all_but_the_repeated_and_the_single_ones_an_environment_variable() {
        for arg in Args::command().get_arguments() {
            let id = arg.get_id().as_str();
            assert!(arg.get_help().is_some(), "{id}");
            assert!(arg.get_env().is_some() || ["properties", "print_config"].contains(&id), "{id}");
        }
    }
}
