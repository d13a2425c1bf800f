//! What jobs staged, over Kafka: nobody there hears of a conflict.

use ingest_core::staged::{Stage, Staged, StagedList, StagedObject};
use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject};
use testkit::kafka::{Kafka, Record};
use testkit::paths;

use crate::bucket::{Lakehouse, Standalone, Stored, WITHIN};
use crate::pipeline::{Pipeline, TABLE};

const REQUEST: &str = "0123456789abcdef0123456789abcdef01234567";

#[tokio::test]
async fn a_stage_that_does_not_fit_is_a_dead_letter_and_holds_nothing_up() {
    let kafka = Kafka::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &["--batch-wait", "1h"]).await;
    let (lakehouse, pipeline) = (Lakehouse::new(), Pipeline::new(kafka).await);
    let mut stored = Vec::new();
    for (place, source) in paths::example_files().iter().take(3).enumerate() {
        stored.push(Stored::put(&bucket, &format!("{place}.parquet"), source).await);
    }
    let uri = |key: &str| format!("s3://{}/{key}", bucket.endpoint.bucket);
    let request = |key: &str| format!(r#"{{"files": ["{}"], "table": "{TABLE}"}}"#, uri(key));
    let worker = pipeline.worker(&bucket, &lakehouse).await;
    kafka.send(&pipeline.light, request(&stored[0].key)).await;
    kafka.consume_until(&pipeline.results, WITHIN, |answers| answers.len() == 1).await;

    let staged = stage(&lakehouse, &uri(&stored[1].key), &stored[1].etag).await;
    let headers = [
        ("ce_id", REQUEST),
        ("ce_source", "/event-ingest/spark-job"),
        ("ce_specversion", "1.0"),
        ("ce_type", "dev.eventingest.staged.v1"),
        ("content-type", "application/json"),
    ];
    let event = Record {
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        value: staged.to_json(),
        partition: Some(0),
        ..Record::default()
    };
    kafka.produce(&pipeline.light, [event.clone()]).await;
    let behind = Record { value: request(&stored[2].key).into(), partition: Some(0), ..Record::default() };
    kafka.produce(&pipeline.light, [behind]).await;

    let dead = kafka.consume_until(&pipeline.dead, WITHIN, |dead| !dead.is_empty()).await;
    let reason = dead[0].header("dead-letter-reason").expect("it says why");
    assert!(reason.contains("branch") && reason.contains("is gone"), "{reason}");
    assert_eq!((dead.len(), &dead[0].value), (1, &event.value));
    // The one behind it, and no answer to the stage.
    kafka.consume_until(&pipeline.results, WITHIN, |answers| answers.len() == 2).await;
    lakehouse.reader(TABLE).assert_holds(&[&stored[0].source, &stored[2].source]).await;
    assert!(worker.terminate().await.success());
    assert_eq!(kafka.records(&pipeline.dead).await.len(), 1);
    bucket.stop().await;
}

/// What a job posts whose branch somebody has removed.
async fn stage(lakehouse: &Lakehouse, file: &str, etag: &str) -> Staged {
    let table = TABLE.parse().unwrap();
    let lake = lakehouse.lake().await;
    let uuid = lake.inspect(&table).await.unwrap().expect("the table is there").table.metadata().uuid();
    let hint = ObjectHint { etag: Some(etag.to_owned()), size: Some(1), ..ObjectHint::default() };
    let object = RequestedObject { uri: ObjectUri::parse(file).unwrap(), hint };
    let list = StagedList {
        request_id: REQUEST.to_owned(),
        table,
        table_uuid: Some(uuid.to_string()),
        format: FileFormat::Parquet,
        options: Default::default(),
        digest: String::new(),
        staged: vec![StagedObject { object, rows: 7 }],
        rejected: Vec::new(),
    };
    let list = StagedList { digest: list.computed_digest(), ..list };
    let branch = format!("event-ingest-{REQUEST}-1-00ff00ff");
    let objects = format!("{}/stages/{REQUEST}/{branch}.json", lake.heavy_root());
    let path = std::path::PathBuf::from(objects.strip_prefix("file://").expect("a local warehouse"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, list.to_json()).unwrap();
    let stage = Some(Stage { branch, snapshot_id: 4711 });
    Staged { request_id: REQUEST.to_owned(), attempt: 1, table: list.table, stage, objects }
}
