//! Where a table keeps its files: its own properties say so, else its location.

use iceberg::spec::TableMetadata;

/// The folder of metadata files, manifests and manifest lists.
pub(crate) fn metadata_folder(table: &TableMetadata) -> String {
    folder(table, "write.metadata.path", "metadata")
}

/// The folder of data files.
pub(crate) fn data_folder(table: &TableMetadata) -> String {
    folder(table, "write.data.path", "data")
}

fn folder(table: &TableMetadata, property: &str, default: &str) -> String {
    match table.properties().get(property) {
        Some(path) => path.trim_end_matches('/').to_owned(),
        None => format!("{}/{default}", table.location().trim_end_matches('/')),
    }
}
