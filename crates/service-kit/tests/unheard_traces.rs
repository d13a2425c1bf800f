//! A collector that takes connections and never answers. One test a process: there is one logger in each.

use clap::{Args, Command, FromArgMatches};
use service_kit::logging::LoggingArgs;
use service_kit::traces::{self, TracesArgs};

/// More than the SDK's queue holds.
const SPANS: usize = 10_000;

fn arguments<A: Args + FromArgMatches>(line: &[&str]) -> A {
    let matches = A::augment_args(Command::new("test")).get_matches_from(["test"].iter().chain(line));
    A::from_arg_matches(&matches).expect("a good command line")
}

#[test]
fn the_work_goes_on_and_ends_though_nobody_takes_its_traces() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", silent.local_addr().expect("it is bound"));
    let logging: LoggingArgs = arguments(&["--log-level", "off"]);
    let making = traces::start(&logging, &arguments::<TracesArgs>(&["--otlp-endpoint", &address]), "tested");
    let making = making.expect("nobody is asked at the start");
    for _ in 0..SPANS {
        drop(tracing::info_span!(target: "trace", "request"));
    }
    // It gives up after its deadline.
    drop(making);
}

#[test]
fn an_endpoint_that_is_none_is_refused_without_being_repeated() {
    for wrong in ["collector:4318", "http://me:hush@collector:4318", "ftp://collector"] {
        let logging: LoggingArgs = arguments(&["--log-level", "off"]);
        let args: TracesArgs = arguments(&["--otlp-endpoint", wrong]);
        let error = traces::start(&logging, &args, "tested").expect_err(wrong).to_string();
        assert!(error.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && !error.contains("hush"), "{error}");
    }
}
