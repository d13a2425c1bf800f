//! What the launcher needs of tables, as a trait: so that it can be tested without any.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ingest_core::{IngestRequest, IngestResult, TableName};

/// What is known of one object of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its rows are in the table.
    InTable,
    /// It was set aside at this time, as it is now.
    SetAside(DateTime<Utc>),
    /// It may not be read.
    Forbidden,
    /// None of these.
    New,
    /// There is no such object, and that was not written down yet.
    Missing,
}

/// Where rows end up.
#[async_trait]
pub trait Sink: fmt::Debug + Send + Sync + 'static {
    /// What is known of each object of a request, in its order. Changes nothing.
    ///
    /// # Errors
    /// Catalog, ledger or store do not answer; or nothing of the request is allowed here.
    async fn outstanding(&self, request: &IngestRequest) -> lake::Result<Vec<Standing>>;

    /// Makes the table, or brings its schema to what the request's files need, as far as its policy allows: Spark
    /// alters nothing. May be repeated. False: there is no table, and no file of the request can make one.
    ///
    /// # Errors
    /// It is not ready.
    async fn make_ready(&self, request: &IngestRequest) -> lake::Result<bool>;

    /// Brings the request into its table in this process.
    ///
    /// # Errors
    /// Not every object is in or set aside.
    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult>;

    /// Removes branches of stages that belong to none of these live records and are old enough; says which.
    ///
    /// # Errors
    /// The catalog does not answer.
    async fn drop_stale_branches(
        &self,
        table: &TableName,
        live: &BTreeSet<String>,
    ) -> lake::Result<Vec<String>>;

    /// Whether the catalog answers.
    ///
    /// # Errors
    /// It does not.
    async fn ready(&self) -> lake::Result<()>;
}
