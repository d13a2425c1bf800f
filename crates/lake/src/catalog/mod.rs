//! The catalog: loading and creating tables, and the port by which commits leave.
//!
//! A commit is a value, [`Commit`]: the requirements that must hold and the updates to make. It goes out
//! through [`CommitPort`], whose answer is one of three. There are two catalogs behind the same trait, [`sql`]
//! and [`rest`]; both are our own, and `docs/adr/0008-catalogs-of-our-own.md` says why.

mod properties;
mod recent;
mod rest;
mod sql;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use iceberg::table::Table;
use iceberg::{NamespaceIdent, TableIdent, TableRequirement, TableUpdate};
use ingest_core::TableName;

use crate::creation::Design;
use crate::error::{Error, Result};
use crate::storage::Stores;

use properties::Kind;

/// How long a commit may be under way in this process, writing its metadata file included. What is not answered
/// by then is [`Outcome::Unknown`]. Postgres ends our statements by itself well before, and SQLite stops waiting for
/// its lock; a REST server, or what stands before it, may still execute a request that we no longer wait for. A rule that rests on "no request of
/// ours can still be under way" adds a margin for that to this.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(300);
/// Largest table metadata that is read. A table with 100,000 snapshots has some 60 MB.
const MAX_METADATA_BYTES: u64 = 256 << 20;
/// Table property: whether metadata files that fell out of the log are deleted.
pub(crate) const DELETE_AFTER_COMMIT: &str = "write.metadata.delete-after-commit.enabled";

/// What to change, and what must be true of the table for the change to be right.
#[derive(Debug, Clone)]
pub struct Commit {
    /// All of these hold at the moment of the change, or nothing changes.
    pub requirements: Vec<TableRequirement>,
    /// All of these happen, or none.
    pub updates: Vec<TableUpdate>,
}

/// What a catalog's answer proves.
#[derive(Debug)]
pub enum Outcome {
    /// The change was made.
    Committed,
    /// It was not: the table had moved. Load it again.
    Conflict,
    /// Nobody knows: only the table itself can tell (invariant 5). If the table does not show the change and the
    /// error is not [retryable](Error::retryable), the catalog refuses it, and sending it again is useless.
    Unknown(Error),
}

/// The narrow way by which commits reach a catalog.
#[async_trait]
pub trait CommitPort: fmt::Debug + Send + Sync {
    /// Sends `commit`, prepared on `base`, once.
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome;
}

/// What the two catalogs do besides committing.
#[async_trait]
trait Tables: fmt::Debug + Send + Sync {
    /// The table as it is now; `None` if there is none of that name.
    async fn load(&self, ident: &TableIdent) -> Result<Option<Table>>;

    /// Creates a table and the namespaces above it. Somebody else may have done so meanwhile: no error.
    async fn create(&self, ident: &TableIdent, design: Design) -> Result<()>;

    /// Whether the catalog answers.
    async fn ready(&self) -> Result<()>;

    /// The stores that hold a table's own files, if they are not the configured ones.
    fn stores(&self, table: &Table) -> Option<Arc<Stores>>;
}

/// A catalog of tables.
#[derive(Debug)]
pub struct Catalog {
    tables: Arc<dyn Tables>,
    port: Arc<dyn CommitPort>,
    stores: Arc<Stores>,
    warehouse: String,
}

impl Catalog {
    /// Opens the catalog that `properties` describe, under Iceberg's own property names: `type` (`sql` or `rest`;
    /// if absent, the scheme of `uri` tells), `uri`, `warehouse` and more. A database's `uri` is written as
    /// PyIceberg writes it: `sqlite:////absolute/path.db`, `postgresql://user:password@host/database`.
    ///
    /// # Errors
    /// A property that is missing or wrong, or a catalog that cannot be reached.
    pub async fn open(
        name: &str,
        properties: &BTreeMap<String, String>,
        stores: Arc<Stores>,
    ) -> Result<Self> {
        match Kind::of(properties)? {
            Kind::Sql => {
                let warehouse = properties::required(properties, "warehouse")?;
                let sql = Arc::new(sql::SqlCatalog::open(name, properties, stores.clone()).await?);
                Ok(Self::assemble(sql.clone(), sql, stores, warehouse))
            }
            Kind::Rest => {
                let rest = Arc::new(rest::RestCatalog::open(properties, stores.clone()).await?);
                let warehouse = rest.warehouse().to_owned();
                Ok(Self::assemble(rest.clone(), rest, stores, &warehouse))
            }
        }
    }

