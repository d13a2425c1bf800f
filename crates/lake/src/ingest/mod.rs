//! One request through the lake: from its objects to rows in the table, or to the reason why not.

mod answer;
mod committer;
mod flight;
mod gathering;
mod opening;
mod outstanding;
mod plan;
mod preview;
mod publish;
mod ready;
mod registering;
mod slice;
mod staged;
mod tables;
mod writing;

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::{FileOutcome, FileStatus, IngestRequest, IngestResult, RequestedObject, TableName};
use tokio::sync::Semaphore;

use crate::allow::OUTSIDE;
use crate::catalog::Catalog;
use crate::claims::Claims;
use crate::config::LakeConfig;
use crate::error::{Error, Result};
use crate::observe::{Observer, Stage};
use crate::quarantine::QuarantineListener;
use crate::source::{Resolved, resolve};
use crate::storage::Stores;

use committer::Committers;
use slice::Slice;
use tables::Tables;

pub use outstanding::{Current, Standing};
pub use preview::Preview;
pub use staged::{Conflict, Publication};
pub(crate) use tables::new_snapshot_id;

/// Objects that are planned, written and committed together. A longer request is taken in slices: what is held
/// for an object stays bounded, and a retry finds the first slices done.
const SLICE_OBJECTS: usize = 200;
/// Objects asked about at the same time.
const LOOKUPS_IN_FLIGHT: usize = 16;
/// Stages that are published at once: the list and the data files of each are in memory.
const STAGES_AT_ONCE: usize = 2;
/// Name of the folder in the warehouse that holds ledgers unless told otherwise.
const LEDGER_FOLDER: &str = "_event_ingest";
/// Name of the folder below the ledger root that holds what belongs to the heavy path, unless told otherwise.
const HEAVY_FOLDER: &str = "heavy";

/// Appends files to the tables of one catalog, each object version once.
#[derive(Debug)]
pub struct Lake {
    pub(crate) config: LakeConfig,
    pub(crate) tables: Arc<Tables>,
    pub(crate) heavy_root: String,
    pub(crate) quarantine_listener: Option<Arc<dyn QuarantineListener>>,
    claims: Arc<Claims>,
    writers: Semaphore,
    publishers: Semaphore,
    committers: Committers,
}

impl Lake {
    /// Opens the catalog and the stores.
    ///
    /// # Errors
    /// Configuration that cannot work.
    pub async fn open(config: LakeConfig) -> Result<Self> {
        let stores = Arc::new(Stores::new(config.properties.clone())?);
        let catalog = Catalog::open(&config.catalog_name, &config.properties, stores.clone()).await?;
        Self::assemble(config, stores, catalog)
    }

    /// A lake over stores and a catalog that were opened before.
    ///
    /// # Errors
    /// A ledger root or heavy root that no store can reach.
    pub fn assemble(config: LakeConfig, stores: Arc<Stores>, catalog: Catalog) -> Result<Self> {
        let ledger_root = match &config.ledger_root {
            Some(root) => root.trim_end_matches('/').to_owned(),
            None => format!("{}/{LEDGER_FOLDER}", catalog.warehouse_location()?),
        };
        let heavy_root = match &config.heavy_root {
            Some(root) => root.trim_end_matches('/').to_owned(),
            None => format!("{ledger_root}/{HEAVY_FOLDER}"),
        };
        for root in [&ledger_root, &heavy_root] {
            stores.locate(root)?;
        }
        let writers = Semaphore::new(config.concurrent_writes.max(1));
        let tables = Arc::new(Tables::new(catalog, stores, ledger_root));
        let committers = Committers::new(tables.clone());
        Ok(Self {
            config,
            tables,
            heavy_root,
            quarantine_listener: None,
            claims: Arc::default(),
            writers,
            publishers: Semaphore::new(STAGES_AT_ONCE),
            committers,
        })
    }

