//! `doctor`: with everything in order nothing fails; with one thing broken exactly that line does.

use serde_json::Value;
use testkit::Program;
use testkit::kafka::{Kafka, SecuredKafka};

use super::{lake, words};
use crate::bucket::{Lakehouse, Standalone};
use crate::pipeline::Pipeline;

/// Checks that failed, as `check subject`.
fn failed(lines: &[Value]) -> Vec<String> {
    let failed = lines.iter().filter(|line| line["state"] == "fail");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    failed.map(|line| format!("{} {}", text(&line["check"]), text(&line["subject"]))).collect()
}

fn line<'l>(lines: &'l [Value], check: &str) -> &'l Value {
    lines.iter().find(|line| line["check"] == check).unwrap_or_else(|| panic!("no {check} in {lines:#?}"))
}

struct Place<'k> {
    pipeline: Pipeline<'k>,
    bucket: Standalone,
    lakehouse: Lakehouse,
    _folder: tempfile::TempDir,
}

impl Place<'_> {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bucket = Standalone::start(folder.path(), &[]).await;
        bucket.put("incoming/a.txt", "some bytes").await;
        let pipeline = Pipeline::new(Kafka::shared().await).await;
        Self { pipeline, bucket, lakehouse: Lakehouse::new(), _folder: folder }
    }

    /// What it says with further flags, and how it ends.
    async fn doctor(&self, further: &[&str]) -> (Option<i32>, Vec<Value>) {
        let mut arguments = words(&["doctor", "s3://inbox/incoming/"]);
        let topics = self.pipeline.topics(further).into_iter();
        arguments.extend(topics.take_while(|word| word != "--redrive-group"));
        arguments.extend(lake(&self.lakehouse, &self.bucket));
        arguments.extend(words(further));
        self.pipeline.ask(&arguments).await
    }

    /// With these flags exactly these checks fail, each with what to do about it.
    async fn assert_fails(&self, further: &[&str], expected: &[&str]) {
        let (status, lines) = self.doctor(further).await;
        assert_eq!(failed(&lines), expected, "{further:?}: {lines:#?}");
        assert_eq!(status, Some(3), "{lines:#?}");
        let mended = lines.iter().all(|line| line["state"] != "fail" || line["mend"].is_string());
        assert!(mended, "{lines:#?}");
    }
}

#[tokio::test]
async fn one_thing_broken_at_a_time_is_one_line() {
    let place = Place::new().await;
    let (status, lines) = place.doctor(&[]).await;
    assert_eq!((failed(&lines), status), (vec![], Some(0)), "{lines:#?}");
    for check in [
        "brokers",
        "topic",
        "topic-settings",
        "may-read",
        "may-write",
        "catalog",
        "bucket-list",
        "bucket-read",
        "ledger-root",
        "heavy-root",
        "clock",
    ] {
        assert_eq!(line(&lines, check)["state"], "ok", "{check}: {lines:#?}");
    }
    assert_eq!(line(&lines, "table")["state"], "warn", "there is none yet");

    let kafka = place.pipeline.kafka;
    let missing = Kafka::unique("missing");
    place.assert_fails(&["--light-topic", &missing], &[&format!("topic {missing}")]).await;
    let compacted = kafka.topic_with("compacted", &[("cleanup.policy", "compact")]).await;
    place.assert_fails(&["--heavy-topic", &compacted], &[&format!("topic-settings {compacted}")]).await;
    let small = kafka.topic_with("small", &[("max.message.bytes", "100000")]).await;
    place.assert_fails(&["--light-topic", &small], &[&format!("topic-settings {small}")]).await;

    place.assert_fails(&["--catalog", "uri=http://127.0.0.1:1"], &["catalog http://127.0.0.1:1"]).await;
    let secret = "s3.secret-access-key=wrong-wrong-wrong";
    place.assert_fails(&["--catalog", secret], &["bucket-list s3://inbox/incoming/"]).await;
    place.assert_fails(&["--heavy-root", "file:///proc/nothing"], &["heavy-root file:///proc/nothing"]).await;
    place.assert_fails(&["--spark-submit", "no-such-program"], &["spark no-such-program"]).await;
    let (_, lines) = place.doctor(&["--kafka", "bootstrap.servers=127.0.0.1:1"]).await;
    assert_eq!(failed(&lines), ["brokers 127.0.0.1:1"], "{lines:#?}");
    assert!(line(&lines, "brokers")["detail"].as_str().unwrap().contains("127.0.0.1:1"), "{lines:#?}");

    // What it offered to the topics, nobody took, and it left nothing behind.
    for topic in [&place.pipeline.events, &place.pipeline.light, &place.pipeline.dead] {
        assert!(kafka.end_offsets(topic).await.iter().all(|(_, end)| *end == 0), "{topic}");
    }
    place.bucket.stop().await;
}

