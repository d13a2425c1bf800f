//! Tables in a database, SQLite or Postgres: a metadata file, then one compare-and-swap of the row that points
//! to it.
//!
//! The metadata that was read or written last is kept parsed, by its location: metadata files never change, so a
//! steady writer asks for one row, parses nothing and writes one file.

mod metadata;
mod rows;
mod uri;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use iceberg::io::FileIO;
use iceberg::spec::{TableMetadataBuilder, TableMetadataRef};
use iceberg::table::Table;
use iceberg::{Runtime, TableCreation, TableIdent};

use super::recent::Recent;
use super::{Commit, CommitPort, Outcome, Tables, properties};
use crate::creation::Design;
use crate::error::{Error, Result};
use crate::storage::{Stores, file_io};

use rows::Rows;

/// A catalog in `iceberg_tables`, the table that PyIceberg's SqlCatalog and Java's JdbcCatalog share.
#[derive(Debug)]
pub(super) struct SqlCatalog {
    rows: Rows,
    io: FileIO,
    runtime: Runtime,
    warehouse: String,
    /// Metadata with its location.
    parsed: Recent<(String, TableMetadataRef)>,
}

impl SqlCatalog {
    pub(super) async fn open(
        name: &str,
        properties: &BTreeMap<String, String>,
        stores: Arc<Stores>,
    ) -> Result<Self> {
        if name.trim().is_empty() {
            return Err(Error::config("the catalog has no name: in a SQL catalog, rows are keyed by it"));
        }
        let warehouse = properties::required(properties, "warehouse")?.trim_end_matches('/').to_owned();
        let runtime = Runtime::try_current()
            .map_err(|e| Error::config("a catalog needs a tokio runtime").caused_by(e))?;
        let rows = Rows::open(name, properties::required(properties, "uri")?).await?;
        Ok(Self { rows, io: file_io(stores), runtime, warehouse, parsed: Recent::new() })
    }

    async fn metadata(&self, ident: &TableIdent, location: &str) -> Result<TableMetadataRef> {
        if let Some((of, metadata)) = self.parsed.get(ident)
            && of == location
        {
            return Ok(metadata);
        }
        let (metadata, bytes) = metadata::read(&self.io, location).await?;
        let metadata = Arc::new(metadata);
        self.parsed.put(ident, (location.to_owned(), metadata.clone()), bytes);
        Ok(metadata)
    }

    /// Where a new table goes: below its namespace's location if that has one, else below the warehouse.
    async fn place(&self, ident: &TableIdent) -> Result<String, sqlx::Error> {
        let namespace = self.rows.namespace_location(ident.namespace()).await?;
        let parent = match namespace {
            Some(location) => location.trim_end_matches('/').to_owned(),
            None => format!("{}/{}", self.warehouse, ident.namespace().join("/")),
        };
        Ok(format!("{parent}/{}", ident.name()))
    }

    /// What a refused update is: a conflict if the table has moved since, else a fault of the commit.
    async fn judge(&self, base: &Table, refusal: Error) -> Outcome {
        match self.rows.find(base.identifier()).await {
            Ok(now) if now.as_deref() == base.metadata_location() => Outcome::Unknown(refusal),
            Ok(_) => Outcome::Conflict,
            Err(e) => Outcome::Unknown(silent(base.identifier(), e)),
        }
    }

    /// Deletes the metadata file of a change that the database answered with "no row". It answered for a
    /// statement that was sent once and commits by itself, but a file that is referred to must never go: so the
    /// row is looked at.
    async fn discard(&self, ident: &TableIdent, file: &str) {
        match self.rows.find(ident).await {
            Ok(location) if location.as_deref() != Some(file) => metadata::delete(&self.io, file).await,
            Ok(_) | Err(_) => tracing::warn!(file, "a metadata file is kept: it may be referred to"),
        }
    }
}

#[async_trait]
impl Tables for SqlCatalog {
    async fn load(&self, ident: &TableIdent) -> Result<Option<Table>> {
        let Some(location) = self.rows.find(ident).await.map_err(|e| silent(ident, e))? else {
            return Ok(None);
        };
        let cannot = |e| Error::unavailable(format!("cannot load table `{ident}`")).caused_by(e);
        let metadata = self.metadata(ident, &location).await.map_err(|e| {
            Error::new(e.kind(), format!("cannot load table `{ident}` (is it one?)")).caused_by(e)
        })?;
        let table = Table::builder()
            .file_io(self.io.clone())
            .identifier(ident.clone())
            .metadata_location(location)
            .metadata(metadata)
            .runtime(self.runtime.clone())
            .build()
            .map_err(cannot)?;
        Ok(Some(table))
    }

    async fn create(&self, ident: &TableIdent, design: Design) -> Result<()> {
        let namespace = ident.namespace();
        for depth in 1..=namespace.len() {
            self.rows.insert_namespace(&namespace[..depth]).await.map_err(|e| silent(ident, e))?;
        }
        let creation = TableCreation::builder()
            .name(ident.name().to_owned())
            .location(self.place(ident).await.map_err(|e| silent(ident, e))?)
            .schema(design.schema)
            .partition_spec(design.spec)
            .sort_order(design.order)
            .properties(design.properties)
            .build();
        let metadata = TableMetadataBuilder::from_table_creation(creation)
            .and_then(TableMetadataBuilder::build)
            .map_err(|e| Error::invalid(format!("table `{ident}` cannot be made so")).caused_by(e))?
            .metadata;
        let location = metadata::location(&metadata, 0);
        metadata::write(&self.io, &metadata, &location).await?;
        if !self.rows.insert(ident, &location).await.map_err(|e| silent(ident, e))? {
            self.discard(ident, &location).await;
        }
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        let answer = self.rows.ping().await;
        answer.map_err(|e| Error::unavailable("the catalog does not answer").caused_by(e))
    }

    fn stores(&self, _: &Table) -> Option<Arc<Stores>> {
        None
    }
}

#[async_trait]
impl CommitPort for SqlCatalog {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let prepared = match metadata::prepare(base, commit) {
            Ok(Some(prepared)) => prepared,
            Ok(None) => return Outcome::Conflict,
            Err(refusal) => return self.judge(base, refusal).await,
        };
        let bytes = match metadata::write(&self.io, &prepared.metadata, &prepared.new).await {
            Ok(bytes) => bytes,
            Err(e) => return Outcome::Unknown(e),
        };
        let ident = base.identifier();
        match self.rows.swap(ident, &prepared.old, &prepared.new).await {
            Ok(true) => {
                self.parsed.put(ident, (prepared.new.clone(), prepared.metadata.clone()), bytes);
                prepared.delete_expired(&self.io).await;
                Outcome::Committed
            }
            Ok(false) => {
                self.discard(ident, &prepared.new).await;
                Outcome::Conflict
            }
            // A busy SQLite too: that it changed nothing would have to be believed, and looking costs one row.
            Err(e) => Outcome::Unknown(silent(ident, e)),
        }
    }
}

fn silent(ident: &TableIdent, e: sqlx::Error) -> Error {
    Error::unavailable(format!("the catalog gave no clear answer about `{ident}`")).caused_by(e)
}
