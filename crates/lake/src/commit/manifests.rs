//! The manifests of the next snapshot: those of the last one, the new files, and now and then fewer than before.
//!
//! Merging follows Iceberg's own writers: manifests are packed into bins from the oldest on, and a bin is merged
//! when it is full, or, for the bin that takes new files, when it holds `commit.manifest.min-count-to-merge`.
//!
//! Tables of format version 3 are not merged here: an entry that moves to another manifest has to carry the row id
//! that it inherited, and the `iceberg` crate neither works it out nor lets it be set on an entry that was read.
//! `rewrite_manifests` of another engine does it.

use iceberg::spec::{
    DataFile, FormatVersion, ManifestContentType, ManifestFile, ManifestStatus, ManifestWriter,
    ManifestWriterBuilder, SchemaRef, TableMetadata,
};
use iceberg::table::Table;

use crate::layout::metadata_folder;

/// Sequence number of a manifest entry that takes the one of its snapshot.
const INHERITED: i64 = -1;
const MERGE_ENABLED: &str = "commit.manifest-merge.enabled";
const MIN_COUNT: &str = "commit.manifest.min-count-to-merge";
const MIN_COUNT_DEFAULT: usize = 100;
const TARGET_BYTES: &str = "commit.manifest.target-size-bytes";
const TARGET_BYTES_DEFAULT: u64 = 8 * 1024 * 1024;

/// Writes what is needed and returns the manifests of a snapshot that adds `files` to `base`. `schema` is the one that
/// the table has with that snapshot.
pub(super) async fn write(
    base: &Table,
    schema: &SchemaRef,
    snapshot_id: i64,
    name: &str,
    files: &[DataFile],
) -> iceberg::Result<Vec<ManifestFile>> {
    let table = base.metadata();
    let held = match table.current_snapshot() {
        Some(snapshot) => base.manifest_list_reader(snapshot).load().await?.entries().to_vec(),
        None => Vec::new(),
    };
    let author = Author { base, schema, snapshot_id, name };
    if files.is_empty() {
        return Ok(held);
    }
    // Row lineage: see above.
    let policy = Policy::of(table);
    if !policy.enabled || table.format_version() == FormatVersion::V3 {
        let mut all = vec![author.new_manifest(0, files).await?];
        all.extend(held);
        return Ok(all);
    }
    let spec = table.default_partition_spec_id();
    let (ours, others): (Vec<ManifestFile>, Vec<ManifestFile>) = held.into_iter().partition(|manifest| {
        manifest.content == ManifestContentType::Data && manifest.partition_spec_id == spec
    });
    let mut manifests = author.merged(pack(ours, &policy), files).await?;
    manifests.extend(others);
    Ok(manifests)
}

struct Policy {
    enabled: bool,
    min_count: usize,
    target_bytes: u64,
}

impl Policy {
    /// A value that does not parse counts as not set: a wrong setting must not stop the rows.
    fn of(table: &TableMetadata) -> Self {
        let get = |name: &str| table.properties().get(name);
        Self {
            enabled: get(MERGE_ENABLED).is_none_or(|value| value != "false"),
            min_count: get(MIN_COUNT).and_then(|value| value.parse().ok()).unwrap_or(MIN_COUNT_DEFAULT),
            target_bytes: get(TARGET_BYTES)
                .and_then(|value| value.parse().ok())
                .unwrap_or(TARGET_BYTES_DEFAULT),
        }
    }
}

/// Manifests to be made one, or kept as they are.
#[derive(Debug, PartialEq, Eq)]
enum Bin {
    /// Written as one manifest.
    Merge(Vec<ManifestFile>),
    /// Named again.
    Keep(Vec<ManifestFile>),
    /// Named again, and the new files get a manifest of their own; or, if there are enough, all of it as one.
    Newest { merge: bool, manifests: Vec<ManifestFile> },
}

