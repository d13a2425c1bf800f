//! Settings: what they become, and what is said when they are wrong.

use std::collections::BTreeMap;

use clap::{CommandFactory, FromArgMatches, Parser};
use light_worker::{Args, Config, ConfigError};

fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn args(flags: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from(["light-worker"].iter().chain(flags))
}

fn config(flags: &[&str], env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    args(flags).expect("flags that parse").config(&vars(env))
}

#[test]
fn the_address_is_loopback_unless_told() {
    let address = |flags: &[&str]| config(flags, &[]).expect("valid").listen.to_string();
    assert_eq!(address(&[]), "127.0.0.1:8080");
    assert_eq!(address(&["--port", "9000"]), "0.0.0.0:9000");
    assert_eq!(address(&["--listen", "[::1]:9"]), "[::1]:9");
    assert_eq!(address(&["--listen", "127.0.0.1:1", "--port", "9000"]), "0.0.0.0:9000");
}

#[test]
fn catalog_properties_come_from_environment_and_flags() {
    let env = [("ICEBERG_CATALOG__S3__ENDPOINT", "http://e"), ("ICEBERG_CATALOG__URI", "sqlite:////a")];
    let config =
        config(&["--catalog", "uri=sqlite:////b", "--catalog", "warehouse=/w"], &env).expect("valid");
    let expected = vars(&[("s3.endpoint", "http://e"), ("uri", "sqlite:////b"), ("warehouse", "/w")]);
    assert_eq!(config.lake.properties, expected);
    assert_eq!(
        (config.lake.catalog_name.as_str(), config.defaults.table.to_string().as_str()),
        ("my_catalog", "db.my_table")
    );
}

#[test]
fn each_source_brings_its_own_settings() {
    let env = [("KAFKA_BOOTSTRAP_SERVERS", "k:9092"), ("KAFKA_PORT", "tcp://10.0.0.1:9092")];
    let http = config(&[], &env).expect("valid");
    assert!(http.http.is_some() && http.kafka.is_none());
    let kafka = config(&["--source", "kafka"], &env).expect("valid");
    assert!(kafka.http.is_none());
    assert_eq!(kafka.kafka.expect("asked for").0.topic, "light-ingest");
    assert_eq!(kafka.ignored_variables, ["KAFKA_PORT"]);
    let both = config(&["--source", "both"], &env).expect("valid");
    assert!(both.http.is_some() && both.kafka.is_some());
}

#[test]
fn news_of_the_quarantine_goes_where_it_is_told_and_needs_brokers_for_a_topic() {
    assert!(config(&[], &[]).expect("valid").quarantine_events.sink.is_none());
    let flags = ["--event-sink", "http://broker/ns", "--quarantine-topic", "aside"];
    let env = [("KAFKA_BOOTSTRAP_SERVERS", "k:9092"), ("KAFKA_PORT", "tcp://10.0.0.1:9092")];
    let told = config(&flags, &env).expect("valid");
    assert_eq!(told.quarantine_events.sink.expect("given").to_string(), "http://broker/ns");
    assert_eq!(told.quarantine_events.topic.expect("given").0, "aside");
    assert_eq!(told.ignored_variables, ["KAFKA_PORT"]);
    assert!(config(&flags, &[]).is_err(), "no brokers");
    let error =
        config(&["--event-sink", "http://me:hush@broker/"], &[]).expect_err("credentials").to_string();
    assert!(error.contains("K_SINK") && !error.contains("hush"), "{error}");
}

#[test]
fn a_wrong_value_is_an_error_that_names_the_setting() {
    for (flag, wrong) in [
        ("--listen", "localhost"),
        ("--port", "70000"),
        ("--source", "amqp"),
        ("--default-table", "my_table"),
        ("--body-limit", "big"),
        ("--body-timeout", "soon"),
        ("--concurrency", "0"),
        ("--concurrent-writes", "0"),
        ("--queue", "-1"),
        ("--log-level", "inof"),
        ("--catalog", "uri"),
    ] {
        let error = args(&[&format!("{flag}={wrong}")]).expect_err(flag).to_string();
        assert!(error.contains(flag) && error.contains(wrong), "{flag}: {error}");
    }
    for (flags, names) in [
        (vec!["--allow-source", "inbox"], vec!["--allow-source", "inbox"]),
        (vec!["--allow-table", "d*.t"], vec!["--allow-table", "d*.t"]),
        (vec!["--source", "kafka"], vec!["KAFKA_BOOTSTRAP_SERVERS"]),
        (vec!["--retry-delay-min", "1m"], vec!["--retry-delay-min", "60s", "30s"]),
        (vec!["--kafka", "enable.auto.commit=true"], vec!["enable.auto.commit", "true"]),
        (vec!["--kafka", "no.such=1"], vec!["no.such"]),
    ] {
        let error = config(&flags, &[]).expect_err("wrong").to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{flags:?}: {error}");
    }
}

#[test]
fn the_listing_shows_values_and_origins_but_no_secret() {
    let line =
        ["light-worker", "--source", "both", "--catalog", "s3.secret-access-key=hunter2", "--queue", "9"];
    let matches = Args::command().try_get_matches_from(line).expect("valid flags");
    let env = vars(&[
        ("KAFKA_BOOTSTRAP_SERVERS", "k:9092"),
        ("KAFKA_SASL_PASSWORD", "hunter2"),
        ("ICEBERG_CATALOG__S3__ACCESS_KEY_ID", "AKIA1"),
        ("ICEBERG_CATALOG__CREDENTIAL", "id:hunter2"),
    ]);
    let config = Args::from_arg_matches(&matches).expect("valid").config(&env).expect("valid");
    let mut out = Vec::new();
    service_kit::config::print_config(&Args::command(), &matches, &config.properties, &mut out)
        .expect("in memory");
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(!text.contains("hunter2"), "{text}");
    for line in [
        "queue = 9  # flag",
        "body-limit = 4MiB  # default",
        "catalog.s3.access-key-id = AKIA1  # env ICEBERG_CATALOG__S3__ACCESS_KEY_ID",
        "catalog.s3.secret-access-key = ****  # flag",
        "kafka.bootstrap.servers = k:9092  # env KAFKA_BOOTSTRAP_SERVERS",
        "kafka.sasl.password = ****  # env KAFKA_SASL_PASSWORD",
        "kafka.acks = all  # default",
    ] {
        assert!(text.lines().any(|l| l == line), "missing {line:?} in\n{text}");
    }
}
