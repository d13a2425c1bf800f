//! Plan, write, hand over to the committer; and again from the start whenever the table turns out to be another than
//! was planned for.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use iceberg::spec::TableMetadata;
use ingest_core::IngestRequest;

use super::flight::{Landing, Prepared};
use super::plan::{Known, Plan, plan};
use super::registering::name_mapping;
use super::slice::{Done, Slice};
use super::writing::write;
use super::{Lake, SLICE_OBJECTS};
use crate::ErrorKind;
use crate::claims::Claim;
use crate::creation::properties_of;
use crate::error::{Error, Result};
use crate::ledger::{Entry, ObjectName};
use crate::observe::Stage;
use crate::options::TableOptions;
use crate::quarantine::{Announced, LeftOut, Record};
use crate::source::{ReadError, Rejected, Source, TextSource, resolve};
use crate::write::{Placed, WriteError, delete_uncommitted};

/// Plans made before the caller is asked to come again. A bad file that shows only while it is written costs one,
/// and so does a change of the table that touches what was planned.
pub(super) const MAX_PLANS: usize = SLICE_OBJECTS + 50;

/// Whether what was begun goes on.
pub(super) enum Step {
    /// It does.
    Finished,
    /// Something turned out otherwise: plan again.
    Again,
}

/// What planning and writing led to.
pub(super) enum Ready {
    /// Files for some objects of the slice, to be committed.
    Written(Box<Written>),
    /// No object is left to be written, in the table of this name below the ledger's root.
    Nothing(String),
    /// Something turned out otherwise: plan again.
    Again,
}

/// Files for objects of a slice.
pub(super) struct Written {
    /// Each object by its place in the slice.
    objects: Vec<(usize, Done)>,
    prepared: Prepared,
}