/// Packs manifests, newest first, into bins of the target size. The first bin is the one that takes new files.
fn pack(manifests: Vec<ManifestFile>, policy: &Policy) -> Vec<Bin> {
    let mut bins: Vec<Vec<ManifestFile>> = vec![Vec::new()];
    let mut size = 0;
    for manifest in manifests.into_iter().rev() {
        let length = u64::try_from(manifest.manifest_length).unwrap_or(0);
        if size + length > policy.target_bytes && size > 0 {
            bins.push(Vec::new());
            size = 0;
        }
        size += length;
        bins.last_mut().expect("there is always a last bin").push(manifest);
    }
    let newest = bins.pop().expect("there is always a last bin");
    // The manifest of the new files counts as one more.
    let mut packed =
        vec![Bin::Newest { merge: newest.len() + 1 >= policy.min_count.max(2), manifests: newest }];
    packed.extend(bins.into_iter().rev().map(
        |bin| {
            if bin.len() > 1 { Bin::Merge(bin) } else { Bin::Keep(bin) }
        },
    ));
    for bin in &mut packed {
        match bin {
            Bin::Merge(manifests) | Bin::Keep(manifests) | Bin::Newest { manifests, .. } => {
                manifests.reverse()
            }
        }
    }
    packed
}

/// Writes manifests of one attempt.
struct Author<'a> {
    base: &'a Table,
    schema: &'a SchemaRef,
    snapshot_id: i64,
    /// What the files of this attempt are called: who clears up after it finds them by it.
    name: &'a str,
}

