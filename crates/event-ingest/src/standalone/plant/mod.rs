//! The standalone server as an operator meets it: store, inbox, flow and tables of one process.

mod change;
mod files;
mod problems;
mod status;
mod story;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ingest_core::{ObjectUri, TableName};
use lake::Lake;
use operations::model::{
    Abilities, Ability, Changed, DeadLetter, FileLine, HeavyJob, Page, Quarantined, Status, Story,
    UploadTarget, Uploaded,
};
use operations::plant::{FilesQuery, ListQuery, TableQuery, Upload};
use operations::{Plant, PlantError};
use service_kit::rules::LiveRules;

use super::activity::Activity;
use super::flow::Ingest;
use super::inbox::Inbox;
use super::store::{Store, StoreError};
use crate::overview;

/// Tables that are looked at. More than that nobody has in one process, and a status has to end.
const MAX_TABLES: usize = 50;
/// Largest file that is taken: what S3 takes in one request.
const MAX_UPLOAD: u64 = 5 << 30;

/// What the plant is made of.
pub(super) struct StandalonePlant<I> {
    /// The folder, as the operator named it: commands are shown with it.
    pub(super) data: String,
    /// The bucket whose objects are ingested.
    pub(super) bucket: String,
    /// The table of objects that no rule names.
    pub(super) table: TableName,
    pub(super) store: Store,
    pub(super) inbox: Inbox,
    pub(super) activity: Arc<Activity>,
    pub(super) rules: LiveRules,
    pub(super) lake: Arc<Lake>,
    pub(super) worker: Arc<I>,
}

impl<I> fmt::Debug for StandalonePlant<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandalonePlant").field("data", &self.data).finish_non_exhaustive()
    }
}

#[async_trait]
impl<I: Ingest> Plant for StandalonePlant<I> {
    fn abilities(&self) -> Abilities {
        Abilities {
            changes: vec![Ability::RetryQuarantined, Ability::Redrive, Ability::Upload],
            upload: Some(UploadTarget { bucket: self.bucket.clone(), max_bytes: MAX_UPLOAD }),
        }
    }

    async fn status(&self) -> Status {
        self.take_status().await
    }

    async fn files(&self, query: &FilesQuery) -> Result<Page<FileLine>, PlantError> {
        self.list_files(query).await
    }

    async fn story(&self, object: &ObjectUri, table: Option<&TableName>) -> Result<Story, PlantError> {
        self.tell_story(object, table).await
    }

    async fn quarantined(&self, query: &TableQuery) -> Result<Page<Quarantined>, PlantError> {
        self.list_quarantined(query).await
    }

    async fn dead_letters(&self, query: &ListQuery) -> Result<Page<DeadLetter>, PlantError> {
        self.list_letters(query).await
    }

    async fn heavy_jobs(&self, _: &ListQuery) -> Result<Page<HeavyJob>, PlantError> {
        // What would go to Spark elsewhere is read by the worker's own streaming code.
        Ok(Page::last(Vec::new()))
    }

    async fn retry_quarantined(&self, table: &TableName, ids: &[String]) -> Result<Changed, PlantError> {
        self.again(table, ids).await
    }

    async fn redrive(&self, ids: &[String]) -> Result<Changed, PlantError> {
        self.send_back(ids).await
    }

    async fn upload(&self, upload: Upload) -> Result<Uploaded, PlantError> {
        self.take_file(upload).await
    }
}

impl<I: Ingest> StandalonePlant<I> {
    /// The tables that rules name, and those that files went to lately.
    fn tables(&self) -> BTreeSet<TableName> {
        let rules = self.rules.current();
        let recent = self.activity.snapshot().1.into_iter().rev().filter_map(|file| file.table?.parse().ok());
        let named = rules.tables().flatten().chain(recent);
        let mut tables: BTreeSet<TableName> = BTreeSet::new();
        for table in named {
            if tables.len() == MAX_TABLES {
                break;
            }
            tables.insert(table);
        }
        if tables.is_empty() {
            tables.insert(self.table.clone());
        }
        tables
    }

    /// The table that was asked for, or all that are known.
    fn asked(&self, table: Option<&TableName>) -> Vec<TableName> {
        match table {
            Some(table) => vec![table.clone()],
            None => self.tables().into_iter().collect(),
        }
    }
}

/// What a failure of the store is to an operator.
fn store_failed(error: StoreError) -> PlantError {
    match error {
        StoreError::NoSuchBucket(_) | StoreError::NoSuchKey { .. } => {
            PlantError::not_found(error.to_string())
        }
        error if error.is_refusal() => PlantError::invalid(error.to_string()),
        error => PlantError::unavailable(error.to_string()),
    }
}

fn lake_failed(error: lake::Error) -> PlantError {
    overview::failed(&error)
}
