//! librdkafka's properties: the user's under their own names, our bounds below them, and a guard for the few whose
//! change would break a guarantee. Any of them can be read from a file, as secrets are mounted: `sasl.password.file`.

use std::collections::BTreeMap;
use std::io;

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::layer::{Layer, file_of, is_known};
use super::policy::{COMMON_DEFAULTS, CONSUMER_DEFAULTS, GUARDS, PRODUCER_DEFAULTS};
use crate::config::{Origin, Property, key_value};

/// Environment variables that begin with this become properties: `KAFKA_SECURITY_PROTOCOL` is `security.protocol`.
const ENV_PREFIX: &str = "KAFKA_";

/// A librdkafka property that cannot be used. No retry helps; the setting has to change.
#[derive(Debug, thiserror::Error)]
pub enum PropertyError {
    /// librdkafka knows no such property, or refuses the value.
    #[error("Kafka property {name} ({origin}): {reason}")]
    Refused {
        /// The property's name.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// librdkafka's own words.
        reason: String,
    },
    /// The value would break a guarantee of this system.
    #[error("Kafka property {name} ({origin}) cannot be set to {value:?}: {reason}")]
    Guarded {
        /// The property's name.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// The value that was given.
        value: String,
        /// The guarantee that would break.
        reason: &'static str,
    },
    /// The file that is to hold a property cannot be read.
    #[error("Kafka property {name}.file ({origin}): {path} cannot be read: {source}")]
    File {
        /// The property's name.
        name: String,
        /// Where the file was named.
        origin: Origin,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A value and a file, or two values, for one property.
    #[error("Kafka property {name} is given twice, by {first} and {second}: keep one of them")]
    Twice {
        /// The property's name.
        name: String,
        /// One of them.
        first: Origin,
        /// The other.
        second: Origin,
    },
    /// No broker is named.
    #[error(
        "no Kafka broker is named: set KAFKA_BOOTSTRAP_SERVERS, or --kafka bootstrap.servers=, to host:port[,host:port]"
    )]
    NoBrokers,
}

/// The `--kafka` flag of a service that speaks to Kafka.
#[derive(Args, Debug, Clone, Default)]
pub struct KafkaArgs {
    /// A librdkafka property as key=value; repeatable. Goes over KAFKA_<KEY> (KAFKA_SECURITY_PROTOCOL is security.protocol)
    #[arg(long = "kafka", value_name = "KEY=VALUE", value_parser = key_value)]
    pub properties: Vec<(String, String)>,
}

/// The user's librdkafka properties, each known to librdkafka and harmless to our guarantees.
#[derive(Debug, Clone)]
pub struct ClientProperties {
    given: BTreeMap<String, Property>,
    ignored: Vec<String>,
}

impl ClientProperties {
    /// Reads the properties from environment variables and from `key=value` flags, which go over them.
    ///
    /// A flag of a name that librdkafka does not know is an error. A variable is set aside (see
    /// [`Self::ignored`]): Kubernetes itself sets `KAFKA_PORT=tcp://…` beside a service named `kafka`, and Kafka's own
    /// scripts use `KAFKA_HOME` or `KAFKA_HEAP_OPTS`.
    pub fn new(
        vars: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String)],
    ) -> Result<Self, PropertyError> {
        let (mut given, mut ignored) = (Layer::default(), Vec::new());
        for (variable, value) in vars {
            let Some(rest) = variable.strip_prefix(ENV_PREFIX) else {
                continue;
            };
            let name = rest.to_lowercase().replace('_', ".");
            if is_known(&name) || file_of(&name).is_some() {
                given.add(&name, value, Origin::Env(variable))?;
            } else {
                ignored.push(variable);
            }
        }
        let mut flagged = Layer::default();
        for (name, value) in flags {
            flagged.add(name, value.clone(), Origin::Flag)?;
        }
        given.0.extend(flagged.0);
        for (name, property) in &given.0 {
            check(name, property)?;
        }
        ignored.sort();
        Ok(Self { given: given.0, ignored })
    }

    /// Environment variables that look like properties, but that librdkafka does not know. Worth a warning.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The brokers that are named, as they were given; none if there are none.
    pub fn brokers(&self) -> Option<&str> {
        self.given.get("bootstrap.servers").map(|property| property.value.as_str())
    }

    /// The configuration of a consumer in `group`, with manual commits and bounded queues.
    pub fn consumer(&self, group: &str) -> Result<ClientConfig, PropertyError> {
        self.consumer_with(&[], group)
    }

    /// The same with further defaults, below the user's properties.
    pub fn consumer_with(
        &self,
        defaults: &[(&str, &str)],
        group: &str,
    ) -> Result<ClientConfig, PropertyError> {
        let mut config = self.config(&[CONSUMER_DEFAULTS, defaults].concat())?;
        config.set("group.id", group);
        Ok(config)
    }

    /// The configuration of an idempotent producer that waits for all in-sync replicas.
    pub fn producer(&self) -> Result<ClientConfig, PropertyError> {
        self.config(PRODUCER_DEFAULTS)
    }

    /// Every property that is set, by default or by the user, as `kafka.<name>`, for `--print-config`.
    pub fn listing(&self) -> Vec<(String, Property)> {
        self.listing_with(&[])
    }

    /// The same with further defaults, those of a service's consumer.
    pub fn listing_with(&self, defaults: &[(&str, &str)]) -> Vec<(String, Property)> {
        let defaults = [COMMON_DEFAULTS, CONSUMER_DEFAULTS, PRODUCER_DEFAULTS, defaults].concat();
        let mut all: BTreeMap<_, _> = defaults
            .into_iter()
            .map(|(name, value)| {
                (name.to_owned(), Property { value: value.to_owned(), origin: Origin::Default })
            })
            .collect();
        all.extend(self.given.clone());
        all.into_iter().map(|(name, property)| (format!("kafka.{name}"), property)).collect()
    }

    fn config(&self, defaults: &[(&str, &str)]) -> Result<ClientConfig, PropertyError> {
        if !self.given.contains_key("bootstrap.servers") {
            return Err(PropertyError::NoBrokers);
        }
        let mut config = ClientConfig::new();
        for (name, value) in COMMON_DEFAULTS.iter().chain(defaults) {
            config.set(*name, *value);
        }
        for (name, property) in &self.given {
            config.set(name, &property.value);
        }
        // Some of what librdkafka says in its log is said nowhere else: filters are for what people see.
        config.set_log_level(RDKafkaLogLevel::Info);
        Ok(config)
    }
}