#[tokio::test]
async fn rights_are_told_from_their_absence() {
    let secured = SecuredKafka::shared().await;
    let plain = secured.plain();
    let own = Pipeline::over(plain, secured.settings_of_stranger()).await;
    let doctor = async |further: &[&str]| {
        let mut arguments = words(&["doctor"]);
        arguments.extend(own.topics(&[]).into_iter().take_while(|word| word != "--redrive-group"));
        arguments.extend(words(further));
        own.ask(&arguments).await.1
    };
    let nothing = doctor(&["--service", "light-worker"]).await;
    let topics: Vec<_> = nothing.iter().filter(|line| line["check"] == "topic").collect();
    assert!(topics.iter().all(|line| line["state"] == "fail"), "{nothing:#?}");

    // May look, and neither read nor write.
    let topics = [&own.light, &own.dead, &own.events, &own.heavy].map(String::as_str);
    secured.allow_stranger(&["Describe", "DescribeConfigs"], "topic", &topics).await;
    let group = format!("{}-worker", own.group);
    secured.allow_stranger(&["Describe"], "group", &[&group]).await;
    let looks = doctor(&["--service", "light-worker"]).await;
    let expected = [format!("may-read {} as {group}", own.light), format!("may-write {}", own.dead)];
    assert_eq!(failed(&looks), expected, "{looks:#?}");
    assert!(line(&looks, "may-read")["detail"].as_str().unwrap().contains("Read on the group"), "{looks:#?}");

    secured.allow_stranger(&["Read"], "group", &[&group]).await;
    let reads = doctor(&["--service", "light-worker"]).await;
    assert!(line(&reads, "may-read")["detail"].as_str().unwrap().contains("Read on the topic"), "{reads:#?}");

    secured.allow_stranger(&["Read"], "topic", &[&own.light]).await;
    secured.allow_stranger(&["Write"], "topic", &[&own.dead]).await;
    let all = doctor(&["--service", "light-worker"]).await;
    assert_eq!(failed(&all), Vec::<String>::new(), "{all:#?}");
    assert_eq!(line(&all, "may-write")["state"], "ok", "{all:#?}");
    assert!(plain.end_offsets(&own.dead).await.iter().all(|(_, end)| *end == 0));
}

#[tokio::test]
async fn a_standalone_folder_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[]).await;
    let data = folder.path().display().to_string();
    let doctor = async || {
        let arguments = ["doctor", "--data", &data, "--output", "json"];
        let (status, text) =
            Program::start("event-ingest", arguments, [("LOG_FORMAT", "json")]).exited().await;
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (status.code(), lines)
    };
    let (_, lines) = doctor().await;
    let sound = failed(&lines).iter().all(|line| line.starts_with("disk"));
    assert!(sound && line(&lines, "server")["state"] == "ok", "{lines:#?}");
    assert_eq!(line(&lines, "database")["state"], "ok", "{lines:#?}");

    server.kill();
    let (_, lines) = doctor().await;
    assert_eq!(line(&lines, "server")["state"], "warn", "{lines:#?}");
}
