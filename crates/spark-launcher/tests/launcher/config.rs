use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;
use spark_launcher::{Args, BackendConfig, Config, ConfigError};

fn config(line: &[&str]) -> Result<Config, ConfigError> {
    let line = ["spark-launcher"].iter().chain(line);
    Args::try_parse_from(line).expect("valid flags").config(&BTreeMap::new())
}

#[test]
fn flags_become_settings() {
    let flags = [
        "--backend=spark-submit",
        "--spark-master=local[2]",
        "--spark-conf=a=b=c",
        "--spark-arg=--queue",
        "--max-attempts=3",
    ];
    let config = config(&flags).expect("valid");
    let BackendConfig::Submit(submit) = config.backend else { panic!("not this backend") };
    assert_eq!(submit.conf, [("a".to_owned(), "b=c".to_owned())]);
    assert_eq!((submit.arguments, submit.master.as_deref()), (vec!["--queue".to_owned()], Some("local[2]")));
    assert_eq!((config.limits.attempts, config.limits.first_pause), (3, Duration::from_secs(30)));
    assert_eq!(config.scan_interval, Duration::from_secs(30));
}

#[test]
fn nothing_runs_attempts_unless_it_is_said() {
    assert!(Args::try_parse_from(["spark-launcher"]).is_err());
}

#[test]
fn attempts_do_not_end_with_the_scan_that_began_them() {
    assert!(matches!(config(&["--backend=inline", "--scan-once"]), Err(ConfigError::ScanOnce)));
    assert!(config(&["--backend=spark-submit", "--scan-once"]).is_ok());
}

#[test]
fn pauses_that_contradict_one_another_are_named() {
    let error = config(&["--backend=inline", "--attempt-pause-min=2h"]).expect_err("longer than the longest");
    assert!(error.to_string().contains("ATTEMPT_PAUSE_MIN"), "{error}");
}
