//! Dead letters with a real broker: seen, put back, each once.

use serde_json::Value;
use testkit::Program;
use testkit::kafka::{Kafka, Received, Record};
use testkit::notifications::{Object, Producer};

use crate::bucket::WITHIN;
use crate::pipeline::Pipeline;

impl Pipeline<'_> {
    fn dlq(&self, command: &str, options: &[&str]) -> Program {
        let group = format!("{}-redrive", self.group);
        let place = ["--dead-letter-topic", &self.dead, "--redrive-group", &group, "--json"];
        let topics = ["--topic", &self.events, "--light-topic", &self.light, "--heavy-topic", &self.heavy];
        let mut arguments = vec!["dlq", command];
        arguments.extend(place);
        if command == "redrive" {
            arguments.extend(topics);
        }
        arguments.extend(options);
        Program::start("event-ingest", arguments, self.environment())
    }

    /// The lines that a command prints, and its exit status.
    async fn lines(&self, command: &str, options: &[&str]) -> (Option<i32>, Vec<Value>) {
        let (status, text) = self.dlq(command, options).exited().await;
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{text}")));
        (status.code(), lines.collect())
    }

    /// Redrives, and returns how many were sent.
    async fn redriven(&self, options: &[&str]) -> u64 {
        let (status, lines) = self.lines("redrive", options).await;
        assert_eq!(status, Some(0), "{lines:?}");
        lines.last().unwrap()["redriven"].as_u64().unwrap()
    }
}

fn announcement(key: &str) -> Vec<u8> {
    Producer::Ceph.created(&Object { bucket: "inbox", key, size: 7, etag: "e", version_id: None })
}

#[tokio::test]
async fn what_the_rules_did_not_take_goes_through_once_they_do() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let header = ("x-trace".to_owned(), "7".to_owned());
    let unknown = Record {
        key: Some("k".to_owned()),
        headers: vec![header.clone()],
        value: announcement("incoming/a.data"),
        partition: Some(1),
    };
    kafka.produce(&pipeline.events, [unknown.clone()]).await;
    kafka.send(&pipeline.events, "this is no notification").await;
    let strict = pipeline.dispatcher(&["--unmatched", "dead-letter", "--batch-max-wait", "100ms"]).await;
    kafka.consume_until(&pipeline.dead, WITHIN, |records| records.len() == 2).await;
    assert!(strict.program.terminate().await.success());

    let (_, lines) = pipeline.lines("list", &[]).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    let line = lines.iter().find(|line| line["source"] == format!("{}/1/0", pipeline.events)).unwrap();
    assert_eq!((&line["redriven"], &line["times"]), (&false.into(), &0.into()), "{line}");
    assert!(line["source_time"].as_str().unwrap().ends_with('Z'), "{line}");
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("incoming/a.data"), "{reason}");
    let (_, none) = pipeline.lines("list", &["--reason", "no such reason"]).await;
    assert_eq!(none, Vec::<Value>::new());
    let (_, recent) = pipeline.lines("list", &["--since", "1h", "--reason", "a.data", "--limit", "1"]).await;
    assert_eq!(recent.iter().collect::<Vec<_>>(), [line]);
    let (_, past) = pipeline.lines("list", &["--since", "2199-01-01T00:00:00Z"]).await;
    assert_eq!(past, Vec::<Value>::new());
    let place = format!("{}/{}", line["partition"], line["offset"]);
    let (_, shown) = pipeline.lines("show", &[&place]).await;
    assert_eq!(shown[0]["payload"], String::from_utf8(unknown.value.clone()).unwrap());
    assert_eq!(shown[0]["headers"][0]["name"], "x-trace");

    let before = kafka.end_offsets(&pipeline.events).await;
    let (status, lines) = pipeline.lines("redrive", &["--dry-run"]).await;
    assert_eq!((status, &lines[2]["redriven"]), (Some(0), &2.into()), "{lines:?}");
    assert_eq!(kafka.end_offsets(&pipeline.events).await, before, "a dry run sends nothing");

    let wide = ["--unmatched", "dead-letter", "--batch-max-wait", "100ms", "--format", "csv"];
    let wider = pipeline.dispatcher(&wide).await;
    assert_eq!(pipeline.redriven(&["--reason", "a.data"]).await, 1);
    let requested = kafka.consume_until(&pipeline.light, WITHIN, |records| !records.is_empty()).await;
    let request: Value = serde_json::from_slice(&requested[0].value).unwrap();
    assert_eq!(request["files"][0], "s3://inbox/incoming/a.data");
    let back = kafka.records(&pipeline.events).await;
    let back = back.iter().find(|record| record.header("dlq-redriven").is_some()).unwrap();
    assert_eq!((&back.value, back.key.as_deref()), (&unknown.value, Some(b"k".as_slice())));
    assert_eq!(back.headers, [header, ("dlq-redriven".to_owned(), "1".to_owned())]);

    // The other is as bad as before: it comes back, and says that this is the second time.
    assert_eq!(pipeline.redriven(&[]).await, 1);
    kafka.consume_until(&pipeline.dead, WITHIN, |records| records.len() == 3).await;
    let (_, lines) = pipeline.lines("list", &["--waiting"]).await;
    assert_eq!((lines.len(), &lines[0]["times"]), (1, &1.into()), "{lines:?}");
    let (_, lines) = pipeline.lines("list", &[]).await;
    assert_eq!(lines.iter().filter(|line| line["redriven"] == true).count(), 2, "{lines:?}");
    assert!(wider.program.terminate().await.success());
}

