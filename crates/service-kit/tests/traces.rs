//! Traces as a collector gets them. One test a process: there is one logger in each.

use std::time::SystemTime;

use clap::{Args, Command, FromArgMatches};
use ingest_core::TraceParent;
use service_kit::logging::LoggingArgs;
use service_kit::traces::{self, Kind, Passage, TracesArgs};
use testkit::Collector;
use tracing::Instrument;

const CAUSE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn arguments<A: Args + FromArgMatches>(line: &[&str]) -> A {
    let matches = A::augment_args(Command::new("test")).get_matches_from(["test"].iter().chain(line));
    A::from_arg_matches(&matches).expect("a good command line")
}

fn cause(text: &str) -> TraceParent {
    text.parse().expect("a traceparent")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_on_in_a_trace_reaches_the_collector() {
    let collector = Collector::start().await;
    assert!(!traces::on());
    assert!(Passage::begin("early", Kind::Internal, SystemTime::now(), [cause(CAUSE)]).is_none());
    // A slash at the end is no other address.
    let endpoint = format!("{}/", collector.endpoint());
    let logging: LoggingArgs = arguments(&["--log-level", "error"]);
    let args: TracesArgs = arguments(&["--otlp-endpoint", &endpoint]);
    let making = traces::start(&logging, &args, "tested").expect("it starts");
    assert!(traces::on());

    let work = async {
        assert!(traces::traceparent().is_some_and(|told| told.starts_with(&CAUSE[..35])));
        drop(tracing::info_span!(target: "trace", "stage", otel.name = "write"));
        drop(tracing::error_span!("foreign"));
        tracing::error!("an event of the log");
    };
    let span = tracing::info_span!(target: "trace", "request", otel.name = "ingest", said = "so");
    work.instrument(traces::continued(span, Some(CAUSE))).await;
    let lost = tracing::info_span!(target: "trace", "request", otel.name = "unreadable");
    drop(traces::continued(lost, Some("00-what-ever-01")));
    for (name, causes) in [("one", vec![CAUSE, CAUSE]), ("several", vec![CAUSE, OTHER]), ("none", vec![])] {
        let causes = causes.into_iter().map(cause);
        let passage =
            Passage::begin(name, Kind::Producer, SystemTime::now(), causes).expect("traces are made");
        assert!(passage.traceparent().is_some());
        passage.end();
    }
    // What is left is sent now.
    drop(making);
    assert!(!traces::on());

    let spans = collector.spans();
    let mut names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ingest", "none", "one", "several", "unreadable", "write"]);
    let span = |name: &str| spans.iter().find(|span| span.name == name).expect("it is there");
    let (trace, parent) = (&CAUSE[3..35], &CAUSE[36..52]);
    let (ingest, write, one, several) = (span("ingest"), span("write"), span("one"), span("several"));
    assert_eq!((ingest.trace.as_str(), ingest.parent.as_str()), (trace, parent));
    assert_eq!((ingest.service.as_str(), ingest.says("said")), ("tested", Some("so")));
    assert_eq!((write.trace.as_str(), &write.parent), (trace, &ingest.id));
    assert_eq!((one.trace.as_str(), one.parent.as_str(), one.links.len()), (trace, parent, 0));
    assert_eq!(
        (several.parent.as_str(), several.links.as_slice()),
        ("", &[trace.to_owned(), OTHER[3..35].to_owned()][..])
    );
    assert!(![trace, &OTHER[3..35]].contains(&several.trace.as_str()));
    assert_eq!(span("unreadable").parent, "");
}