impl Lake {
    /// Brings every object of the slice to its end: in the table, or durably quarantined.
    pub(super) async fn publish(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<()> {
        let committer = self.committers.of(&request.table);
        let mut claim = self.claim(request, slice).await;
        let mut known = Known::default();
        for _ in 0..MAX_PLANS {
            if !claim.covers(&slice.identities()) {
                // An object was overwritten, and is another version now. What is held goes first: two requests that
                // wait for each other's would wait for ever.
                drop(claim);
                claim = self.claim(request, slice).await;
            }
            let announced = committer.expect();
            let written = match self.prepare(request, slice, &claim, &mut known).await? {
                Ready::Written(written) => written,
                Ready::Nothing(table) => return self.keep_aside(request, slice, &table).await,
                Ready::Again => continue,
            };
            let Written { objects, prepared } = *written;
            let table = prepared.footing.table.to_string();
            let evolved = prepared.evolved.is_some();
            let committing = self.tables.observed.begin(Stage::Commit);
            let landing = committer.submit(prepared, announced).await;
            drop(committing);
            match landing {
                Landing::Committed { snapshot_id } => {
                    for (place, done) in objects {
                        slice.set_done(place, snapshot_id, done);
                    }
                    // What did not fit may fit the table that it is now.
                    let again = slice.is_unsettled() || (evolved && slice.has_unfit());
                    if !again {
                        return self.keep_aside(request, slice, &table).await;
                    }
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
        let _waiting = self.tables.observed.begin(Stage::Wait);
        Arc::new(self.claims.acquire(&request.table, &slice.identities()).await)
    }

    /// Looks at the table and the files, and writes what is new. Only this takes much memory, so only so many do
    /// it at once.
    async fn prepare(
        &self,
        request: &IngestRequest,
        slice: &mut Slice<'_>,
        claim: &Arc<Claim>,
        known: &mut Known,
    ) -> Result<Ready> {
        slice.release();
        let waiting = self.tables.observed.begin(Stage::Wait);
        let _writer =
            self.writers.acquire().await.map_err(|e| Error::unavailable("shutting down").caused_by(e))?;
        drop(waiting);
        let planning = self.tables.observed.begin(Stage::Plan);
        let view = self.tables.view(&request.table).await?;
        let schema = view.as_ref().map(|view| {
            let table = view.table.metadata();
            (table.uuid(), table.current_schema_id())
        });
        if known.schema != schema {
            // What did not fit the table as it was may fit it now.
            slice.look_again();
            known.schema = schema;
        }
        let Some(view) = view else {
            return self.begin_table(request, slice).await;
        };
        let table = view.table.metadata_ref();
        let options = options_of(request, Some(table.properties()))?;
        slice.note_ledger(&view.ledger.look_up(&view.head, &slice.identities()).await?);
        if let Step::Again = self.open_files(request, &options, Some(&table), slice).await? {
            return Ok(Ready::Again);
        }
        let now = Utc::now();
        known.barred = self.barred(Some((&view.ledger, &view.head)), slice, options.mode).await?;
        let Plan { target, evolved, files, unfit } = plan(&table, &options, slice.ready(), known, now)?;
        for (place, reason) in unfit {
            slice.set_unfit(place, reason);
        }
        if files.is_empty() {
            let nothing = Ready::Nothing(table.uuid().to_string());
            return Ok(if slice.is_unsettled() { Ready::Again } else { nothing });
        }
        // The catalog may have lent credentials of their own for the table's files.
        let stores = self.tables.catalog.stores(&view.table);
        let places: Vec<usize> = files.iter().map(|file| file.place).collect();
        let modes: Vec<&'static str> = files.iter().map(|file| file.way.as_str()).collect();
        let whys: Vec<String> = files.iter().map(|file| file.why.clone()).collect();
        let properties = match name_mapping(&target, &files) {
            Ok(properties) => properties,
            Err((place, reason)) => {
                slice.set_unfit(place, reason);
                return Ok(Ready::Again);
            }
        };
        let sizes = files.iter().map(|file| file.source.object().size).collect();
        let texts: Vec<Option<TextSource>> = files
            .iter()
            .map(|file| match &file.source {
                Source::Text(text) => Some(text.clone()),
                Source::Parquet(_) => None,
            })
            .collect();
        drop(planning);
        let writing = self.tables.observed.begin(Stage::Write);
        let written = write(stores.clone(), target, files, options.verify).await;
        drop(writing);
        let written = match written {
            Ok(written) => written,
            Err(WriteError::Sink(error)) => return Err(error),
            Err(WriteError::Sources { bad, unspliceable }) => {
                for (index, why) in unspliceable {
                    known.unspliceable.insert(places[index], why);
                }
                for (index, error) in bad {
                    self.set_aside(slice, places[index], error).await?;
                }
                return Ok(Ready::Again);
            }
        };
        let entries = places
            .iter()
            .zip(&written.sources)
            .zip(&modes)
            .map(|((place, placed), mode)| entry(request, slice, *place, placed, mode, now))
            .collect();
        let ownable = places.iter().map(|place| &slice.object(*place).uri);
        let ownable = ownable.zip(&places).filter(|(uri, _)| self.config.allow.allows_owning(uri));
        let ownable = ownable.filter_map(|(_, place)| slice.identity(*place).map(ObjectName::of)).collect();
        let mut objects = Vec::with_capacity(places.len());
        let ways = modes.into_iter().zip(whys);
        for ((place, (mode, why)), (placed, text)) in
            places.into_iter().zip(ways).zip(written.sources.iter().zip(texts))
        {
            let rejected = text.map(|text| text.rejected()).filter(|rejected| rejected.rows > 0);
            let note = rejected.as_ref().and_then(Rejected::describe);
            if let Some(rejected) = rejected {
                let reported = self.report(request, slice, place, rejected, &table).await;
                if let Err(error) = reported {
                    delete_uncommitted(&stores, &written.files).await;
                    return Err(error);
                }
            }
            objects.push((place, Done { rows: placed.rows, mode, why, note }));
        }
        // Their footers are not needed any more; if the table turns out to be another, they are read again.
        slice.release();
        let prepared = Prepared {
            footing: view.footing(),
            evolved,
            properties,
            files: written.files,
            kept: written.registered,
            ownable,
            stores,
            entries,
            sizes,
            _claim: claim.clone(),
        };
        Ok(Ready::Written(Box::new(Written { objects, prepared })))
    }

    /// Writes down which rows of an object are left out, before the others are in the table.
    async fn report(
        &self,
        request: &IngestRequest,
        slice: &Slice<'_>,
        place: usize,
        rejected: Rejected,
        table: &TableMetadata,
    ) -> Result<()> {
        let report = LeftOut {
            file: slice.object(place).uri.to_string(),
            identity: slice.identity(place).expect("what was written is not settled yet").clone(),
            table: request.table.to_string(),
            request_id: request.request_id.clone(),
            time: Utc::now(),
            rejected,
        };
        tracing::warn!(
            request_id = report.request_id,
            table = report.table,
            file = report.file,
            rows = report.rejected.rows,
            "rows left out"
        );
        self.quarantine(&table.uuid().to_string()).put_left_out(&report).await
    }

    /// Acts on an object that could not be read: at fault, overwritten meanwhile, or not now. One that was
    /// overwritten has another identity now, which the ledger has not been asked for: that takes a new plan.
    pub(super) async fn set_aside(
        &self,
        slice: &mut Slice<'_>,
        index: usize,
        error: ReadError,
    ) -> Result<Step> {
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
            self.keep_record_aside(table, &record).await?;
        }
        Ok(())
    }

    /// Writes a record, and tells who listens.
    pub(super) async fn keep_record_aside(&self, table: &str, record: &Record) -> Result<()> {
        self.quarantine(table).put(record).await?;
        tracing::warn!(
            request_id = record.request_id,
            table = record.table,
            file = record.file,
            reason = record.reason,
            "file quarantined"
        );
        Ok(())
    }
}

/// What the ledger shall say of the object at `place`, but for the snapshot.
fn entry(
    request: &IngestRequest,
    slice: &Slice<'_>,
    place: usize,
    placed: &Placed,
    mode: &str,
    time: DateTime<Utc>,
) -> Entry {
    Entry {
        // An entry that was left out would let its rows in again.
        identity: slice.identity(place).expect("what was written is not settled yet").clone(),
        event_time: slice.object(place).hint.event_time,
        request_id: request.request_id.clone(),
        snapshot_id: 0,
        mode: mode.to_owned(),
        rows: placed.rows,
        parts: placed.parts.clone(),
        time,
    }
}

/// The options of a request for a table with these properties; for one that is to be made, with those that it will
/// have.
pub(super) fn options_of(
    request: &IngestRequest,
    properties: Option<&HashMap<String, String>>,
) -> Result<TableOptions> {
    let made = properties_of(&request.options);
    TableOptions::of(properties.unwrap_or(&made), &request.options)
        .map_err(|e| Error::invalid(format!("table `{}`", request.table)).caused_by(e))
}
