//! Announcements that go on while something happens to those who read them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use testkit::kafka::{Feed, Kafka};
use testkit::notifications::{Object, Producer};
use tokio::task::JoinHandle;

use crate::bucket::{Lakehouse, Standalone};
use crate::catalogs::{counted, source};

/// Rows of an object that was put.
const ROWS: i64 = 2;
/// A size at which a batch is heavy.
const HEAVY: u64 = 600_000_000;

/// What a record of the source topic has to lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A light request that names this file.
    Light(String),
    /// A heavy request that names this file.
    Heavy(String),
    /// A dead letter.
    DeadLetter,
}

/// A record to announce.
#[derive(Debug, Clone)]
pub struct Announcement {
    pub value: Vec<u8>,
    pub wanted: Wanted,
}

impl Announcement {
    /// An object that is put into the bucket, with rows of its own.
    pub async fn put(bucket: &Standalone, n: usize) -> Self {
        let (key, first) = (format!("incoming/{n}.parquet"), i64::try_from(n).unwrap() * ROWS);
        let bytes = source(first..first + ROWS);
        let size = bytes.len() as u64;
        let etag = bucket.put(&key, bytes).await;
        let bucket = bucket.endpoint.bucket.as_str();
        Self::of(&Object { bucket, key: &key, size, etag: &etag, version_id: None })
    }

    fn of(object: &Object<'_>) -> Self {
        let file = format!("s3://{}/{}", object.bucket, object.key);
        let wanted = if object.size < HEAVY { Wanted::Light(file) } else { Wanted::Heavy(file) };
        Self { value: Producer::Ceph.created(object), wanted }
    }

    /// A small object that nobody will look for.
    pub fn light(n: usize) -> Self {
        Self::sized(&format!("incoming/light-{n}.parquet"), 1)
    }

    /// A large object that nobody will look for.
    pub fn heavy(n: usize) -> Self {
        Self::sized(&format!("incoming/heavy-{n}.parquet"), HEAVY)
    }

    /// No notification.
    pub fn poison(n: usize) -> Self {
        Self { value: format!("poison {n}").into_bytes(), wanted: Wanted::DeadLetter }
    }

    fn sized(key: &str, size: u64) -> Self {
        Self::of(&Object { bucket: "inbox", key, size, etag: "e", version_id: None })
    }
}

/// What was announced, by partition and offset.
pub type Announced = BTreeMap<(i32, i64), Wanted>;

/// Announcements that go on beside the test.
pub struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Announced>,
}

impl Load {
    /// Announces all of `first`, one after the other with a pause behind each, and then goes on with `then` until it is
    /// stopped.
    pub fn start<T>(feed: Arc<Feed>, pause: Duration, first: Vec<Announcement>, then: T) -> Self
    where
        T: IntoIterator<Item = Announcement, IntoIter: Send + 'static>,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let (then, stopped) = (then.into_iter(), stop.clone());
        let task = tokio::spawn(async move {
            let mut announced = Announced::new();
            let then = then.take_while(|_| !stopped.load(Ordering::Relaxed));
            for Announcement { value, wanted } in first.into_iter().chain(then) {
                let place = feed.send(&value).await;
                assert_eq!(announced.insert(place, wanted), None, "two records at {place:?}");
                // The pace of the load: nothing waits for it.
                tokio::time::sleep(pause).await;
            }
            announced
        });
        Self { stop, task }
    }

    /// Small objects without end, each announced once.
    pub fn endless(kafka: &Kafka, topic: &str, pause: Duration) -> Self {
        Self::start(Arc::new(kafka.feed(topic)), pause, Vec::new(), (0..).map(Announcement::light))
    }

    /// Waits until the first are announced, and announces no more.
    pub async fn stop(self) -> Announced {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Announces small objects, each once, as fast as the broker takes them one by one.
pub async fn announce(kafka: &Kafka, topic: &str, numbers: std::ops::Range<usize>) -> Announced {
    let (feed, small) = (Arc::new(kafka.feed(topic)), numbers.map(Announcement::light).collect());
    Load::start(feed, Duration::ZERO, small, []).stop().await
}

/// Asserts that a table holds the rows of the first so many objects that were put, each once, to independent readers and
/// to the ledger.
pub async fn assert_rows(lakehouse: &Lakehouse, table: &str, objects: usize) {
    let rows = i64::try_from(objects).unwrap() * ROWS;
    let ids: Vec<i64> = (0..rows).collect();
    let seen = lakehouse.read(table).await;
    assert_eq!(seen["pyiceberg"], json!(ids), "to PyIceberg");
    assert_eq!(seen["duckdb"], json!(ids), "to DuckDB");
    let ledger = counted(&lakehouse.lake().await, table).await;
    assert_eq!(ledger, u64::try_from(rows).unwrap(), "the ledger's rows");
}
