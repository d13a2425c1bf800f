//! The data files that a stage added.

use std::collections::HashSet;

use iceberg::spec::{DataContentType, DataFile, ManifestFile, ManifestStatus, SnapshotRef, TableMetadata};
use iceberg::table::Table;
use ingest_core::staged::StagedList;

use super::Unfit;
use crate::error::Error;
use crate::layout::data_folder;
use crate::maintain::canonical;

/// Data files of one stage. All of them are in memory while it is published, some 2 KB each.
pub const MAX_STAGE_FILES: usize = 20_000;
/// Largest manifest of a stage that is read. Iceberg's writers make them of 8 MB.
pub const MAX_STAGE_MANIFEST_BYTES: i64 = 64 * 1024 * 1024;

/// The data files that a stage added, if that is all it did. Manifests that it merged hold older files too, which are
/// those of `main`.
pub(crate) async fn added_files(
    table: &Table,
    staged: &SnapshotRef,
    list: &StagedList,
) -> Result<Vec<DataFile>, Unfit> {
    let id = staged.snapshot_id();
    let unread = |e: iceberg::Error| {
        Unfit::Failed(Error::unavailable(format!("cannot read a manifest of stage {id}")).caused_by(e))
    };
    let metadata = table.metadata();
    let manifests = table.manifest_list_reader(staged).load().await.map_err(unread)?;
    let own: Vec<&ManifestFile> =
        manifests.entries().iter().filter(|manifest| manifest.added_snapshot_id == id).collect();
    let claimed: u64 = own.iter().map(|manifest| u64::from(manifest.added_files_count.unwrap_or(0))).sum();
    let mut files = Vec::new();
    let mut paths = HashSet::new();
    for manifest in own {
        if manifest.manifest_length > MAX_STAGE_MANIFEST_BYTES || claimed > MAX_STAGE_FILES as u64 {
            return Err(too_many(id));
        }
        for entry in manifest.load_manifest(table.file_io()).await.map_err(unread)?.entries() {
            match entry.status() {
                ManifestStatus::Existing => continue,
                ManifestStatus::Deleted => {
                    return Err(Unfit::Never(format!("stage {id} deletes `{}`", entry.file_path())));
                }
                ManifestStatus::Added => {}
            }
            if manifest.partition_spec_id != metadata.default_partition_spec_id() {
                return Err(Unfit::Changed(format!(
                    "stage {id} is partitioned by spec {}, the table by {} now",
                    manifest.partition_spec_id,
                    metadata.default_partition_spec_id()
                )));
            }
            let file = entry.data_file();
            admit(metadata, file, id)?;
            if !paths.insert(canonical(file.file_path()).into_owned()) {
                return Err(Unfit::Never(format!("stage {id} adds `{}` twice", file.file_path())));
            }
            if files.len() == MAX_STAGE_FILES {
                return Err(too_many(id));
            }
            files.push(file.clone());
        }
    }
    let rows = files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.record_count()));
    if rows != list.rows() {
        return Err(Unfit::Never(format!(
            "the data files of stage {id} have {rows:?} rows, the list {:?}",
            list.rows()
        )));
    }
    Ok(files)
}

/// Fails for what is no data file of the table's own.
fn admit(table: &TableMetadata, file: &DataFile, id: i64) -> Result<(), Unfit> {
    let path = file.file_path();
    if file.content_type() != DataContentType::Data {
        return Err(Unfit::Never(format!("stage {id} adds deletes, by `{path}`")));
    }
    if !below(path, table.location()) && !below(path, &data_folder(table)) {
        return Err(Unfit::Never(format!("`{path}` of stage {id} is not below the table's own folders")));
    }
    Ok(())
}

/// Whether a file is in a folder, by its name, whichever spelling of Iceberg's writers that has.
fn below(path: &str, folder: &str) -> bool {
    let (path, folder) = (canonical(path), canonical(folder.trim_end_matches('/')));
    let rest = path.strip_prefix(folder.as_ref()).and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| rest.split('/').all(|segment| !matches!(segment, "" | "." | "..")))
}

fn too_many(id: i64) -> Unfit {
    Unfit::Never(format!(
        "stage {id} has more than {MAX_STAGE_FILES} data files or a manifest over {MAX_STAGE_MANIFEST_BYTES} bytes: \
         write fewer and larger files, or make smaller requests"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_below_a_folder_in_every_spelling_and_by_no_trick() {
        for path in ["file:/w/t/data/f", "file:///w/t/data/p=1/f", "/w/t/f"] {
            assert!(below(path, "file:///w/t/"), "{path}");
        }
        assert!(below("s3a://b/t/f", "s3://b/t"));
        for path in ["/w/t", "/w/tt/f", "/w/t/../u/f", "/w/t/./f", "/w/t//f", "/w/t/", "s3://w/t/f"] {
            assert!(!below(path, "file:///w/t"), "{path}");
        }
    }
}
