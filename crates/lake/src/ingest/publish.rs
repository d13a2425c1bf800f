//! Plan, write, hand over to the committer; and again from the start whenever the table turns out to be another than
//! was planned for.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use iceberg::spec::TableMetadata;
use ingest_core::{IngestRequest, TableName};

use super::flight::{Landing, Prepared};
use super::slice::Slice;
use super::{Lake, SLICE_OBJECTS};
use crate::ErrorKind;
use crate::claims::Claim;
use crate::columns::{Matching, map, schema_for};
use crate::error::{Error, Result};
use crate::ledger::Entry;
use crate::options::{TableOptions, found};
use crate::quarantine::{Announced, Record};
use crate::source::{ReadError, Source, TextOptions, resolve};
use crate::write::{Placed, RewriteInput, Target, WriteError, rewrite};

/// Plans made before the caller is asked to come again. A bad file that shows only while it is written costs one,
/// and so does a change of the table that touches what was planned.
const MAX_PLANS: usize = SLICE_OBJECTS + 50;

/// Whether what was begun goes on.
enum Step {
    /// It does.
    Finished,
    /// Something turned out otherwise: plan again.
    Again,
}

/// What planning led to.
enum Planned {
    /// Files for the objects at these places of the slice, to be committed.
    Written { places: Vec<usize>, mode: &'static str, prepared: Prepared },
    /// Every object is known or at fault, in the table of this name below the ledger's root.
    Nothing(String),
    /// Something turned out otherwise: plan again.
    Again,
}

impl Lake {
    /// Brings every object of the slice to its end: in the table, or durably quarantined.
    pub(super) async fn publish(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<()> {
        let committer = self.committers.of(&request.table);
        let mut claim = self.claim(request, slice).await;
        for _ in 0..MAX_PLANS {
            if !claim.covers(&slice.identities()) {
                // An object was overwritten, and is another version now. What is held goes first: two requests that
                // wait for each other's would wait for ever.
                drop(claim);
                claim = self.claim(request, slice).await;
            }
            let announced = committer.expect();
            let (places, mode, prepared) = match self.plan(request, slice, &claim).await? {
                Planned::Written { places, mode, prepared } => (places, mode, prepared),
                Planned::Nothing(table) => return self.keep_aside(request, slice, &table).await,
                Planned::Again => continue,
            };
            let table = prepared.footing.table.to_string();
            let rows: Vec<u64> = prepared.entries.iter().map(|entry| entry.rows).collect();
            match committer.submit(prepared, announced).await {
                Landing::Committed { snapshot_id } => {
                    for (index, rows) in places.into_iter().zip(rows) {
                        slice.set_done(index, snapshot_id, rows, mode);
                    }
                    return self.keep_aside(request, slice, &table).await;
                }
                Landing::Replan { files } => files.discard().await,
                Landing::GaveUp { error, files } => {
                    files.discard().await;
                    return Err(error);
                }
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

    async fn claim(&self, request: &IngestRequest, slice: &Slice<'_>) -> Arc<Claim> {
        Arc::new(self.claims.acquire(&request.table, &slice.identities()).await)
    }

    /// Looks at the table and the files, and writes what is new. Only this takes much memory, so only so many do
    /// it at once.
    async fn plan(
        &self,
        request: &IngestRequest,
        slice: &mut Slice<'_>,
        claim: &Arc<Claim>,
    ) -> Result<Planned> {
        // The table may be another than at the last plan.
        slice.unready();
        let _writer =
            self.writers.acquire().await.map_err(|e| Error::unavailable("shutting down").caused_by(e))?;
        let Some(view) = self.tables.view(&request.table).await? else {
            return self.begin_table(request, slice).await;
        };
        let metadata = view.table.metadata_ref();
        let options = TableOptions::of(metadata.properties(), &request.options)
            .map_err(|e| Error::invalid(format!("table `{}`", request.table)).caused_by(e))?;
        let text = text_options(request, metadata.properties())?;
        writable(&request.table, &metadata)?;
        slice.note_ledger(&view.ledger.look_up(&view.head, &slice.identities()).await?);
        let target = Target::current(metadata.clone())?;
        if let Step::Again = self.look_at_files(request, &target, &text, slice).await? {
            return Ok(Planned::Again);
        }
        let (places, sources): (Vec<usize>, Vec<Source>) = slice.ready().into_iter().unzip();
        if sources.is_empty() {
            return Ok(Planned::Nothing(metadata.uuid().to_string()));
        }
        let inputs = sources
            .into_iter()
            .map(|source| {
                let (mapping, _) =
                    map(source.schema().fields(), target.columns.fields(), Matching::default());
                RewriteInput { source, mapping: Arc::new(mapping) }
            })
            .collect();
        // The catalog may have lent credentials of their own for the table's files.
        let stores = self.tables.catalog.stores(&view.table);
        let written = match rewrite(stores.clone(), target, inputs).await {
            Ok(written) => written,
            Err(WriteError::Sink(error)) => return Err(error),
            Err(WriteError::Sources(faults)) => {
                for (index, error) in faults {
                    self.set_aside(slice, places[index], error).await?;
                }
                return Ok(Planned::Again);
            }
        };
        let mode = options.mode.as_str();
        let entries = entries(request, slice, &places, &written.sources, mode);
        // Their footers are not needed any more; if the table turns out to be another, they are read again.
        slice.unready();
        let prepared = Prepared {
            footing: view.footing(),
            files: written.files,
            stores,
            entries,
            _claim: claim.clone(),
        };
        Ok(Planned::Written { places, mode, prepared })
    }

    /// Makes the table after the first file that can be read, or finds that there is none.
    async fn begin_table(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<Planned> {
        if !self.config.create_tables {
            return Err(Error::invalid(format!(
                "table `{}` does not exist, and this instance was not told to make tables",
                request.table
            )));
        }
        let text = text_options(request, &HashMap::new())?;
        for (index, object) in slice.pending() {
            let schema = match Source::open(object, request.format, &text, None).await {
                Ok(source) => schema_for(source.schema()).map_err(ReadError::Content),
                Err(error) => Err(error),
            };
            match schema {
                Ok(schema) => {
                    self.tables.create_table(&request.table, schema).await?;
                    return Ok(Planned::Again);
                }
                Err(error) => {
                    if let Step::Again = self.set_aside(slice, index, error).await? {
                        return Ok(Planned::Again);
                    }
                }
            }
        }
        slice.note_ledger(&HashMap::new());
        Ok(Planned::Nothing(request.table.to_string()))
    }

    /// Opens what is pending and checks it against the table.
    async fn look_at_files(
        &self,
        request: &IngestRequest,
        target: &Target,
        text: &TextOptions,
        slice: &mut Slice<'_>,
    ) -> Result<Step> {
        for (index, object) in slice.pending() {
            match Source::open(object, request.format, text, Some(&target.columns)).await {
                Ok(source) => {
                    let (_, misfits) =
                        map(source.schema().fields(), target.columns.fields(), Matching::default());
                    match misfits.first() {
                        None => slice.set_ready(index, source),
                        Some(misfit) => slice.set_faulty(index, misfit.to_string()),
                    }
                }
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
                let now = resolve(&self.tables.stores, &self.config.store_name, slice.object(index)).await?;
                slice.set_resolved(&self.config.store_name, index, now);
                Ok(Step::Again)
            }
            ReadError::Store(error) => Err(error),
        }
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

/// How a request's text files are read.
fn text_options(request: &IngestRequest, properties: &HashMap<String, String>) -> Result<TextOptions> {
    TextOptions::of(found(properties, &request.options))
        .map_err(|e| Error::invalid(format!("table `{}`", request.table)).caused_by(e))
}

/// What the ledger shall say of the objects at `places`, but for the snapshot.
fn entries(
    request: &IngestRequest,
    slice: &Slice<'_>,
    places: &[usize],
    placed: &[Placed],
    mode: &str,
) -> Vec<Entry> {
    let time = Utc::now();
    let entry = |(&index, placed): (&usize, &Placed)| Entry {
        // An entry that was left out would let its rows in again.
        identity: slice.identity(index).expect("what was written is not settled yet").clone(),
        event_time: slice.object(index).hint.event_time,
        request_id: request.request_id.clone(),
        snapshot_id: 0,
        mode: mode.to_owned(),
        rows: placed.rows,
        parts: placed.parts.clone(),
        time,
    };
    places.iter().zip(placed).map(entry).collect()
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
