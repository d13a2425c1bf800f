//! The SQL half of the port: a metadata file, then one compare-and-swap of the row that points to it.
//!
//! The swap is a single statement that commits by itself, so its answer is the outcome of the commit: one row
//! changed, no row changed, or no answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use iceberg::io::FileIO;
use iceberg::spec::{MetadataLog, TableMetadata};
use iceberg::table::Table;
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use uuid::Uuid;

use super::{Commit, CommitPort, Outcome};
use crate::error::{Error, Result};
use crate::layout::metadata_folder;

/// Connections to the database held for commits. SQLite takes one writer at a time; a database server could
/// take more, but commits to one table queue before they come here.
const MAX_CONNECTIONS: u32 = 4;
/// How long a commit waits for one of them.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// Table property: whether metadata files that fell out of the log are deleted.
const DELETE_AFTER_COMMIT: &str = "write.metadata.delete-after-commit.enabled";

const SWAP: &str = "UPDATE iceberg_tables SET metadata_location = $1, previous_metadata_location = $2 \
     WHERE catalog_name = $3 AND table_namespace = $4 AND table_name = $5 AND metadata_location = $6";

/// Commits to `iceberg_tables`, the table that PyIceberg's SqlCatalog and Java's JdbcCatalog share.
#[derive(Debug)]
pub(super) struct SqlPort {
    catalog: String,
    pool: AnyPool,
}

impl SqlPort {
    pub(super) async fn open(catalog: &str, uri: &str) -> Result<Self> {
        let pool = AnyPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect(uri)
            .await
            .map_err(|e| {
                Error::config(format!("cannot open the catalog at `{}`", without_secret(uri))).caused_by(e)
            })?;
        Ok(Self { catalog: catalog.to_owned(), pool })
    }

    async fn swap(&self, table: &Table, old: &str, new: &str) -> Result<u64, sqlx::Error> {
        let ident = table.identifier();
        let answer = sqlx::query(SWAP)
            .bind(new)
            .bind(old)
            .bind(&self.catalog)
            .bind(ident.namespace().join("."))
            .bind(ident.name())
            .bind(old)
            .execute(&self.pool)
            .await?;
        Ok(answer.rows_affected())
    }
}

#[async_trait]
impl CommitPort for SqlPort {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let prepared = match prepare(base, commit) {
            Ok(Some(prepared)) => prepared,
            Ok(None) => return Outcome::Conflict,
            Err(e) => return Outcome::Unknown(e),
        };
        if let Err(e) = write(base.file_io(), &prepared).await {
            return Outcome::Unknown(e);
        }
        match self.swap(base, &prepared.old, &prepared.new).await {
            Ok(1) => {
                delete_expired(base.file_io(), &prepared).await;
                Outcome::Committed
            }
            Ok(_) => {
                // No row points to the new file and none ever will.
                delete(base.file_io(), &prepared.new).await;
                Outcome::Conflict
            }
            Err(e) => Outcome::Unknown(
                Error::unavailable(format!(
                    "the catalog gave no clear answer to a commit to `{}`",
                    base.identifier()
                ))
                .caused_by(e),
            ),
        }
    }
}

struct Prepared {
    metadata: Arc<TableMetadata>,
    old: String,
    new: String,
    expired: Vec<MetadataLog>,
}

/// The new metadata, or `None` if the base does not meet the requirements.
fn prepare(base: &Table, commit: Commit) -> Result<Option<Prepared>> {
    let old = base
        .metadata_location_result()
        .map_err(|e| Error::inconsistent("a loaded table has no metadata location").caused_by(e))?
        .to_owned();
    if commit.requirements.iter().any(|requirement| requirement.check(Some(base.metadata())).is_err()) {
        return Ok(None);
    }
    let mut builder = base.metadata().clone().into_builder(Some(old.clone()));
    for update in commit.updates {
        // The crate refuses a stale sequence number, row id or time stamp here: the table has moved on.
        builder = match update.apply(builder) {
            Ok(builder) => builder,
            Err(_) => return Ok(None),
        };
    }
    let built = builder.build().map_err(|e| {
        Error::inconsistent(format!("the new metadata of `{}` does not hold together", base.identifier()))
            .caused_by(e)
    })?;
    let new = next_location(&built.metadata, &old);
    Ok(Some(Prepared { metadata: Arc::new(built.metadata), old, new, expired: built.expired_metadata_logs }))
}

async fn write(io: &FileIO, prepared: &Prepared) -> Result<()> {
    let failed =
        |e: iceberg::Error| Error::unavailable(format!("cannot write `{}`", prepared.new)).caused_by(e);
    let json = serde_json::to_vec(prepared.metadata.as_ref())
        .map_err(|e| Error::inconsistent("table metadata could not be encoded").caused_by(e))?;
    io.new_output(&prepared.new).map_err(failed)?.write(json.into()).await.map_err(failed)
}

async fn delete_expired(io: &FileIO, prepared: &Prepared) {
    if prepared.metadata.properties().get(DELETE_AFTER_COMMIT).is_some_and(|value| value == "true") {
        for old in &prepared.expired {
            delete(io, &old.metadata_file).await;
        }
    }
}

async fn delete(io: &FileIO, file: &str) {
    if let Err(error) = io.delete(file).await {
        tracing::warn!(file, %error, "an unused metadata file is left behind");
    }
}

/// `<metadata folder>/<version>-<uuid>.metadata.json`, one version after the last, whose name may be of any form.
fn next_location(metadata: &TableMetadata, last: &str) -> String {
    let folder = metadata_folder(metadata);
    let name = last.rsplit('/').next().unwrap_or(last);
    let version =
        name.split('-').next().and_then(|digits| digits.parse::<u64>().ok()).map_or(0, |version| version + 1);
    format!("{folder}/{version:05}-{}.metadata.json", Uuid::new_v4())
}

/// The form that the driver understands. SQLAlchemy, and so PyIceberg, writes `sqlite:///relative` and
/// `sqlite:////absolute`; the file is made if it is not there.
pub(super) fn driver_uri(uri: &str) -> Result<String> {
    let Some(rest) = uri.strip_prefix("sqlite:") else {
        return Err(Error::config(format!(
            "catalog property `uri`: expected sqlite:////absolute/path.db, got `{}`",
            without_secret(uri)
        )));
    };
    let path = rest.strip_prefix("///").unwrap_or(rest);
    if path.is_empty() {
        return Err(Error::config(
            "catalog property `uri`: a SQLite catalog needs a file, as in sqlite:////absolute/path.db",
        ));
    }
    let mode = if path.contains('?') { "" } else { "?mode=rwc" };
    Ok(format!("sqlite://{path}{mode}"))
}

/// A URI fit for a log: without user and password.
pub(super) fn without_secret(uri: &str) -> String {
    match uri.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://…@{host}"),
            None => uri.to_owned(),
        },
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_uris_mean_what_they_mean_to_pyiceberg() {
        assert_eq!(driver_uri("sqlite:////tmp/c.db").unwrap(), "sqlite:///tmp/c.db?mode=rwc");
        assert_eq!(driver_uri("sqlite:///c.db").unwrap(), "sqlite://c.db?mode=rwc");
        assert!(driver_uri("sqlite:///").is_err());
    }

    #[test]
    fn a_password_in_a_uri_is_not_shown() {
        let error = driver_uri("mysql://me:hush@host/db").unwrap_err().to_string();
        assert!(!error.contains("hush") && error.contains("host/db"), "{error}");
    }
}
