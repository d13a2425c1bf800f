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
use chrono::{DateTime, Utc};
use ingest_core::{ObjectUri, TableName};
use lake::Lake;
use operations::model::{
    Abilities, Ability, Changed, DeadLetter, FileLine, HeavyJob, Page, Quarantined, Status, Story,
    UploadTarget, Uploaded,
};
use operations::plant::{FilesQuery, ListQuery, TableQuery, Upload};
use operations::{Plant, PlantError};
use service_kit::rules::LiveRules;
use spark_launcher::record::store::Records;

use super::activity::Activity;
use super::flow::Ingest;
use super::inbox::Inbox;
use super::store::{Store, StoreError};
use crate::overview::heavy::{self, Wish};
use crate::overview::{self, lists};

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
    /// Requests that Spark reads. Without Spark the worker's own streaming code reads what would go to it.
    pub(super) heavy: Option<Records>,
    /// When this process began.
    pub(super) since: DateTime<Utc>,
}

impl<I> fmt::Debug for StandalonePlant<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandalonePlant").field("data", &self.data).finish_non_exhaustive()
    }
}

#[async_trait]
impl<I: Ingest> Plant for StandalonePlant<I> {
    fn abilities(&self) -> Abilities {
        let mut changes = vec![Ability::RetryQuarantined, Ability::Redrive, Ability::Upload];
        if self.heavy.is_some() {
            changes.extend([Ability::RetryHeavy, Ability::CancelHeavy]);
        }
        Abilities {
            changes,
            upload: Some(UploadTarget { bucket: self.bucket.clone(), max_bytes: MAX_UPLOAD }),
        }
    }

    async fn status(&self) -> Status {
        self.take_status().await
    }

    async fn files(&self, query: &FilesQuery) -> Result<Page<FileLine>, PlantError> {
        let elsewhere = if query.list.after.is_none() { self.elsewhere(query).await? } else { Vec::new() };
        lists::objects(&self.lake, &self.asked(query.table.as_ref()), query, elsewhere).await
    }

    async fn story(&self, object: &ObjectUri, table: Option<&TableName>) -> Result<Story, PlantError> {
        self.tell_story(object, table).await
    }

    async fn quarantined(&self, query: &TableQuery) -> Result<Page<Quarantined>, PlantError> {
        lists::quarantined(&self.lake, self.asked(query.table.as_ref()), query).await
    }

    async fn dead_letters(&self, query: &ListQuery) -> Result<Page<DeadLetter>, PlantError> {
        self.list_letters(query).await
    }

    async fn heavy_jobs(&self, query: &ListQuery) -> Result<Page<HeavyJob>, PlantError> {
        match &self.heavy {
            Some(records) => heavy::page(records, query).await,
            None => Ok(Page::last(Vec::new())),
        }
    }

    async fn retry_quarantined(&self, table: &TableName, ids: &[String]) -> Result<Changed, PlantError> {
        self.again(table, ids).await
    }

    async fn redrive(&self, ids: &[String]) -> Result<Changed, PlantError> {
        self.send_back(ids).await
    }

    async fn retry_heavy(&self, id: &str) -> Result<Changed, PlantError> {
        heavy::change(self.records()?, id, Wish::Retry).await
    }

    async fn cancel_heavy(&self, id: &str) -> Result<Changed, PlantError> {
        heavy::change(self.records()?, id, Wish::Cancel).await
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

    fn records(&self) -> Result<&Records, PlantError> {
        self.heavy
            .as_ref()
            .ok_or_else(|| PlantError::not_found("there are no heavy requests: no Spark runs here"))
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
