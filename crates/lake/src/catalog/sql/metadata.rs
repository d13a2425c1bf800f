//! The metadata file: the next one worked out from a base and a commit, written, and found again.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use iceberg::io::FileIO;
use iceberg::spec::{MetadataLog, TableMetadata, TableMetadataRef};
use iceberg::table::Table;
use uuid::Uuid;

use crate::catalog::{Commit, DELETE_AFTER_COMMIT, MAX_METADATA_BYTES};
use crate::error::{Error, Result};
use crate::layout::metadata_folder;

/// Table property: how metadata files are compressed.
const COMPRESSION: &str = "write.metadata.compression-codec";

/// How many times shorter metadata gets by compression, about: it repeats itself.
const GZIP_FACTOR: u64 = 10;

/// What a commit makes of a table.
pub(super) struct Prepared {
    pub(super) metadata: TableMetadataRef,
    /// Where the metadata was that it was made from.
    pub(super) old: String,
    /// Where the new metadata goes. The name was never used before and never will be again.
    pub(super) new: String,
    expired: Vec<MetadataLog>,
}

/// The new metadata, or `None` if the base does not meet the requirements.
///
/// # Errors
/// An update that the base does not take. If the table has moved since, that may be why: a stale sequence number,
/// row id or time stamp is refused here.
pub(super) fn prepare(base: &Table, commit: Commit) -> Result<Option<Prepared>> {
    let old = base
        .metadata_location_result()
        .map_err(|e| Error::inconsistent("a loaded table has no metadata location").caused_by(e))?
        .to_owned();
    if commit.requirements.iter().any(|requirement| requirement.check(Some(base.metadata())).is_err()) {
        return Ok(None);
    }
    let mut builder = base.metadata().clone().into_builder(Some(old.clone()));
    for update in commit.updates {
        builder = update.apply(builder).map_err(|e| {
            Error::invalid(format!("a commit to `{}` is refused", base.identifier())).caused_by(e)
        })?;
    }
    let built = builder.build().map_err(|e| {
        Error::inconsistent(format!("the new metadata of `{}` does not hold together", base.identifier()))
            .caused_by(e)
    })?;
    let new = location(&built.metadata, next_version(&old));
    Ok(Some(Prepared { metadata: Arc::new(built.metadata), old, new, expired: built.expired_metadata_logs }))
}

impl Prepared {
    /// Deletes the metadata files that fell out of the log, if the table wants that.
    pub(super) async fn delete_expired(&self, io: &FileIO) {
        if self.metadata.properties().get(DELETE_AFTER_COMMIT).is_some_and(|value| value == "true") {
            for old in &self.expired {
                delete(io, &old.metadata_file).await;
            }
        }
    }
}

/// Reads a metadata file, whatever its name, compressed or not, and says about how much JSON it has.
pub(super) async fn read(io: &FileIO, location: &str) -> Result<(TableMetadata, u64)> {
    let failed =
        |e: iceberg::Error| Error::unavailable(format!("cannot read metadata `{location}`")).caused_by(e);
    let size = io.new_input(location).map_err(failed)?.metadata().await.map_err(failed)?.size;
    if size > MAX_METADATA_BYTES {
        return Err(Error::inconsistent(format!(
            "metadata `{location}` has {size} bytes, more than the {MAX_METADATA_BYTES} that are read: expire snapshots"
        )));
    }
    let metadata = TableMetadata::read_from(io, location).await.map_err(failed)?;
    Ok((metadata, size * if location.contains(".gz.") { GZIP_FACTOR } else { 1 }))
}

/// Writes a metadata file and returns about how much JSON it has.
pub(super) async fn write(io: &FileIO, metadata: &TableMetadata, location: &str) -> Result<u64> {
    let failed = |e: iceberg::Error| Error::unavailable(format!("cannot write `{location}`")).caused_by(e);
    let encoded = encode(metadata)
        .map_err(|e| Error::inconsistent("table metadata could not be encoded").caused_by(e))?;
    let size = encoded.len() as u64 * if gzip(metadata) { GZIP_FACTOR } else { 1 };
    io.new_output(location).map_err(failed)?.write(encoded.into()).await.map_err(failed)?;
    Ok(size)
}

/// Deletes a file that nothing refers to. One that stays is a cost, no fault.
pub(super) async fn delete(io: &FileIO, file: &str) {
    if let Err(error) = io.delete(file).await {
        tracing::warn!(file, %error, "an unused metadata file is left behind");
    }
}

/// `<metadata folder>/<version>-<uuid>.metadata.json`, with `.gz` before the ending if it is compressed.
pub(super) fn location(metadata: &TableMetadata, version: u64) -> String {
    let folder = metadata_folder(metadata);
    let compressed = if gzip(metadata) { ".gz" } else { "" };
    format!("{folder}/{version:05}-{}{compressed}.metadata.json", Uuid::new_v4())
}

/// One version after the last, whose name may be of any form.
fn next_version(last: &str) -> u64 {
    let name = last.rsplit('/').next().unwrap_or(last);
    let digits = name.split('-').next().unwrap_or(name);
    digits.parse::<u64>().map_or(0, |version| version.saturating_add(1))
}

fn gzip(metadata: &TableMetadata) -> bool {
    metadata.properties().get(COMPRESSION).is_some_and(|codec| codec.eq_ignore_ascii_case("gzip"))
}

fn encode(metadata: &TableMetadata) -> std::io::Result<Vec<u8>> {
    let json = serde_json::to_vec(metadata)?;
    if !gzip(metadata) {
        return Ok(json);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&json)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_version_follows_any_name() {
        assert_eq!(next_version("s3://b/t/metadata/00041-uuid.metadata.json"), 42);
        assert_eq!(next_version("file:/t/meta/00041-uuid.gz.metadata.json"), 42);
        assert_eq!(next_version("/t/metadata/v3.metadata.json"), 0);
        assert_eq!(next_version("registered.json"), 0);
    }
}