impl Author<'_> {
    async fn merged(&self, bins: Vec<Bin>, files: &[DataFile]) -> iceberg::Result<Vec<ManifestFile>> {
        let mut manifests = Vec::new();
        // A request of a merge that failed may still arrive: nothing else is ever written under its number.
        let fallback = bins.len();
        for (number, bin) in bins.into_iter().enumerate() {
            match bin {
                Bin::Keep(kept) => manifests.extend(kept),
                Bin::Merge(old) => match self.one_of(number, &[], &old).await {
                    Ok(merged) => manifests.push(merged),
                    Err(error) => manifests.extend(self.unmerged(old, &error)),
                },
                Bin::Newest { merge: true, manifests: old } => match self.one_of(number, files, &old).await {
                    Ok(merged) => manifests.push(merged),
                    Err(error) => {
                        manifests.push(self.new_manifest(fallback, files).await?);
                        manifests.extend(self.unmerged(old, &error));
                    }
                },
                Bin::Newest { merge: false, manifests: kept } => {
                    manifests.push(self.new_manifest(number, files).await?);
                    manifests.extend(kept);
                }
            }
        }
        Ok(manifests)
    }

    /// Merging is housekeeping: manifests that cannot be read or written anew stay as they are.
    fn unmerged(&self, manifests: Vec<ManifestFile>, error: &iceberg::Error) -> Vec<ManifestFile> {
        tracing::warn!(table = %self.base.identifier(), count = manifests.len(), %error, "manifests are left unmerged");
        manifests
    }

    async fn new_manifest(&self, number: usize, files: &[DataFile]) -> iceberg::Result<ManifestFile> {
        self.one_of(number, files, &[]).await
    }

    /// One manifest with new files and the live entries of old manifests.
    async fn one_of(
        &self,
        number: usize,
        files: &[DataFile],
        old: &[ManifestFile],
    ) -> iceberg::Result<ManifestFile> {
        let mut writer = self.writer(number)?;
        for file in files {
            writer.add_file(file.clone(), INHERITED)?;
        }
        for manifest in old {
            for entry in manifest.load_manifest(self.base.file_io()).await?.entries() {
                if entry.status == ManifestStatus::Deleted {
                    continue;
                }
                // Loading has filled these in; an entry without them would be nobody's.
                let missing = || {
                    iceberg::Error::new(iceberg::ErrorKind::DataInvalid, "a manifest entry has no snapshot")
                };
                let snapshot_id = entry.snapshot_id.ok_or_else(missing)?;
                let sequence = entry.sequence_number.ok_or_else(missing)?;
                writer.add_existing_file(
                    entry.data_file.clone(),
                    snapshot_id,
                    sequence,
                    entry.file_sequence_number,
                )?;
            }
        }
        writer.write_manifest_file().await
    }

    fn writer(&self, number: usize) -> iceberg::Result<ManifestWriter> {
        let table = self.base.metadata();
        let url = format!("{}/{}-m{number}.avro", metadata_folder(table), self.name);
        let builder = ManifestWriterBuilder::new(
            self.base.file_io().new_output(url)?,
            Some(self.snapshot_id),
            self.schema.clone(),
            table.default_partition_spec().as_ref().clone(),
        );
        Ok(match table.format_version() {
            FormatVersion::V1 | FormatVersion::V2 => builder.build_v2_data(),
            FormatVersion::V3 => builder.build_v3_data(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use iceberg::spec::{DataContentType, DataFileBuilder, DataFileFormat, Schema, TableMetadataBuilder};
    use iceberg::{Runtime, TableCreation, TableIdent};

    use super::*;
    use crate::storage::{Stores, file_io};

    fn manifest(name: usize, length: i64) -> ManifestFile {
        ManifestFile {
            manifest_path: name.to_string(),
            manifest_length: length,
            partition_spec_id: 0,
            content: ManifestContentType::Data,
            sequence_number: 1,
            min_sequence_number: 1,
            added_snapshot_id: 1,
            added_files_count: None,
            existing_files_count: None,
            deleted_files_count: None,
            added_rows_count: None,
            existing_rows_count: None,
            deleted_rows_count: None,
            partitions: None,
            key_metadata: None,
            first_row_id: None,
        }
    }

    /// The packing of manifests with these lengths, newest first, as (kind, names).
    fn packed(lengths: &[i64], min_count: usize) -> Vec<(&'static str, Vec<String>)> {
        let manifests = lengths.iter().enumerate().map(|(name, length)| manifest(name, *length)).collect();
        let policy = Policy { enabled: true, min_count, target_bytes: 100 };
        let names = |list: Vec<ManifestFile>| list.into_iter().map(|m| m.manifest_path).collect();
        pack(manifests, &policy)
            .into_iter()
            .map(|bin| match bin {
                Bin::Merge(list) => ("merge", names(list)),
                Bin::Keep(list) => ("keep", names(list)),
                Bin::Newest { merge: true, manifests } => ("merge with new", names(manifests)),
                Bin::Newest { merge: false, manifests } => ("new beside", names(manifests)),
            })
            .collect()
    }

    fn names(list: &[usize]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn few_small_manifests_stay() {
        assert_eq!(packed(&[], 3), [("new beside", names(&[]))]);
        assert_eq!(packed(&[10], 3), [("new beside", names(&[0]))]);
    }

    #[test]
    fn enough_small_manifests_become_one() {
        assert_eq!(packed(&[10, 10], 3), [("merge with new", names(&[0, 1]))]);
    }

    #[test]
    fn full_bins_are_merged_from_the_oldest_on_and_large_manifests_stay() {
        let expected = [("new beside", names(&[0])), ("merge", names(&[1, 2])), ("keep", names(&[3]))];
        assert_eq!(packed(&[60, 50, 50, 100], 100), expected);
    }

    #[test]
    fn a_manifest_over_the_target_is_a_bin_by_itself() {
        assert_eq!(packed(&[10, 500], 100), [("new beside", names(&[0])), ("keep", names(&[1]))]);
    }

    #[tokio::test]
    async fn what_takes_the_place_of_a_failed_merge_has_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let creation = TableCreation::builder()
            .name("t".to_owned())
            .location(format!("file://{}", folder.path().display()))
            .schema(Schema::builder().build().unwrap())
            .build();
        let metadata = TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
        let base = Table::builder()
            .file_io(file_io(Arc::new(Stores::new(BTreeMap::new()).unwrap())))
            .identifier(TableIdent::from_strs(["db", "t"]).unwrap())
            .metadata(metadata)
            .runtime(Runtime::try_current().unwrap())
            .build()
            .unwrap();
        let file = DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path("file:///a.parquet".to_owned())
            .file_format(DataFileFormat::Parquet)
            .record_count(1)
            .file_size_in_bytes(1)
            .build()
            .unwrap();
        let mut lost = manifest(0, 10);
        lost.manifest_path = format!("file://{}/lost.avro", folder.path().display());
        let author =
            Author { base: &base, schema: base.metadata().current_schema(), snapshot_id: 7, name: "attempt" };
        let bins = vec![Bin::Newest { merge: true, manifests: vec![lost.clone()] }];
        let written = author.merged(bins, &[file]).await.unwrap();
        assert!(written[0].manifest_path.ends_with("/metadata/attempt-m1.avro"), "{written:?}");
        assert_eq!(written[0].added_files_count, Some(1));
        assert_eq!(written[1..], [lost]);
    }
}
