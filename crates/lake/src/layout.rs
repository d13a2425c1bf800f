//! Where a table keeps its files: its own properties say so, else its location.

use iceberg::spec::TableMetadata;
use uuid::Uuid;

/// What our Parquet files say of who wrote them.
pub(crate) const CREATED_BY: &str = concat!("event-ingest ", env!("CARGO_PKG_VERSION"));

/// The folder of metadata files, manifests and manifest lists.
pub(crate) fn metadata_folder(table: &TableMetadata) -> String {
    folder(table, "write.metadata.path", "metadata")
}

/// The folder of data files.
pub(crate) fn data_folder(table: &TableMetadata) -> String {
    folder(table, "write.data.path", "data")
}

/// Where a data file that is to be written goes, under a name that nobody has used.
pub(crate) fn new_data_file(table: &TableMetadata) -> String {
    format!("{}/{}-{}.parquet", data_folder(table), table.uuid(), Uuid::now_v7())
}

fn folder(table: &TableMetadata, property: &str, default: &str) -> String {
    match table.properties().get(property) {
        Some(path) => path.trim_end_matches('/').to_owned(),
        None => format!("{}/{default}", table.location().trim_end_matches('/')),
    }
}
