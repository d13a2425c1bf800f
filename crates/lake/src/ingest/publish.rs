//! Plan, write, hand over to the committer; and again from the start whenever the table turns out to be another than
//! was planned for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use iceberg::spec::{DEFAULT_SCHEMA_NAME_MAPPING, TableMetadata};
use ingest_core::{IngestRequest, ObjectHint, RequestedObject};

use super::flight::{Landing, Prepared};
use super::plan::{Known, Plan, Planned, Way, plan, schema_after};
use super::slice::Slice;
use super::tables::View;
use super::writing::write;
use super::{LOOKUPS_IN_FLIGHT, Lake, SLICE_OBJECTS};
use crate::ErrorKind;
use crate::claims::Claim;
use crate::columns::Fitting;
use crate::error::{Error, Result};
use crate::ledger::{Entry, ObjectName};
use crate::options::{Mode, TableOptions};
use crate::quarantine::{Announced, Record};
use crate::source::{ReadError, Resolved, Source, resolve};
use crate::write::{Placed, Target, WriteError, needed_mapping};

/// Plans made before the caller is asked to come again. A bad file that shows only while it is written costs one,
/// and so does a change of the table that touches what was planned.
const MAX_PLANS: usize = SLICE_OBJECTS + 50;
/// Bytes of decoded footers that are held at once. The objects beyond them are planned after the first are committed.
const FOOTERS_BYTES: usize = 16 * 1024 * 1024;

/// Whether what was begun goes on.
pub(super) enum Step {
    /// It does.
    Finished,
    /// Something turned out otherwise: plan again.
    Again,
}

/// What planning and writing led to.
enum Ready {
    /// Files for some objects of the slice, to be committed.
    Written(Box<Written>),
    /// No object is left to be written, in the table of this name below the ledger's root.
    Nothing(String),
    /// Something turned out otherwise: plan again.
    Again,
}

