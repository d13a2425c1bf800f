//! The layout of `state.db`.

use sqlx::{Executor, SqlitePool};

use super::StoreError;

/// Layout number, kept in SQLite's `user_version`. Raise it with every change of [`LAYOUT`].
const LAYOUT_VERSION: i64 = 1;

/// Keys compare as bytes (SQLite's default collation over UTF-8), which is the order S3 lists them in.
/// Times are milliseconds since the epoch.
const LAYOUT: &str = "
CREATE TABLE buckets (
    name    TEXT PRIMARY KEY,
    created INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE objects (
    bucket     TEXT NOT NULL REFERENCES buckets (name),
    key        TEXT NOT NULL,
    size       INTEGER NOT NULL,
    etag       TEXT NOT NULL,
    modified   INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    blob       TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE INDEX objects_by_blob ON objects (blob);

CREATE TABLE uploads (
    id         TEXT PRIMARY KEY,
    bucket     TEXT NOT NULL REFERENCES buckets (name),
    key        TEXT NOT NULL,
    initiated  INTEGER NOT NULL,
    attributes TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_by_key ON uploads (bucket, key, id);

CREATE TABLE parts (
    upload   TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    etag     TEXT NOT NULL,
    modified INTEGER NOT NULL,
    blob     TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE INDEX parts_by_blob ON parts (blob);

CREATE TABLE inbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    arrived INTEGER NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE inbox_position (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL
);
INSERT INTO inbox_position VALUES (1, 0);

CREATE TABLE dead_letters (
    source TEXT PRIMARY KEY,
    buried INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body   TEXT NOT NULL
);
";

/// Creates the layout in a new file; refuses one that is newer than this program.
pub(super) async fn apply(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut change = writer.begin().await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *change).await?;
    if found > LAYOUT_VERSION {
        return Err(StoreError::NewerLayout { found, known: LAYOUT_VERSION });
    }
    if found == 0 {
        change.execute(LAYOUT).await?;
        change.execute(format!("PRAGMA user_version = {LAYOUT_VERSION}").as_str()).await?;
    }
    Ok(change.commit().await?)
}
