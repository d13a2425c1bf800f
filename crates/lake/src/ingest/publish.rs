//! Plan, write, commit; and again from the start whenever the table turns out to be another than was planned for.

use std::collections::HashMap;
use std::time::Duration;

use chrono::Utc;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::TableMetadata;
use ingest_core::{IngestRequest, TableName};
use rand::Rng;
use uuid::Uuid;

use super::slice::Slice;
use super::tables::new_snapshot_id;
use super::{Lake, SLICE_OBJECTS};
use crate::ErrorKind;
use crate::catalog::Outcome;
use crate::commit::{self, Append, landed};
use crate::error::{Error, Result};
use crate::ledger::{Entry, Lineage};
use crate::options::TableOptions;
use crate::quarantine::{Announced, Record};
use crate::source::{ParquetSource, ReadError, resolve};
use crate::write::{RewriteError, Rewritten, check, delete_uncommitted, rewrite, schema_for};

/// Plans made before the caller is asked to come again. A bad file that shows only while it is written costs one,
/// and so does a change of the table that touches what was planned.
const MAX_PLANS: usize = SLICE_OBJECTS + 50;
/// Commits sent for one plan before the caller is asked to come again.
const MAX_ATTEMPTS: u32 = 20;
/// The longest pause before a commit is sent again: doubled each time up to the bound; the real one is random.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a plan led to.
enum Step {
    /// Every object is settled.
    Finished,
    /// Something turned out otherwise: plan again.
    Again,
}

/// What was written, for which objects of the slice, at which state of the table.
struct Plan {
    places: Vec<usize>,
    written: Rewritten,
    mode: &'static str,
    table: Uuid,
    schema_id: i32,
    spec_id: i32,
}

