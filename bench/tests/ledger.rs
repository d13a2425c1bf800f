//! What look-ups may cost, in requests and bytes, at 100,000 entries. `bench/README.md` has the figures at ten
//! million.

use std::sync::Arc;

use bench::ledger::{BATCH, build, hits, ledger, look_up, misses};
use object_store::memory::InMemory;

const ENTRIES: u64 = 100_000;
const KIB: u64 = 1024;

#[tokio::test]
async fn look_ups_read_few_bytes_by_few_requests() {
    let disk = Arc::new(InMemory::new());
    let (writer, _) = ledger(disk.clone()).unwrap();
    let pointer = build(&writer, ENTRIES, 10_000).await.unwrap();
    let head = writer.head(&pointer).await.unwrap();
    let runs = head.runs.len() as u64;
    assert_eq!(head.runs.iter().map(|run| run.entries).sum::<u64>(), ENTRIES);

    let (cold, store) = ledger(disk.clone()).unwrap();
    let cost = look_up(&cold, &store, &head, &misses(ENTRIES, 1), 0).await.unwrap();
    println!("{runs} runs, cold misses {cost:?}");
    assert!(cost.reads.bytes <= 1_024 * KIB, "cold misses: {cost:?}");
    let cost = look_up(&cold, &store, &head, &misses(ENTRIES, 2), 0).await.unwrap();
    println!("{runs} runs, warm misses {cost:?}");
    assert!(cost.reads.bytes <= 100 * KIB, "warm misses: {cost:?}");
    assert!(cost.reads.requests <= BATCH / 4, "warm misses: {cost:?}");

    let (cold, store) = ledger(disk).unwrap();
    let cost = look_up(&cold, &store, &head, &hits(ENTRIES, 1), BATCH).await.unwrap();
    println!("{runs} runs, cold hits {cost:?}");
    assert!(cost.reads.bytes <= 2_048 * KIB, "cold hits: {cost:?}");
    let cost = look_up(&cold, &store, &head, &hits(ENTRIES, 2), BATCH).await.unwrap();
    println!("{runs} runs, warm hits {cost:?}");
    assert!(cost.reads.bytes <= 500 * KIB, "warm hits: {cost:?}");
    assert!(cost.reads.requests <= 3 * BATCH, "warm hits: {cost:?}");
}
