//! All records, from time to time: what was interrupted goes on, what failed is tried again, what is done is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ingest_core::{ObjectUri, TableName};
use lake::Result;
use tokio_util::sync::CancellationToken;

use crate::held::Held;
use crate::launcher::{Launcher, lock};
use crate::metrics::state;
use crate::record::Record;
use crate::record::store::Listed;

/// Records worked on at the same time.
const RECORDS_AT_ONCE: usize = 8;

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// Live records by state.
    pub states: BTreeMap<&'static str, i64>,
    /// Their ids.
    pub live: BTreeSet<String>,
    /// Their tables.
    pub tables: BTreeSet<TableName>,
    /// Age of the oldest one that goes on by itself, in seconds.
    pub oldest: i64,
}

impl Launcher {
    /// Scans at once and then every so often, one scan at a time, until told to stop.
    pub async fn scan_until(&self, every: Duration, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Some(Err(error)) = stop.run_until_cancelled(self.scan_and_tidy()).await {
                tracing::warn!(%error, "scan failed");
            }
        }
    }

    /// Learns which objects live records are about, as every scan does, and does nothing about them.
    ///
    /// # Errors
    /// The records cannot be read.
    pub async fn learn(&self) -> Result<()> {
        for listed in self.parts.records.list().await? {
            if let Some(record) = self.parts.records.load(&listed).await?.filter(Record::goes_on) {
                lock(&self.held).enter(&record.id, &record.request);
            }
        }
        Ok(())
    }

    /// Whether a live record is about an object, as far as is known: as of the last scan, and what came since.
    pub fn owns(&self, table: &TableName, uri: &ObjectUri) -> bool {
        lock(&self.held).has(table, uri)
    }

    /// Ends every attempt that runs. They count as none: the next scan, of whatever process, makes others.
    ///
    /// # Errors
    /// A store or the backend does not answer: some may go on.
    pub async fn end_attempts(&self) -> Result<()> {
        for listed in self.parts.records.list().await? {
            let Some(record) = self.parts.records.load(&listed).await? else { continue };
            let running = record.newest().filter(|newest| newest.ended.is_none());
            if let Some(newest) = running {
                self.end_attempt(&record.id, newest.number).await?;
            }
        }
        Ok(())
    }

    /// One scan, and what is done beside it.
    ///
    /// # Errors
    /// Those of [`Launcher::scan`] and [`Launcher::tidy`].
    pub async fn scan_and_tidy(&self) -> Result<Scan> {
        let scan = self.scan().await?;
        self.tidy(&scan).await?;
        Ok(scan)
    }

    /// Works on every record once. What cannot be done about one does not keep the others waiting.
    ///
    /// # Errors
    /// The records cannot be listed.
    pub async fn scan(&self) -> Result<Scan> {
        let listed =
            self.parts.records.list().await.inspect_err(|_| self.parts.metrics.scan_failures.inc())?;
        let mut scan = Scan::default();
        let mut held = Held::default();
        let mut under_way = FuturesUnordered::new();
        for listed in listed.iter().filter(|listed| listed.request().is_some()) {
            if under_way.len() == RECORDS_AT_ONCE {
                self.note(&mut scan, under_way.next().await);
            }
            match self.parts.records.load(listed).await {
                Ok(None) => {}
                Ok(Some(record)) => {
                    scan.live.insert(record.id.clone());
                    scan.tables.insert(record.request.table.clone());
                    // What was given up keeps nobody waiting.
                    let others = match record.goes_on() {
                        true => held.enter(&record.id, &record.request),
                        false => BTreeMap::new(),
                    };
                    under_way.push(self.one(record, others));
                }
                Err(error) => {
                    scan.live.insert(listed.id.clone());
                    self.note(&mut scan, Some(unread(listed, &error)));
                }
            }
        }
        while !under_way.is_empty() {
            self.note(&mut scan, under_way.next().await);
        }
        drop(under_way);
        *lock(&self.held) = held;
        lock(&self.looked).retain(|id, _| scan.live.contains(id));
        self.live.store(scan.states.values().sum::<i64>().unsigned_abs() as usize, Ordering::Relaxed);
        self.parts.metrics.scanned(&scan.states, scan.oldest);
        self.parts.metrics.last_scan.set((self.clock)().timestamp());
        Ok(scan)
    }

    async fn one(&self, record: Record, held: BTreeMap<usize, String>) -> Seen {
        let (id, received, failed) = (record.id.clone(), record.received, record.failed);
        let status = self.go_on(&id, Some(record), &held).await;
        if let Err(error) = &status {
            tracing::warn!(record_id = id, %error, "record not worked on: the next scan tries again");
        }
        let state = status.as_ref().map_or(Some("unknown"), state);
        Seen { id, received: (!failed).then_some(received), state }
    }

    fn note(&self, scan: &mut Scan, seen: Option<Seen>) {
        let Some(Seen { id, received, state }) = seen else { return };
        let Some(state) = state else {
            scan.live.remove(&id);
            return;
        };
        *scan.states.entry(state).or_default() += 1;
        let age =
            received.filter(|_| state != "failed").map(|received| ((self.clock)() - received).num_seconds());
        scan.oldest = scan.oldest.max(age.unwrap_or(0));
    }
}

/// How a scan left a record.
struct Seen {
    id: String,
    /// When it was taken, if it goes on by itself.
    received: Option<DateTime<Utc>>,
    /// None: it is over.
    state: Option<&'static str>,
}

fn unread(listed: &Listed, error: &lake::Error) -> Seen {
    tracing::error!(record_id = listed.id, %error, "record cannot be read");
    Seen {
        id: listed.id.clone(),
        received: listed.request().map(|(_, written)| written),
        state: Some("unknown"),
    }
}
