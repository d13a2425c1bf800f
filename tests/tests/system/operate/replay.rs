//! `replay`: what the bucket has goes through the services again, and makes rows where there are none.

use serde_json::json;
use testkit::kafka::Kafka;
use testkit::paths;

use super::{lake, words};
use crate::bucket::{Lakehouse, Standalone, Stored};
use crate::pipeline::{Pipeline, TABLE};

#[tokio::test]
async fn a_topic_that_was_lost_is_filled_again_and_nothing_is_doubled() {
    let kafka = Kafka::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let (lakehouse, pipeline) = (Lakehouse::new(), Pipeline::new(kafka).await);
    let mut sources = Vec::new();
    for (key, source) in
        ["incoming/a b+%2F.parquet", "incoming/b.parquet"].iter().zip(paths::example_files().iter().cycle())
    {
        sources.push(Stored::put(&bucket, key, source).await.source);
    }
    Stored::put(&bucket, "elsewhere/c.parquet", &sources[0]).await;
    let replay = async |further: &[&str]| {
        let mut arguments = words(&["replay", "--topic", &pipeline.events]);
        arguments.extend(lake(&lakehouse, &bucket));
        arguments.extend(words(further));
        pipeline.ask(&arguments).await
    };

    let (status, lines) = replay(&["s3://inbox/", "--dry-run"]).await;
    assert_eq!((status, lines.len()), (Some(0), 4), "{lines:#?}");
    assert_eq!(lines[3]["summary"]["announced"], 3, "{lines:#?}");
    assert!(
        kafka.end_offsets(&pipeline.events).await.iter().all(|(_, end)| *end == 0),
        "a dry run sends nothing"
    );
    let (_, lines) = replay(&["s3://inbox/", "--since", "2199-01-01T00:00:00Z"]).await;
    assert_eq!(
        lines[0]["summary"],
        json!({"announced": 0, "bytes": 0, "older": 3, "forbidden": 0, "dry_run": false})
    );

    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "100ms"]).await;
    let worker = pipeline.worker(&bucket, &lakehouse).await;
    let (status, lines) = replay(&["s3://inbox/"]).await;
    assert_eq!((status, &lines[0]["summary"]["announced"]), (Some(0), &json!(3)), "{lines:#?}");
    pipeline.answers().await;
    lakehouse.reader(TABLE).assert_holds(&[&sources[0], &sources[1]]).await;

    let (_, lines) = replay(&["s3://inbox/", "--start-after", "s3://inbox/incoming/a b+%2F.parquet"]).await;
    assert_eq!(lines[0]["summary"]["announced"], 1, "{lines:#?}");
    let (status, lines) =
        replay(&["s3://inbox/incoming/b.parquet", "s3://other/x/", "--allow-source", "s3://inbox"]).await;
    assert_eq!((status, &lines[1]["summary"]["forbidden"]), (Some(3), &json!(1)), "{lines:#?}");
    let answers = pipeline.answers().await;
    assert_eq!(answers.iter().map(|answer| answer.files_processed).sum::<u64>(), 2, "{answers:#?}");
    lakehouse.reader(TABLE).assert_holds(&[&sources[0], &sources[1]]).await;

    for program in [dispatcher.program, worker] {
        assert!(program.terminate().await.success());
    }
    bucket.stop().await;
}
