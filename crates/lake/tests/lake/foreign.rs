//! What other programs do to a table: append, rewrite, roll back, expire.

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, MAIN_BRANCH, ManifestListWriter,
    ManifestStatus, ManifestWriterBuilder, Operation, Snapshot, SnapshotReference, SnapshotRetention, Struct,
    Summary, TableMetadataBuilder,
};
use iceberg::table::Table;
use iceberg::{Result, TableUpdate};
use lake::catalog::{Commit, Outcome};

use crate::fixture::Fixture;

impl Fixture {
    /// A snapshot of another writer that keeps the data files for which `keep` says so and adds `added`.
    /// Returns its id.
    pub async fn foreign(
        &self,
        operation: Operation,
        keep: impl Fn(&DataFile) -> bool,
        added: Vec<DataFile>,
    ) -> i64 {
        let table = self.table().await;
        let metadata = table.metadata();
        let id = i64::from(uuid::Uuid::new_v4().as_fields().0) + 1;
        let folder = format!("{}/metadata", metadata.location());
        let output =
            table.file_io().new_output(format!("{folder}/{}-m0.avro", uuid::Uuid::new_v4())).unwrap();
        let schema = metadata.current_schema().clone();
        let spec = metadata.default_partition_spec().as_ref().clone();
        let mut manifest = ManifestWriterBuilder::new(output, Some(id), schema, spec).build_v2_data();
        for (entry_snapshot, sequence, file_sequence, file) in live(&table).await {
            if keep(&file) {
                manifest.add_existing_file(file, entry_snapshot, sequence, file_sequence).unwrap();
            }
        }
        for file in added {
            manifest.add_file(file, -1).unwrap();
        }
        let manifest = manifest.write_manifest_file().await.unwrap();
        let list = format!("{folder}/snap-{id}-1-{}.avro", uuid::Uuid::new_v4());
        let output = table.file_io().new_output(&list).unwrap().writer().await.unwrap();
        let (parent, sequence) = (metadata.current_snapshot_id(), metadata.next_sequence_number());
        let mut writer = ManifestListWriter::v2(output, id, parent, sequence);
        writer.add_manifests([manifest].into_iter()).unwrap();
        writer.close().await.unwrap();
        let snapshot = Snapshot::builder()
            .with_snapshot_id(id)
            .with_parent_snapshot_id(parent)
            .with_sequence_number(sequence)
            .with_timestamp_ms(metadata.last_updated_ms() + 1)
            .with_manifest_list(list)
            .with_summary(Summary { operation, additional_properties: Default::default() })
            .with_schema_id(metadata.current_schema_id())
            .build();
        self.change(|table| table.set_branch_snapshot(snapshot, MAIN_BRANCH)).await;
        id
    }

    /// Another writer appends this file.
    pub async fn append_file(&self, url: &str) {
        let file = DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path(url.to_owned())
            .file_format(DataFileFormat::Parquet)
            .file_size_in_bytes(1)
            .record_count(1)
            .partition(Struct::empty())
            .partition_spec_id(0)
            .build()
            .unwrap();
        self.foreign(Operation::Append, |_| true, vec![file]).await;
    }

    /// `main` goes back to a snapshot that the table has.
    pub async fn roll_back(&self, snapshot_id: i64) {
        let retention = SnapshotRetention::branch(None, None, None);
        self.change(|table| table.set_ref(MAIN_BRANCH, SnapshotReference::new(snapshot_id, retention))).await;
    }

    /// `main` takes over a copy of a snapshot that followed where it is now.
    pub async fn cherry_pick(&self, original: &Snapshot) {
        let table = self.table().await;
        let mut summary = original.summary().clone();
        let source = original.snapshot_id();
        summary.additional_properties.insert("source-snapshot-id".to_owned(), source.to_string());
        let copy = Snapshot::builder()
            .with_snapshot_id(source ^ 1)
            .with_parent_snapshot_id(table.metadata().current_snapshot_id())
            .with_sequence_number(table.metadata().next_sequence_number())
            .with_timestamp_ms(table.metadata().last_updated_ms() + 1)
            .with_manifest_list(original.manifest_list())
            .with_summary(summary)
            .with_schema_id(table.metadata().current_schema_id())
            .build();
        self.change(|table| table.set_branch_snapshot(copy, MAIN_BRANCH)).await;
    }

    /// The table forgets these snapshots.
    pub async fn expire(&self, ids: &[i64]) {
        self.change(|table| Ok(table.remove_snapshots(ids))).await;
    }

    /// Commits what `change` makes of the table.
    pub async fn change(&self, change: impl FnOnce(TableMetadataBuilder) -> Result<TableMetadataBuilder>) {
        let table = self.table().await;
        let updates: Vec<TableUpdate> =
            change(table.metadata().clone().into_builder(None)).unwrap().build().unwrap().changes;
        let outcome = self.catalog().await.commit(&table, Commit { requirements: Vec::new(), updates }).await;
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    }
}

/// The live data files of `main` with the snapshot and sequence numbers of their entries.
async fn live(table: &Table) -> Vec<(i64, i64, Option<i64>, DataFile)> {
    let mut live = Vec::new();
    let Some(snapshot) = table.metadata().current_snapshot() else { return live };
    for manifest in table.manifest_list_reader(snapshot).load().await.unwrap().entries() {
        for entry in manifest.load_manifest(table.file_io()).await.unwrap().entries() {
            if entry.status() != ManifestStatus::Deleted {
                let (id, sequence) = (entry.snapshot_id().unwrap(), entry.sequence_number().unwrap());
                live.push((id, sequence, entry.file_sequence_number, entry.data_file().clone()));
            }
        }
    }
    live
}
