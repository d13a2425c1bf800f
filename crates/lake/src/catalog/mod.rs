//! The catalog: loading and creating tables is the `iceberg` crate's part, committing is ours.
//!
//! A commit is a value, [`Commit`]: the requirements that must hold and the updates to make. It goes out
//! through [`CommitPort`], whose answer is one of three. The crate's own transactions hide which it was.

mod sql;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use iceberg::spec::Schema;
use iceberg::table::Table;
use iceberg::{
    CatalogBuilder, ErrorKind as IcebergKind, NamespaceIdent, TableCreation, TableIdent, TableRequirement,
    TableUpdate,
};
use iceberg_catalog_sql::SqlCatalogBuilder;
use ingest_core::TableName;

use crate::error::{Error, Result};
use crate::storage::{self, Stores};

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
    /// Nobody knows: only the table itself can tell (invariant 5).
    Unknown(Error),
}

/// The narrow way by which commits reach a catalog.
#[async_trait]
pub trait CommitPort: fmt::Debug + Send + Sync {
    /// Sends `commit`, prepared on `base`, once.
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome;
}

/// A catalog of tables.
#[derive(Debug)]
pub struct Catalog {
    tables: Arc<dyn iceberg::Catalog>,
    port: Arc<dyn CommitPort>,
    warehouse: String,
}

impl Catalog {
    /// Opens the catalog that `properties` describe, under Iceberg's own property names: `type` (`sql`), `uri`,
    /// `warehouse`. A SQLite `uri` is written as PyIceberg writes it: `sqlite:////absolute/path.db`.
    ///
    /// # Errors
    /// A property that is missing or wrong, or a database that cannot be opened.
    pub async fn open(
        name: &str,
        properties: &BTreeMap<String, String>,
        stores: Arc<Stores>,
    ) -> Result<Self> {
        let kind = properties.get("type").map_or("sql", String::as_str);
        if kind != "sql" {
            return Err(Error::config(format!("catalog property `type`: expected `sql`, got `{kind}`")));
        }
        let uri = sql::driver_uri(required(properties, "uri")?)?;
        let warehouse = required(properties, "warehouse")?.trim_end_matches('/').to_owned();
        let mut own: HashMap<String, String> = properties.clone().into_iter().collect();
        own.insert("uri".to_owned(), uri.clone());
        own.insert("warehouse".to_owned(), warehouse.clone());
        let cannot = |e| {
            Error::config(format!("cannot open the catalog at `{}`", sql::without_secret(&uri))).caused_by(e)
        };
        sqlx::any::install_default_drivers();
        let tables = SqlCatalogBuilder::default()
            .with_storage_factory(storage::factory(stores))
            .load(name, own)
            .await
            .map_err(cannot)?;
        let port = sql::SqlPort::open(name, &uri).await?;
        Ok(Self { tables: Arc::new(tables), port: Arc::new(port), warehouse })
    }

    /// The same catalog with another way out for its commits, made from the one it has.
    #[must_use]
    pub fn with_port(mut self, port: impl FnOnce(Arc<dyn CommitPort>) -> Arc<dyn CommitPort>) -> Self {
        self.port = port(self.port);
        self
    }

    /// Where tables and ledgers live unless told otherwise.
    pub fn warehouse(&self) -> &str {
        &self.warehouse
    }

    /// The table as it is now; `None` if there is none of that name.
    ///
    /// # Errors
    /// The catalog or the store did not answer.
    pub async fn load(&self, name: &TableName) -> Result<Option<Table>> {
        match self.tables.load_table(&ident(name)?).await {
            Ok(table) => Ok(Some(table)),
            Err(e) if matches!(e.kind(), IcebergKind::TableNotFound | IcebergKind::NamespaceNotFound) => {
                Ok(None)
            }
            Err(e) => Err(Error::unavailable(format!("cannot load table `{name}`")).caused_by(e)),
        }
    }

    /// Creates a table unless somebody else has meanwhile, and loads it. The catalog's own answer is not
    /// believed: only the table that can be loaded afterwards counts.
    ///
    /// # Errors
    /// The table is not there afterwards.
    pub async fn create(
        &self,
        name: &TableName,
        schema: Schema,
        properties: HashMap<String, String>,
    ) -> Result<Table> {
        let ident = ident(name)?;
        let mut refused = None;
        for depth in 1..=name.namespace().len() {
            let parts = name.namespace()[..depth].to_vec();
            let namespace = NamespaceIdent::from_vec(parts).map_err(|e| bad_name(name, e))?;
            match self.tables.namespace_exists(&namespace).await {
                Ok(true) => {}
                Ok(false) => refused = self.tables.create_namespace(&namespace, HashMap::new()).await.err(),
                Err(e) => refused = Some(e),
            }
        }
        let creation = TableCreation::builder()
            .name(ident.name().to_owned())
            .schema(schema)
            .properties(properties)
            .build();
        if let Err(e) = self.tables.create_table(ident.namespace(), creation).await {
            refused = Some(e);
        }
        match (self.load(name).await?, refused) {
            (Some(table), _) => Ok(table),
            (None, Some(e)) => Err(Error::unavailable(format!("cannot create table `{name}`")).caused_by(e)),
            (None, None) => Err(Error::unavailable(format!("table `{name}` was created and is not there"))),
        }
    }

    /// Sends a commit that was prepared on `base`.
    pub async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        self.port.commit(base, commit).await
    }

    /// Whether the catalog answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ready(&self) -> Result<()> {
        self.tables
            .list_namespaces(None)
            .await
            .map(|_| ())
            .map_err(|e| Error::unavailable("the catalog does not answer").caused_by(e))
    }
}

fn required<'a>(properties: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str> {
    properties
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Error::config(format!("catalog property `{name}` is missing")))
}

fn ident(name: &TableName) -> Result<TableIdent> {
    let namespace = NamespaceIdent::from_vec(name.namespace().to_vec()).map_err(|e| bad_name(name, e))?;
    Ok(TableIdent::new(namespace, name.name().to_owned()))
}

fn bad_name(name: &TableName, e: iceberg::Error) -> Error {
    Error::invalid(format!("`{name}` is no table name")).caused_by(e)
}