fn check(name: &str, property: &Property) -> Result<(), PropertyError> {
    if let Err(error) = ClientConfig::new().set(name, &property.value).create_native_config() {
        let reason = match error {
            KafkaError::ClientConfig(_, reason, ..) => reason,
            other => other.to_string(),
        };
        return Err(PropertyError::Refused {
            name: name.to_owned(),
            origin: property.origin.clone(),
            reason,
        });
    }
    match GUARDS.iter().find(|guard| guard.name == name) {
        Some(guard) if !guard.allowed.contains(&property.value.trim().to_lowercase().as_str()) => {
            Err(PropertyError::Guarded {
                name: name.to_owned(),
                origin: property.origin.clone(),
                value: property.value.clone(),
                reason: guard.reason,
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn properties(env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<ClientProperties, PropertyError> {
        ClientProperties::new(pairs(env), &pairs(flags))
    }

    #[test]
    fn variables_become_properties_and_flags_go_over_them() {
        let env = [
            ("KAFKA_BOOTSTRAP_SERVERS", "a:9092"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            ("KAFKA_FETCH_QUEUE_BACKOFF_MS", "20"),
            ("PATH", "/bin"),
        ];
        let properties = properties(&env, &[("metadata.broker.list", "b:9092")]).expect("valid");
        let consumer = properties.consumer("g").expect("a broker is named");
        assert_eq!(consumer.get("bootstrap.servers"), Some("b:9092"));
        assert_eq!(consumer.get("security.protocol"), Some("SASL_SSL"));
        assert_eq!(consumer.get("fetch.queue.backoff.ms"), Some("20"));
        assert_eq!(consumer.get("group.id"), Some("g"));
        assert_eq!(consumer.get("enable.auto.commit"), Some("false"));
        let further = [("fetch.queue.backoff.ms", "30"), ("statistics.interval.ms", "5000")];
        let consumer = properties.consumer_with(&further, "g").expect("a broker is named");
        assert_eq!(consumer.get("fetch.queue.backoff.ms"), Some("20"));
        assert_eq!(consumer.get("statistics.interval.ms"), Some("5000"));
        let listed: BTreeMap<_, _> = properties.listing_with(&further).into_iter().collect();
        assert_eq!(listed["kafka.fetch.queue.backoff.ms"].value, "20");
        assert_eq!(listed["kafka.statistics.interval.ms"].origin, Origin::Default);
        assert!(!properties.listing().iter().any(|(name, _)| name == "kafka.statistics.interval.ms"));
        let producer = properties.producer().expect("a broker is named");
        assert_eq!((producer.get("acks"), producer.get("enable.idempotence")), (Some("all"), Some("true")));
    }

    #[test]
    fn service_links_and_script_settings_do_not_break_the_start() {
        let env = [
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_HEAP_OPTS", "-Xmx1g"),
            ("KAFKA_BOOTSTRAP_SERVERS", "a:9092"),
        ];
        let properties = properties(&env, &[]).expect("set aside");
        assert_eq!(
            properties.ignored(),
            ["KAFKA_HEAP_OPTS", "KAFKA_PORT", "KAFKA_PORT_9092_TCP_ADDR", "KAFKA_SERVICE_HOST"]
        );
    }

    #[test]
    fn secrets_come_from_files_and_are_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("password"), "hunter2\n").expect("written");
        let env = [("KAFKA_BOOTSTRAP_SERVERS", "a:9092"), ("KAFKA_SASL_PASSWORD_FILE", &path("password"))];
        let from_env = properties(&env, &[]).expect("the file is there");
        assert_eq!(from_env.producer().expect("complete").get("sasl.password"), Some("hunter2"));
        let listing = from_env.listing();
        let (name, shown) = listing.iter().find(|(_, property)| property.value == "hunter2").expect("listed");
        assert_eq!(name, "kafka.sasl.password");
        assert_eq!(crate::config::mask(name, &shown.value), "****");
        assert_eq!(shown.origin, Origin::Env("KAFKA_SASL_PASSWORD_FILE".into()));
        assert!(!format!("{from_env:?}").contains("hunter2"));

        let over = properties(&env, &[("sasl.password", "other")]).expect("a flag goes over both");
        assert_eq!(over.producer().expect("complete").get("sasl.password"), Some("other"));
        let twice = [("KAFKA_SASL_PASSWORD", "hunter2"), ("KAFKA_SASL_PASSWORD_FILE", &path("password"))];
        let twice = properties(&twice, &[]).expect_err("which of them?").to_string();
        assert!(twice.contains("KAFKA_SASL_PASSWORD_FILE") && !twice.contains("hunter2"), "{twice}");

        let missing = properties(&[], &[("sasl.password.file", &path("nothing"))]).expect_err("no file");
        assert!(missing.to_string().contains("nothing"), "{missing}");
        let long = "x".repeat(1 << 20);
        std::fs::write(path("long"), long).expect("written");
        properties(&[], &[("sasl.password.file", &path("long"))]).expect_err("bounded");
        properties(&[], &[("no.such.thing.file", &path("password"))]).expect_err("unknown");
    }

    #[test]
    fn librdkafka_is_built_with_what_brokers_ask_for() {
        let config = ClientConfig::new().create_native_config().expect("the defaults");
        let features = config.get("builtin.features").expect("a property of every build");
        let features: Vec<&str> = features.split(',').collect();
        // Codecs of topics, ways to log in, and the HTTP client that fetches tokens.
        for feature in ["gzip", "snappy", "lz4", "zstd", "ssl", "sasl_scram", "sasl_oauthbearer", "oidc"] {
            assert!(features.contains(&feature), "{feature} is missing in {features:?}");
        }
    }

    #[test]
    fn unknown_flags_and_wrong_values_are_errors_that_name_them() {
        let unknown = properties(&[], &[("securty.protocol", "SSL")]).expect_err("unknown").to_string();
        assert!(unknown.contains("securty.protocol") && unknown.contains("flag"), "{unknown}");
        let wrong =
            properties(&[("KAFKA_SESSION_TIMEOUT_MS", "soon")], &[]).expect_err("no number").to_string();
        assert!(
            wrong.contains("session.timeout.ms") && wrong.contains("KAFKA_SESSION_TIMEOUT_MS"),
            "{wrong}"
        );
    }

    #[test]
    fn properties_that_would_break_a_guarantee_are_refused() {
        for (name, value) in [
            ("enable.auto.commit", "true"),
            ("auto.commit.enable", "true"),
            ("enable.auto.offset.store", "true"),
            ("auto.offset.reset", "latest"),
            ("enable.idempotence", "false"),
            ("acks", "1"),
            ("request.required.acks", "0"),
            ("group.id", "mine"),
            ("transactional.id", "t"),
        ] {
            let error = properties(&[], &[(name, value)]).expect_err(name);
            assert!(matches!(error, PropertyError::Guarded { .. }), "{name}: {error}");
        }
        properties(&[], &[("acks", "-1"), ("auto.offset.reset", "error"), ("enable.auto.commit", "false")])
            .expect("allowed");
    }

    #[test]
    fn a_client_without_brokers_is_refused() {
        let properties = properties(&[], &[]).expect("nothing wrong yet");
        assert!(matches!(properties.consumer("g"), Err(PropertyError::NoBrokers)));
    }

    #[test]
    fn every_default_is_known_to_librdkafka() {
        let all = [COMMON_DEFAULTS, CONSUMER_DEFAULTS, PRODUCER_DEFAULTS].concat();
        properties(&[], &all).expect("librdkafka takes each of them");
    }
}