/// Files for objects of a slice.
struct Written {
    /// Place in the slice, rows and mode of each object.
    objects: Vec<(usize, u64, &'static str)>,
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
            match committer.submit(prepared, announced).await {
                Landing::Committed { snapshot_id } => {
                    for (place, rows, mode) in objects {
                        slice.set_done(place, snapshot_id, rows, mode);
                    }
                    if !slice.is_unsettled() {
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
        // The table may be another than at the last plan.
        slice.look_again();
        let _writer =
            self.writers.acquire().await.map_err(|e| Error::unavailable("shutting down").caused_by(e))?;
        let Some(view) = self.tables.view(&request.table).await? else {
            return self.begin_table(request, slice).await;
        };
        let table = view.table.metadata_ref();
        let options = options_of(request, table.properties())?;
        slice.note_ledger(&view.ledger.look_up(&view.head, &slice.identities()).await?);
        if let Step::Again = self.open_files(request, &options, Some(&table), slice).await? {
            return Ok(Ready::Again);
        }
        let now = Utc::now();
        if options.mode == Mode::Register {
            known.barred = self.barred(&view, slice).await?;
        }
        let Plan { target, evolved, files, unfit } = plan(&table, &options, slice.ready(), known, now)?;
        for (place, reason) in unfit {
            slice.set_unfit(place, reason);
        }
        if files.is_empty() {
            return Ok(Ready::Nothing(table.uuid().to_string()));
        }
        // The catalog may have lent credentials of their own for the table's files.
        let stores = self.tables.catalog.stores(&view.table);
        let places: Vec<usize> = files.iter().map(|file| file.place).collect();
        let modes: Vec<&'static str> = files.iter().map(|file| file.way.as_str()).collect();
        let properties = match name_mapping(&target, &files) {
            Ok(properties) => properties,
            Err((place, reason)) => {
                slice.set_faulty(place, reason);
                return Ok(Ready::Again);
            }
        };
        let written = match write(stores.clone(), target, files, options.verify).await {
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
        let rows = written.sources.iter().map(|placed| placed.rows);
        let objects =
            places.into_iter().zip(rows).zip(modes).map(|((place, rows), mode)| (place, rows, mode));
        // Their footers are not needed any more; if the table turns out to be another, they are read again.
        slice.release();
        let prepared = Prepared {
            footing: view.footing(),
            evolved,
            properties,
            files: written.files,
            registered: written.registered,
            stores,
            entries,
            _claim: claim.clone(),
        };
        Ok(Ready::Written(Box::new(Written { objects: objects.collect(), prepared })))
    }

    /// Makes the table after the first file that can be read, or finds that there is none.
    async fn begin_table(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<Ready> {
        if !self.config.create_tables {
            return Err(Error::invalid(format!(
                "table `{}` does not exist, and this instance was not told to make tables",
                request.table
            )));
        }
        let options = options_of(request, &HashMap::new())?;
        for (index, object) in slice.pending() {
            let schema = match Source::open(object, request.format, &options.text, None).await {
                Ok(source) => schema_after(&source, &options, Utc::now()).map_err(ReadError::Content),
                Err(error) => Err(error),
            };
            match schema {
                Ok(schema) => {
                    self.tables.create_table(&request.table, schema, &options.creation).await?;
                    return Ok(Ready::Again);
                }
                Err(error) => {
                    if let Step::Again = self.set_aside(slice, index, error).await? {
                        return Ok(Ready::Again);
                    }
                }
            }
        }
        slice.note_ledger(&HashMap::new());
        Ok(Ready::Nothing(request.table.to_string()))
    }

    /// Opens what is pending, as far as its footers fit in the memory that they may take.
    pub(super) async fn open_files(
        &self,
        request: &IngestRequest,
        options: &TableOptions,
        table: Option<&TableMetadata>,
        slice: &mut Slice<'_>,
    ) -> Result<Step> {
        let columns = match table {
            Some(table) => Some(Fitting::new(table, options.schema_policy, options.matching)?.columns),
            None => None,
        };
        let columns = columns.as_deref();
        let opening = slice.pending().into_iter().map(|(index, object)| async move {
            (index, Source::open(object, request.format, &options.text, columns).await)
        });
        let opening: Vec<_> = opening.collect();
        let mut opened = std::pin::pin!(stream::iter(opening).buffered(LOOKUPS_IN_FLIGHT));
        let mut held = 0;
        while let Some((index, source)) = opened.next().await {
            match source {
                Ok(source) => {
                    held += source.memory();
                    slice.set_ready(index, source);
                }
                Err(error) => {
                    if let Step::Again = self.set_aside(slice, index, error).await? {
                        return Ok(Step::Again);
                    }
                }
            }
            if held > FOOTERS_BYTES {
                break;
            }
        }
        Ok(Step::Finished)
    }

    /// Which of the objects that are ready no table may own, and why. The path is what a data file is known by, so it is
    /// always the current version that readers see, and one version of a key at most can be in the table.
    async fn barred(&self, view: &View, slice: &Slice<'_>) -> Result<HashMap<usize, String>> {
        let mut barred = HashMap::new();
        let mut keys = HashSet::new();
        for (place, source) in slice.ready() {
            let object = source.object();
            let name = ObjectName::of(&object.identity);
            let unpinned = RequestedObject { uri: object.uri.clone(), hint: ObjectHint::default() };
            let current = resolve(&self.tables.stores, &self.config.store_name, &unpinned).await?;
            let is_current = matches!(&current, Resolved::Object(now) if now.identity == object.identity);
            if !self.config.allow.allows_owning(&object.uri) {
                barred.insert(place, "it is in no bucket and prefix that tables may own".to_owned());
            } else if !is_current {
                barred.insert(place, "it is not the current version of its key".to_owned());
            } else if view.ledger.is_registered(&view.head, std::slice::from_ref(&name)).await?
                || !keys.insert(name)
            {
                barred.insert(
                    place,
                    "another version of its key is a data file of the table already".to_owned(),
                );
            }
        }
        Ok(barred)
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

pub(super) fn options_of(
    request: &IngestRequest,
    properties: &HashMap<String, String>,
) -> Result<TableOptions> {
    TableOptions::of(properties, &request.options)
        .map_err(|e| Error::invalid(format!("table `{}`", request.table)).caused_by(e))
}

/// The table property by which readers find the columns of registered files that bear no field ids.
fn name_mapping(target: &Target, files: &[Planned]) -> Result<HashMap<String, String>, (usize, String)> {
    let mut properties = HashMap::new();
    let mut held = target.table.properties().get(DEFAULT_SCHEMA_NAME_MAPPING).cloned();
    for file in files {
        if !matches!(&file.way, Way::Register(registered) if registered.by_name) {
            continue;
        }
        let columns = file.source.schema().fields();
        let needed = needed_mapping(held.as_deref(), target, &file.mapping, columns);
        if let Some(needed) = needed.map_err(|reason| (file.place, reason))? {
            properties.insert(DEFAULT_SCHEMA_NAME_MAPPING.to_owned(), needed.clone());
            held = Some(needed);
        }
    }
    Ok(properties)
}
