//! One trace from an announcement to the commit, as an OpenTelemetry collector sees it.

use serde_json::json;
use testkit::kafka::{Kafka, Record};
use testkit::notifications::Producer;
use testkit::{ANY_PORT, Collector, Program, paths};

use crate::bucket::{Lakehouse, Standalone, Stored, WITHIN};
use crate::pipeline::Pipeline;

/// What producers of notifications say: `traceparent`, of which these are the traces.
const TRACES: [&str; 3] = [
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "0af7651916cd43dd8448eb211c80319c",
    "80e1afed08e019fc1110464cfa66635c",
];
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent(trace: &str) -> String {
    format!("00-{trace}-{SPAN}-01")
}

/// An announcement that belongs to a trace.
fn announced(stored: &Stored, bucket: &str, trace: &str) -> Record {
    Record {
        headers: vec![("traceparent".to_owned(), traceparent(trace))],
        value: Producer::Ceph.created(&stored.object(bucket)),
        ..Record::default()
    }
}

#[tokio::test]
async fn an_announcement_s_trace_goes_on_to_the_commit_and_to_spark() {
    let kafka = Kafka::shared().await;
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &["--batch-wait", "1h", "--batch-files", "1000"]).await;
    let lakehouse = Lakehouse::new();
    let traced = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.endpoint());
    let mut pipeline = Pipeline::new(kafka).await;
    pipeline.events = kafka.topic("s3-events", 1).await;
    pipeline.access.push(traced.clone());
    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "1h", "--batch-max-files", "2"]).await;
    let worker = pipeline.worker(&bucket, &lakehouse).await;
    let name = bucket.endpoint.bucket.as_str();
    let source = &paths::example_files()[0];

    // Two announcements of one trace share a batch, then two of two traces.
    let mut stored = Vec::new();
    for n in 0..4 {
        stored.push(Stored::put(&bucket, &format!("incoming/{n}.parquet"), source).await);
    }
    let traces = [TRACES[0], TRACES[0], TRACES[1], TRACES[2]];
    let records = stored.iter().zip(traces).map(|(stored, trace)| announced(stored, name, trace));
    kafka.produce(&pipeline.events, records).await;
    let answers = kafka.consume_until(&pipeline.results, WITHIN, |records| records.len() == 2).await;

    let mut arguments = lakehouse.worker_arguments(&bucket);
    let own = ["--backend", "inline", "--listen", ANY_PORT, "--scan-interval", "100ms"];
    arguments.extend(own.map(str::to_owned));
    let environment = [("LOG_FORMAT".to_owned(), "json".to_owned()), traced];
    let mut launcher = Program::start("spark-launcher", arguments, environment);
    let url = launcher.serving().await;
    let heavy = json!({"files": [format!("s3://{name}/{}", stored[0].key)], "table": "db.heavy"});
    let sent = reqwest::Client::new().post(url).header("traceparent", traceparent(TRACES[0])).json(&heavy);
    assert!(sent.send().await.unwrap().status().is_success());
    collector.span("spark-launcher", "heavy request").await;

    // Their ends send what is left.
    for program in [dispatcher.program, worker, launcher] {
        assert!(program.terminate().await.success());
    }
    bucket.stop().await;
    let spans = collector.spans();
    let of = |trace: &str, service: &str, name: &str| {
        let found: Vec<_> = spans
            .iter()
            .filter(|span| {
                (span.trace.as_str(), span.service.as_str(), span.name.as_str()) == (trace, service, name)
            })
            .collect();
        assert_eq!(found.len(), 1, "{service}'s {name} of trace {trace}: {spans:#?}");
        found[0].clone()
    };

    // One cause: one trace, from the producer's span to the worker's stages.
    let dispatch = of(TRACES[0], "dispatcher", "dispatch");
    assert_eq!((dispatch.parent.as_str(), dispatch.links.len()), (SPAN, 0));
    let ingest = of(TRACES[0], "light-worker", "ingest");
    assert_eq!(ingest.parent, dispatch.id);
    assert_eq!(ingest.says("event_ingest.request_id"), dispatch.says("event_ingest.request_id"));
    for stage in ["resolve", "write", "commit"] {
        let stage = of(TRACES[0], "light-worker", stage);
        assert_eq!(stage.parent, ingest.id);
        assert!(stage.nanoseconds <= ingest.nanoseconds);
    }
    let answered = |trace: &str| {
        let told = answers.iter().filter_map(|record| record.header("ce_traceparent"));
        told.filter(|told| told.contains(trace)).count()
    };
    assert_eq!(answered(TRACES[0]), 1);

    // Several causes: a trace of its own, linked with theirs.
    let linked = spans.iter().find(|span| !span.links.is_empty()).expect("the second batch is linked");
    assert_eq!(linked.links, TRACES[1..]);
    assert!(!TRACES.contains(&linked.trace.as_str()) && linked.parent.is_empty());
    assert_eq!(of(&linked.trace, "light-worker", "ingest").parent, linked.id);
    assert_eq!(answered(&linked.trace), 1);

    // The heavy path: its own steps, and what it hands on.
    let accept = of(TRACES[0], "spark-launcher", "accept");
    assert_eq!(accept.parent, SPAN);
    assert_eq!(of(TRACES[0], "spark-launcher", "attempt").parent, accept.id);
    assert_eq!(of(TRACES[0], "spark-launcher", "heavy request").parent, accept.id);
}