    fn assemble(
        tables: Arc<dyn Tables>,
        port: Arc<dyn CommitPort>,
        stores: Arc<Stores>,
        warehouse: &str,
    ) -> Self {
        Self { tables, port, stores, warehouse: warehouse.trim_end_matches('/').to_owned() }
    }

    /// The same catalog with another way out for its commits, made from the one it has.
    #[must_use]
    pub fn with_port(mut self, port: impl FnOnce(Arc<dyn CommitPort>) -> Arc<dyn CommitPort>) -> Self {
        self.port = port(self.port);
        self
    }

    /// The warehouse as it is configured: a location, or the name by which a REST catalog knows it, or empty.
    pub fn warehouse(&self) -> &str {
        &self.warehouse
    }

    /// Where tables and ledgers live unless told otherwise.
    ///
    /// # Errors
    /// The catalog knows its warehouse by a name, or there is none.
    pub fn warehouse_location(&self) -> Result<&str> {
        if self.warehouse.contains(":/") || self.warehouse.starts_with('/') {
            return Ok(&self.warehouse);
        }
        Err(Error::config(format!(
            "the warehouse `{}` is no location that ledgers could be put below: configure a ledger root",
            self.warehouse
        )))
    }

    /// The stores that hold a table's own files: with the credentials that the catalog vended for it when it was
    /// loaded, or else the configured ones. They may expire: a new load brings new ones.
    pub fn stores(&self, table: &Table) -> Arc<Stores> {
        self.tables.stores(table).unwrap_or_else(|| self.stores.clone())
    }

    /// The table as it is now; `None` if there is none of that name.
    ///
    /// # Errors
    /// The catalog or the store did not answer.
    pub async fn load(&self, name: &TableName) -> Result<Option<Table>> {
        self.tables.load(&ident(name)?).await
    }

    /// Creates a table unless somebody else has meanwhile, and loads it. The catalog's own answer is not
    /// believed: only the table that can be loaded afterwards counts.
    ///
    /// # Errors
    /// The table is not there afterwards.
    pub async fn create(&self, name: &TableName, design: Design) -> Result<Table> {
        let ident = ident(name)?;
        let refused = self.tables.create(&ident, design).await.err();
        match (self.tables.load(&ident).await?, refused) {
            (Some(table), _) => Ok(table),
            (None, Some(error)) => {
                Err(Error::new(error.kind(), format!("cannot create table `{name}`")).caused_by(error))
            }
            (None, None) => Err(Error::unavailable(format!("table `{name}` was created and is not there"))),
        }
    }

    /// Sends a commit that was prepared on `base`. The answer comes within [`COMMIT_DEADLINE`].
    pub async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let answer = tokio::time::timeout(COMMIT_DEADLINE, self.port.commit(base, commit)).await;
        answer.unwrap_or_else(|_| {
            Outcome::Unknown(Error::unavailable(format!(
                "a commit to `{}` had no answer after {} s",
                base.identifier(),
                COMMIT_DEADLINE.as_secs()
            )))
        })
    }

    /// Whether the catalog answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ready(&self) -> Result<()> {
        self.tables.ready().await
    }
}

fn ident(name: &TableName) -> Result<TableIdent> {
    let namespace = NamespaceIdent::from_vec(name.namespace().to_vec())
        .map_err(|e| Error::invalid(format!("`{name}` is no table name")).caused_by(e))?;
    Ok(TableIdent::new(namespace, name.name().to_owned()))
}