impl Lake {
    /// Brings every object of the slice to its end: in the table, or durably quarantined.
    pub(super) async fn publish(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<()> {
        for _ in 0..MAX_PLANS {
            if let Step::Finished = self.plan(request, slice).await? {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!(
                "`{}` or its files changed {MAX_PLANS} times while request {} was planned",
                request.table, request.request_id
            ),
        ))
    }

    async fn plan(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<Step> {
        slice.unready();
        let Some(view) = self.view(&request.table).await? else {
            return self.begin_table(request, slice).await;
        };
        let metadata = view.table.metadata_ref();
        let options = TableOptions::of(metadata.properties(), &request.options)
            .map_err(|e| Error::invalid(format!("table `{}`", request.table)).caused_by(e))?;
        writable(&request.table, &metadata)?;
        slice.note_ledger(&view.ledger.look_up(&view.head, &slice.identities()).await?);
        if let Step::Again = self.look_at_files(&metadata, slice).await? {
            return Ok(Step::Again);
        }
        let (places, sources): (Vec<usize>, Vec<ParquetSource>) = slice.ready().into_iter().unzip();
        if !sources.is_empty() {
            let written = match rewrite(self.stores.clone(), metadata.clone(), sources).await {
                Ok(written) => written,
                Err(RewriteError::Sink(error)) => return Err(error),
                Err(RewriteError::Source(index, error)) => {
                    self.set_aside(slice, places[index], error).await?;
                    return Ok(Step::Again);
                }
            };
            let plan = Plan {
                places,
                written,
                mode: options.mode.as_str(),
                table: metadata.uuid(),
                schema_id: metadata.current_schema_id(),
                spec_id: metadata.default_partition_spec_id(),
            };
            let mut sent = Vec::new();
            let step = self.commit(request, view.lineage, &plan, slice, &mut sent).await;
            // Once a commit was sent, no answer proves that nobody refers to the files: they stay.
            if sent.is_empty() {
                delete_uncommitted(&self.stores, &plan.written.files).await;
            }
            if let Step::Again = step? {
                return Ok(Step::Again);
            }
        }
        self.keep_aside(request, slice, &metadata.uuid().to_string()).await?;
        Ok(Step::Finished)
    }

    /// Makes the table after the first file that can be read, or finds that there is none.
    async fn begin_table(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<Step> {
        if !self.config.create_tables {
            return Err(Error::invalid(format!(
                "table `{}` does not exist, and this instance was not told to make tables",
                request.table
            )));
        }
        for (index, object) in slice.pending() {
            let schema = match ParquetSource::open(object).await {
                Ok(source) => schema_for(source.schema()).map_err(ReadError::Content),
                Err(error) => Err(error),
            };
            match schema {
                Ok(schema) => {
                    self.create_table(&request.table, schema).await?;
                    return Ok(Step::Again);
                }
                Err(error) => {
                    if let Step::Again = self.set_aside(slice, index, error).await? {
                        return Ok(Step::Again);
                    }
                }
            }
        }
        slice.note_ledger(&HashMap::new());
        self.keep_aside(request, slice, &request.table.to_string()).await?;
        Ok(Step::Finished)
    }

    /// Opens what is pending and checks it against the table.
    async fn look_at_files(&self, table: &TableMetadata, slice: &mut Slice<'_>) -> Result<Step> {
        let columns = schema_to_arrow_schema(table.current_schema())
            .map_err(|e| Error::invalid("the table has a column type that cannot be written").caused_by(e))?;
        for (index, object) in slice.pending() {
            match ParquetSource::open(object).await {
                Ok(source) => match check(source.schema().fields(), columns.fields(), "") {
                    Ok(()) => slice.set_ready(index, source),
                    Err(reason) => slice.set_faulty(index, reason),
                },
                Err(error) => {
                    if let Step::Again = self.set_aside(slice, index, error).await? {
                        return Ok(Step::Again);
                    }
                }
            }
        }
        Ok(Step::Finished)
    }

    /// Acts on an object that could not be read: at fault, overwritten meanwhile, or not now. One that was
    /// overwritten has another identity now, which the ledger has not been asked for: that takes a new plan.
    async fn set_aside(&self, slice: &mut Slice<'_>, index: usize, error: ReadError) -> Result<Step> {
        match error {
            ReadError::Content(reason) => {
                slice.set_faulty(index, reason);
                Ok(Step::Finished)
            }
            ReadError::Changed => {
                let now = resolve(&self.stores, &self.config.store_name, slice.object(index)).await?;
                slice.set_resolved(&self.config.store_name, index, now);
                Ok(Step::Again)
            }
            ReadError::Store(error) => Err(error),
        }
    }

    /// Sends commits until one is seen in the table. Each round begins by looking at the table, which alone can
    /// tell what became of the round before.
    async fn commit(
        &self,
        request: &IngestRequest,
        planned_on: Lineage,
        plan: &Plan,
        slice: &mut Slice<'_>,
        sent: &mut Vec<i64>,
    ) -> Result<Step> {
        let committer = self.committer(&request.table);
        let _turn = committer.lock().await;
        let mut checked = planned_on;
        for attempt in 0..MAX_ATTEMPTS {
            let Some(view) = self.view(&request.table).await? else {
                return Err(Error::unavailable(format!("table `{}` was dropped meanwhile", request.table)));
            };
            let metadata = view.table.metadata();
            if let Some(snapshot_id) = landed(metadata, sent) {
                return Ok(plan.finish(slice, snapshot_id));
            }
            let mut touched = metadata.uuid() != plan.table
                || metadata.current_schema_id() != plan.schema_id
                || metadata.default_partition_spec_id() != plan.spec_id;
            if view.lineage != checked {
                let found = view.ledger.look_up(&view.head, &slice.identities()).await?;
                touched |= !found.is_empty();
                checked.clone_from(&view.lineage);
            }
            if touched {
                return Ok(Step::Again);
            }
            let snapshot_id = new_snapshot_id();
            let ledger =
                view.ledger.write(&view.head, snapshot_id, plan.entries(request, slice, snapshot_id)).await?;
            let append = Append {
                files: &plan.written.files,
                ledger: &ledger,
                properties: HashMap::new(),
                snapshot_id,
                now_ms: Utc::now().timestamp_millis(),
            };
            let commit = commit::prepare(&view.table, append).await?;
            sent.push(snapshot_id);
            match self.catalog.commit(&view.table, commit).await {
                Outcome::Committed => {
                    let rows: u64 = plan.written.sources.iter().map(|placed| placed.rows).sum();
                    let files = plan.places.len();
                    tracing::info!(request_id = request.request_id, table = %request.table, snapshot_id, files, rows, attempt, "committed");
                    return Ok(plan.finish(slice, snapshot_id));
                }
                Outcome::Conflict => tracing::debug!(table = %request.table, attempt, "commit conflict"),
                Outcome::Unknown(error) => {
                    tracing::warn!(table = %request.table, attempt, snapshot_id, %error, "commit outcome unknown");
                }
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!("`{}` is contended: {MAX_ATTEMPTS} commits did not get through", request.table),
        ))
    }

    /// Writes the records of what is set aside.
    async fn keep_aside(&self, request: &IngestRequest, slice: &Slice<'_>, table: &str) -> Result<()> {
        let quarantine = self.quarantine(table);
        for faulty in slice.faulty() {
            let record = Record {
                file: faulty.object.uri.to_string(),
                identity: faulty.identity.cloned(),
                announced: Announced::of(faulty.object),
                reason: faulty.reason.to_owned(),
                table: request.table.to_string(),
                format: request.format,
                options: request.options.clone(),
                request_id: request.request_id.clone(),
                time: Utc::now(),
            };
            quarantine.put(&record).await?;
            tracing::warn!(
                request_id = request.request_id,
                table = %request.table,
                file = record.file,
                reason = record.reason,
                "file quarantined"
            );
        }
        Ok(())
    }
}

impl Plan {
    fn entries(&self, request: &IngestRequest, slice: &Slice<'_>, snapshot_id: i64) -> Vec<Entry> {
        let time = Utc::now();
        let placed = self.places.iter().zip(&self.written.sources);
        placed
            .map(|(&index, placed)| Entry {
                // An entry that was left out would let its rows in again.
                identity: slice.identity(index).expect("what was written is not settled yet").clone(),
                event_time: slice.object(index).hint.event_time,
                request_id: request.request_id.clone(),
                snapshot_id,
                mode: self.mode.to_owned(),
                rows: placed.rows,
                parts: placed.parts.clone(),
                time,
            })
            .collect()
    }

    fn finish(&self, slice: &mut Slice<'_>, snapshot_id: i64) -> Step {
        for (&index, placed) in self.places.iter().zip(&self.written.sources) {
            slice.set_done(index, snapshot_id, placed.rows, self.mode);
        }
        Step::Finished
    }
}

/// Refuses tables that this version cannot write rightly.
fn writable(name: &TableName, table: &TableMetadata) -> Result<()> {
    if table.default_partition_spec().fields().is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "table `{name}` is partitioned; only unpartitioned tables can be written yet"
    )))
}

fn pause(attempt: u32) -> Duration {
    let bound = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    bound.mul_f64(rand::rng().random_range(0.5..=1.0))
}
