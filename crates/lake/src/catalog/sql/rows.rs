//! The rows that PyIceberg's SqlCatalog, Java's JdbcCatalog and we share: one a table, with the location of its
//! metadata file.
//!
//! Java's newer schema has a column `iceberg_type`, which an older one and PyIceberg's lack. No statement here
//! names it: NULL means a table to everybody, and a view of a table's name cannot be read as one.

use std::time::Duration;

use iceberg::{NamespaceIdent, TableIdent};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Executor, Row};

use super::uri::{Database, driver_uri};
use crate::catalog::properties::without_secret;
use crate::error::{Error, ErrorKind, Result};

/// Connections held. SQLite takes one writer at a time; a database server could take more, but commits to one
/// table queue before they come here.
const MAX_CONNECTIONS: u32 = 4;
/// How long a statement waits for one of them.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a statement may take, waiting for locks of others included. The database itself ends it: a statement
/// that we no longer wait for is not executed later.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

const PROBE: &str = "SELECT metadata_location FROM iceberg_tables WHERE 1 = 0";
const MAKE_TABLES: &str = "CREATE TABLE IF NOT EXISTS iceberg_tables (\
     catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL, \
     metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5), \
     PRIMARY KEY (catalog_name, table_namespace, table_name))";
const MAKE_NAMESPACES: &str = "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (\
     catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, \
     property_key VARCHAR(255), property_value VARCHAR(1000), \
     PRIMARY KEY (catalog_name, namespace, property_key))";
const FIND: &str = "SELECT metadata_location FROM iceberg_tables \
     WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3";
const INSERT: &str = "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location) \
     VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const SWAP: &str = "UPDATE iceberg_tables SET metadata_location = $1, previous_metadata_location = $2 \
     WHERE catalog_name = $3 AND table_namespace = $4 AND table_name = $5 AND metadata_location = $6";
const FIND_NAMESPACE_LOCATION: &str = "SELECT property_value FROM iceberg_namespace_properties \
     WHERE catalog_name = $1 AND namespace = $2 AND property_key = 'location'";
const INSERT_NAMESPACE: &str = "INSERT INTO iceberg_namespace_properties \
     (catalog_name, namespace, property_key, property_value) VALUES ($1, $2, 'exists', 'true') \
     ON CONFLICT DO NOTHING";

/// The rows of one catalog. Every method is one statement that commits by itself and is sent once: its answer
/// is the outcome of the commit.
#[derive(Debug)]
pub(super) struct Rows {
    catalog: String,
    pool: AnyPool,
}

impl Rows {
    /// Connects, and makes the two tables if they are not there.
    pub(super) async fn open(catalog: &str, uri: &str) -> Result<Self> {
        let (database, driver) = driver_uri(uri)?;
        sqlx::any::install_default_drivers();
        let cannot = |e: sqlx::Error| {
            let kind = match (database, &e) {
                (Database::Postgres, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => {
                    ErrorKind::Unavailable
                }
                _ => ErrorKind::Config,
            };
            Error::new(kind, format!("cannot open the catalog at `{}`", without_secret(uri))).caused_by(e)
        };
        let pool = AnyPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| Box::pin(bound_statements(connection, database)))
            .connect(&driver)
            .await
            .map_err(cannot)?;
        // Looked for first: an account that may not make tables may well use those that are there.
        if sqlx::query(PROBE).execute(&pool).await.is_err() {
            for make in [MAKE_TABLES, MAKE_NAMESPACES] {
                if let Err(error) = sqlx::query(make).execute(&pool).await {
                    // Two processes that begin at once get in each other's way in Postgres; the probe tells.
                    tracing::debug!(%error, "a catalog table was not made");
                }
            }
            sqlx::query(PROBE).execute(&pool).await.map_err(cannot)?;
        }
        Ok(Self { catalog: catalog.to_owned(), pool })
    }

    /// Whether the database answers.
    pub(super) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query(PROBE).execute(&self.pool).await.map(|_| ())
    }

    /// The location of a table's metadata file; `None` if there is no such table.
    pub(super) async fn find(&self, ident: &TableIdent) -> Result<Option<String>, sqlx::Error> {
        let query = sqlx::query(FIND).bind(&self.catalog);
        let row =
            query.bind(ident.namespace().join(".")).bind(ident.name()).fetch_optional(&self.pool).await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Adds a table. Returns whether it was added: its name may be taken.
    pub(super) async fn insert(&self, ident: &TableIdent, location: &str) -> Result<bool, sqlx::Error> {
        let query = sqlx::query(INSERT).bind(&self.catalog).bind(ident.namespace().join("."));
        let answer = query.bind(ident.name()).bind(location).execute(&self.pool).await?;
        Ok(answer.rows_affected() == 1)
    }

    /// Points a table from its metadata file `old` to `new`. Returns whether it still pointed to `old`.
    pub(super) async fn swap(&self, ident: &TableIdent, old: &str, new: &str) -> Result<bool, sqlx::Error> {
        let query = sqlx::query(SWAP).bind(new).bind(old).bind(&self.catalog);
        let answer =
            query.bind(ident.namespace().join(".")).bind(ident.name()).bind(old).execute(&self.pool).await?;
        Ok(answer.rows_affected() == 1)
    }

    /// The location that was given to a namespace for its tables, if any.
    pub(super) async fn namespace_location(
        &self,
        namespace: &NamespaceIdent,
    ) -> Result<Option<String>, sqlx::Error> {
        let query = sqlx::query(FIND_NAMESPACE_LOCATION).bind(&self.catalog).bind(namespace.join("."));
        let row = query.fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten())
    }

    /// Adds a namespace unless it is there.
    pub(super) async fn insert_namespace(&self, namespace: &[String]) -> Result<(), sqlx::Error> {
        let query = sqlx::query(INSERT_NAMESPACE).bind(&self.catalog).bind(namespace.join("."));
        query.execute(&self.pool).await.map(|_| ())
    }
}

async fn bound_statements(connection: &mut AnyConnection, database: Database) -> Result<(), sqlx::Error> {
    let millis = STATEMENT_TIMEOUT.as_millis();
    let setting = match database {
        Database::Sqlite => format!("PRAGMA busy_timeout = {millis}"),
        Database::Postgres => format!("SET statement_timeout = {millis}"),
    };
    connection.execute(setting.as_str()).await.map(|_| ())
}