    /// Tells `observer` of everything from now on. Only the first one is told.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        self.tables.observed.by(observer);
    }

    /// Whether the catalog answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ready(&self) -> Result<()> {
        self.tables.catalog.ready().await
    }

    /// Takes every object of a request into its table, unless it is there already. The answer is given only
    /// when each object is visible or durably quarantined (invariant 3).
    ///
    /// # Errors
    /// [`Error::retryable`] says whether the same request may succeed later. Parts of it may have been committed
    /// by then; they will be found in the ledger.
    pub async fn ingest(&self, request: &IngestRequest) -> Result<IngestResult> {
        let mut tally = Tally::new(request.objects.len());
        let admitted = self.admit(request, &mut tally)?;
        for slice in admitted.chunks(SLICE_OBJECTS) {
            self.ingest_slice(request, slice, &mut tally).await?;
        }
        Ok(tally.into_result(&request.request_id, &request.table))
    }

    /// The objects that may be read, with their places in the request.
    fn admit<'a>(
        &self,
        request: &'a IngestRequest,
        tally: &mut Tally,
    ) -> Result<Vec<(usize, &'a RequestedObject)>> {
        self.config.allow.check_table(&request.table)?;
        let mut admitted = Vec::with_capacity(request.objects.len());
        for (place, object) in request.objects.iter().enumerate() {
            if self.config.allow.allows_source(&object.uri) {
                admitted.push((place, object));
            } else {
                tally.put(place, outcome(object, FileStatus::Forbidden, Some(OUTSIDE.to_owned())));
            }
        }
        if admitted.is_empty() {
            return Err(Error::forbidden("none of the files is in an allowed bucket and prefix"));
        }
        Ok(admitted)
    }

    async fn resolve_all(&self, objects: &[(usize, &RequestedObject)]) -> Result<Vec<Resolved>> {
        let _under_way = self.tables.observed.begin(Stage::Resolve);
        let lookups: Vec<_> = objects
            .iter()
            .map(|(_, object)| resolve(&self.tables.stores, &self.config.store_name, object))
            .collect();
        stream::iter(lookups).buffered(LOOKUPS_IN_FLIGHT).try_collect().await
    }

    async fn ingest_slice(
        &self,
        request: &IngestRequest,
        objects: &[(usize, &RequestedObject)],
        tally: &mut Tally,
    ) -> Result<()> {
        let mut slice = Slice::new(&self.config.store_name, objects, self.resolve_all(objects).await?);
        self.publish(request, &mut slice).await?;
        tally.snapshot_id = slice.snapshot_id().or(tally.snapshot_id);
        for (place, outcome) in slice.into_outcomes() {
            tally.put(place, outcome);
        }
        Ok(())
    }
}

fn outcome(object: &RequestedObject, status: FileStatus, reason: Option<String>) -> FileOutcome {
    FileOutcome { file: object.uri.to_string(), status, rows: 0, mode: None, mode_reason: None, reason }
}

/// The answer as it grows.
struct Tally {
    files: Vec<Option<FileOutcome>>,
    snapshot_id: Option<i64>,
}

impl Tally {
    fn new(objects: usize) -> Self {
        Self { files: vec![None; objects], snapshot_id: None }
    }

    fn put(&mut self, place: usize, outcome: FileOutcome) {
        self.files[place] = Some(outcome);
    }

    fn into_result(self, request_id: &str, table: &TableName) -> IngestResult {
        let files: Vec<FileOutcome> = self.files.into_iter().flatten().collect();
        let count = |status| files.iter().filter(|file| file.status == status).count() as u64;
        let mut modes: Vec<&str> = files
            .iter()
            .filter(|file| file.status == FileStatus::Processed)
            .filter_map(|file| file.mode.as_deref())
            .collect();
        modes.dedup();
        let mode = match modes.as_slice() {
            [] => "none",
            [one] => one,
            _ => "mixed",
        };
        IngestResult {
            request_id: request_id.to_owned(),
            table: table.clone(),
            rows: files.iter().map(|file| file.rows).sum(),
            files_processed: count(FileStatus::Processed),
            files_skipped: count(FileStatus::Skipped),
            files_quarantined: count(FileStatus::Quarantined),
            snapshot_id: self.snapshot_id,
            mode: mode.to_owned(),
            files,
        }
    }
}