#[tokio::test]
async fn a_request_that_knative_gave_up_goes_back_to_its_lane() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let own = [
        ("ce_id", "r1"),
        ("ce_source", "/event-ingest/dispatcher/g"),
        ("ce_specversion", "1.0"),
        ("ce_type", "dev.eventingest.request.light.v1"),
        ("ce_subject", "db.t"),
        ("content-type", "application/json"),
    ];
    let knative = [
        ("ce_knativeerrordest", "http://light-worker.ingest.svc.cluster.local"),
        ("ce_knativeerrorcode", "503"),
        ("ce_knativeerrordata", "dGhlIGNhdGFsb2cgZG9lcyBub3QgYW5zd2Vy"),
    ];
    let headers = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let body = br#"{"files":["s3://inbox/a.parquet"]}"#.to_vec();
    let given_up = Record {
        headers: headers(&[&own[..], &knative[..]].concat()),
        value: body.clone(),
        ..Record::default()
    };
    // Neither says where it belongs, and the second names a topic that is none of ours.
    let lost = Record { value: b"{}".to_vec(), ..Record::default() };
    let foreign = Record { headers: headers(&[("dead-letter-topic", "payments")]), ..lost.clone() };
    kafka.produce(&pipeline.dead, [given_up, lost, foreign]).await;

    let (_, lines) = pipeline.lines("list", &["--source", "light-worker"]).await;
    assert_eq!(lines[0]["reason"], "503: the catalog does not answer", "{lines:?}");
    let (status, lines) = pipeline.lines("redrive", &[]).await;
    let summary = lines.last().unwrap();
    assert_eq!(
        (status, &summary["redriven"], &summary["stay"]),
        (Some(3), &1.into(), &2.into()),
        "{lines:?}"
    );
    let requests = kafka.records(&pipeline.light).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].value, body);
    assert_eq!(requests[0].headers, headers(&[&own[..], &[("dlq-redriven", "1")]].concat()));
}

#[tokio::test]
async fn an_interrupted_redrive_goes_on_where_it_was() {
    const LETTERS: usize = 400;
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let letter = |n: usize| {
        let reason = if n.is_multiple_of(2) { "even" } else { "odd" };
        let headers = [("dead-letter-topic", pipeline.events.as_str()), ("dead-letter-reason", reason)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Record { headers, value: n.to_string().into_bytes(), ..Record::default() }
    };
    kafka.produce(&pipeline.dead, (0..LETTERS).map(letter)).await;
    let sent = |records: &[Received]| -> Vec<usize> {
        let numbers = records.iter().map(|record| String::from_utf8_lossy(&record.value).parse().unwrap());
        let mut numbers: Vec<usize> = numbers.collect();
        numbers.sort_unstable();
        numbers
    };

    // Every second one, so that what was done is no simple number; told to stop amid that.
    let begun = pipeline.dlq("redrive", &["--reason", "even", "--rate", "50"]);
    kafka.consume_until(&pipeline.events, WITHIN, |records| records.len() >= 20).await;
    let status = begun.terminate().await;
    assert_eq!(status.code(), Some(130));
    let part = sent(&kafka.records(&pipeline.events).await);
    assert!((20..LETTERS / 2).contains(&part.len()), "{} were sent", part.len());
    let rest = pipeline.redriven(&["--reason", "even", "--rate", "100000"]).await;
    assert_eq!(rest as usize + part.len(), LETTERS / 2);
    let even: Vec<usize> = (0..LETTERS).step_by(2).collect();
    assert_eq!(sent(&kafka.records(&pipeline.events).await), even, "each once");

    // Killed: what was not committed goes out again, and nothing is left out.
    let begun = pipeline.dlq("redrive", &["--rate", "50"]);
    let some = LETTERS / 2 + 20;
    kafka.consume_until(&pipeline.events, WITHIN, |records| records.len() >= some).await;
    begun.kill();
    pipeline.redriven(&["--rate", "100000"]).await;
    let mut all = sent(&kafka.records(&pipeline.events).await);
    assert!(all.len() < LETTERS + 150, "{} were sent", all.len());
    all.dedup();
    assert_eq!(all, (0..LETTERS).collect::<Vec<_>>());
    assert_eq!(pipeline.redriven(&[]).await, 0);
    let (_, lines) = pipeline.lines("list", &["--waiting"]).await;
    assert_eq!(lines, Vec::<Value>::new());
    assert_eq!(pipeline.redriven(&["--again", "--rate", "100000", "--reason", "odd"]).await, 200);
}
