//! A ledger of any size, and what look-ups in it cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chrono::DateTime;
use ingest_core::{ObjectIdentity, ObjectVersion};
use lake::ledger::{Entry, Head, Ledger, Part};
use lake::storage::Stores;
use object_store::ObjectStore;
use uuid::Uuid;

use crate::counting::{Counting, Reads};

/// Objects of one look-up: as many as a request has at most.
pub const BATCH: u64 = 200;
/// Entries of a small commit.
const SMALL_COMMIT: u64 = 50;

const TABLE: Uuid = Uuid::from_u128(1);
const BUCKET: &str = "bench";

/// A ledger over a store that counts. Each has caches of its own.
pub fn ledger(inner: Arc<dyn ObjectStore>) -> Result<(Ledger, Arc<Counting>)> {
    let store = Arc::new(Counting::new(inner));
    let stores = Stores::new(BTreeMap::new())?;
    stores.lend(BUCKET, store.clone());
    Ok((Ledger::new(Arc::new(stores), &format!("s3://{BUCKET}/ledger"), TABLE), store))
}

/// Writes a ledger of `entries` entries: by commits of `commit` entries, and at the end fifty small ones, so that
/// runs of every size are there. Returns the pointer to its head.
pub async fn build(ledger: &Ledger, entries: u64, commit: u64) -> Result<String> {
    let small_from = entries.saturating_sub(50 * SMALL_COMMIT);
    let mut head = Head::new(TABLE);
    let mut from = 0;
    while from < entries {
        let to = match from < small_from {
            true => (from + commit).min(small_from),
            false => (from + SMALL_COMMIT).min(entries),
        };
        let written = ledger.write(&head, snapshot_of(from), (from..to).map(entry).collect()).await?;
        head = ledger.head(&written.pointer).await?;
        from = to;
    }
    // Merges are taken in by commits that come after them.
    loop {
        ledger.merges_end().await;
        let written = ledger.write(&head, 0, Vec::new()).await?;
        let next = ledger.head(&written.pointer).await?;
        if next.runs == head.runs && ledger.is_merged(&next) {
            return Ok(written.pointer);
        }
        head = next;
    }
}

/// The identities of objects that the ledger has, spread over all of it. It has at least [`BATCH`] entries.
pub fn hits(entries: u64, salt: u64) -> Vec<ObjectIdentity> {
    // One of each stretch, so that none is asked for twice.
    let stretch = entries / BATCH;
    (0..BATCH).map(|n| identity(n * stretch + mix(n ^ (salt << 32)) % stretch)).collect()
}

/// The identities of objects that it does not have.
pub fn misses(entries: u64, salt: u64) -> Vec<ObjectIdentity> {
    (0..BATCH).map(|n| identity(entries + (salt << 32) + n)).collect()
}

/// What one batch of look-ups cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Requests and bytes.
    pub reads: Reads,
    /// Wall time.
    pub time: Duration,
}

/// Looks up a batch of which `expected` are known.
pub async fn look_up(
    ledger: &Ledger,
    store: &Counting,
    head: &Head,
    batch: &[ObjectIdentity],
    expected: u64,
) -> Result<Cost> {
    store.take();
    let start = Instant::now();
    let found = ledger.look_up(head, batch).await?.len() as u64;
    let cost = Cost { reads: store.take(), time: start.elapsed() };
    ensure!(found == expected, "{found} of {} were found, not {expected}", batch.len());
    Ok(cost)
}

fn entry(n: u64) -> Entry {
    let request = n / SMALL_COMMIT;
    let file =
        format!("s3://warehouse/db/events/data/{:016x}-{:016x}.parquet", mix(request), mix(request + 1));
    Entry {
        identity: identity(n),
        event_time: DateTime::from_timestamp_micros(1_767_000_000_000_000 + 1_000 * n as i64),
        request_id: format!("{:016x}{:016x}{:08x}", mix(request), mix(request + 2), request),
        snapshot_id: snapshot_of(n),
        mode: "rewrite".to_owned(),
        rows: mix(n) % 100_000,
        parts: vec![Part { file, first_row_group: (n % SMALL_COMMIT) as u32, row_groups: 1 }],
        time: DateTime::from_timestamp_micros(1_767_000_000_500_000 + 1_000 * n as i64).unwrap_or_default(),
    }
}

fn identity(n: u64) -> ObjectIdentity {
    ObjectIdentity {
        store: "s3".to_owned(),
        bucket: "events-inbox".to_owned(),
        key: format!("incoming/2026/01/02/part-{n:09}-{:016x}.snappy.parquet", mix(n)),
        version: ObjectVersion::ETag(format!("{:016x}{:016x}", mix(n + 3), mix(n + 4))),
    }
}

fn snapshot_of(n: u64) -> i64 {
    (mix(n / SMALL_COMMIT) >> 1) as i64
}

/// Numbers that look random and are the same in each process (SplitMix64).
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
