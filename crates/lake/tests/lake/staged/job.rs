//! What a Spark job does to a table and below the heavy root, in Rust.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, ManifestListWriter, ManifestWriterBuilder,
    Operation, Snapshot, Struct, Summary,
};
use iceberg::table::Table;
use ingest_core::identity::normalise_etag;
use ingest_core::staged::{RejectedObject, Stage, Staged, StagedList, StagedObject};
use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject, TableName};
use lake::Lake;
use lake::catalog::{Commit, Outcome};
use lake::ingest::Publication;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;

use crate::fixture::{BUCKET, Fixture, TABLE};

pub const REQUEST: &str = "0123456789abcdef0123456789abcdef01234567";

/// The snapshot of a stage, as a job makes it unless a test spoils it.
pub struct Append {
    pub operation: Operation,
    pub summary: HashMap<String, String>,
    pub files: Vec<DataFile>,
    /// Files of `main` that it says it deletes.
    pub deleted: Vec<DataFile>,
    pub parent: Option<i64>,
}

impl Fixture {
    /// An object as a job looks at it; it has to be there.
    pub async fn head(&self, key: &str) -> RequestedObject {
        let path = object_store::path::Path::parse(key).unwrap();
        let found = self.bucket.head(&path).await.unwrap();
        // As a list has it: without quotes.
        let etag = found.e_tag.map(|etag| normalise_etag(&etag));
        let hint = ObjectHint { size: Some(found.size), etag, ..ObjectHint::default() };
        RequestedObject { uri: ObjectUri::new(BUCKET, key).unwrap(), hint }
    }

    /// The list of a job that reads these objects, with so many rows each.
    pub async fn list(&self, objects: &[(&str, u64)]) -> StagedList {
        let mut staged = Vec::new();
        for (key, rows) in objects {
            staged.push(StagedObject { object: self.head(key).await, rows: *rows });
        }
        let uuid = self.table().await.metadata().uuid().to_string();
        let list = StagedList {
            request_id: REQUEST.to_owned(),
            table: TableName::parse(TABLE).unwrap(),
            table_uuid: Some(uuid),
            format: FileFormat::Parquet,
            options: Default::default(),
            digest: String::new(),
            staged,
            rejected: Vec::new(),
        };
        StagedList { digest: list.computed_digest(), ..list }
    }

    /// An object that the job sets aside.
    pub async fn rejected(&self, key: &str, reason: &str) -> RejectedObject {
        RejectedObject { object: self.head(key).await, reason: reason.to_owned() }
    }

    /// A data file as Spark names it.
    pub async fn data_file(&self, ids: std::ops::Range<i64>) -> DataFile {
        let location = self.table().await.metadata().location().to_owned();
        self.data_file_at(ids, &format!("{location}/data/00000-0-{}-00001.parquet", uuid::Uuid::new_v4()))
    }

    pub fn data_file_at(&self, ids: std::ops::Range<i64>, url: &str) -> DataFile {
        let field = |name, ty, id: &str| {
            let metadata = HashMap::from([("PARQUET:field_id".to_owned(), id.to_owned())]);
            Field::new(name, ty, true).with_metadata(metadata)
        };
        let schema = Schema::new(vec![field("id", DataType::Int64, "1"), field("name", DataType::Utf8, "2")]);
        let names: StringArray = ids.clone().map(|id| Some(format!("name {id}"))).collect();
        let columns = vec![Arc::new(Int64Array::from_iter_values(ids.clone())) as _, Arc::new(names) as _];
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let path = std::path::Path::new(url.strip_prefix("file://").unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        DataFileBuilder::default()
            .content(DataContentType::Data)
            // Spark's own spelling.
            .file_path(url.replacen("file:///", "file:/", 1))
            .file_format(DataFileFormat::Parquet)
            .file_size_in_bytes(std::fs::metadata(path).unwrap().len())
            .record_count(ids.count() as u64)
            .partition(Struct::empty())
            .partition_spec_id(0)
            .build()
            .unwrap()
    }

    /// Appends files to a new branch at `main`'s head.
    pub async fn append_on_branch(
        &self,
        list: &StagedList,
        files: Vec<DataFile>,
        spoil: impl FnOnce(&mut Append),
    ) -> Stage {
        let run = &uuid::Uuid::new_v4().simple().to_string()[..8];
        let branch = format!("event-ingest-{}-1-{run}", list.request_id);
        let summary = stage_summary(list, &files);
        let parent = self.table().await.metadata().current_snapshot_id();
        let mut append = Append { operation: Operation::Append, summary, files, deleted: Vec::new(), parent };
        spoil(&mut append);
        let snapshot_id = self.snapshot_on(&branch, append).await;
        Stage { branch, snapshot_id }
    }

    /// The same beside others: none if the table changed meanwhile.
    pub async fn try_append_on_branch(&self, list: &StagedList, files: Vec<DataFile>) -> Option<Stage> {
        let run = &uuid::Uuid::new_v4().simple().to_string()[..8];
        let branch = format!("event-ingest-{}-1-{run}", list.request_id);
        let table = self.table().await;
        let append = Append {
            operation: Operation::Append,
            summary: stage_summary(list, &files),
            files,
            deleted: Vec::new(),
            parent: table.metadata().current_snapshot_id(),
        };
        let snapshot_id = self.snapshot_on_table(&table, &branch, append).await?;
        Some(Stage { branch, snapshot_id })
    }

    pub async fn snapshot_on(&self, branch: &str, append: Append) -> i64 {
        self.snapshot_on_table(&self.table().await, branch, append).await.unwrap()
    }

    async fn snapshot_on_table(&self, table: &Table, branch: &str, append: Append) -> Option<i64> {
        let metadata = table.metadata();
        let id = i64::from(uuid::Uuid::new_v4().as_fields().0) + 1;
        let folder = format!("{}/metadata", metadata.location());
        let output =
            table.file_io().new_output(format!("{folder}/{}-m0.avro", uuid::Uuid::new_v4())).unwrap();
        let (schema, spec) =
            (metadata.current_schema().clone(), metadata.default_partition_spec().as_ref().clone());
        let mut manifest = ManifestWriterBuilder::new(output, Some(id), schema, spec).build_v2_data();
        for file in append.files {
            manifest.add_file(file, -1).unwrap();
        }
        for file in append.deleted {
            manifest.add_delete_file(file, 1, Some(1)).unwrap();
        }
        let manifest = manifest.write_manifest_file().await.unwrap();
        let held = match append.parent.and_then(|id| metadata.snapshot_by_id(id)) {
            Some(parent) => table.manifest_list_reader(parent).load().await.unwrap().entries().to_vec(),
            None => Vec::new(),
        };
        let list = format!("{folder}/snap-{id}-1-{}.avro", uuid::Uuid::new_v4());
        let output = table.file_io().new_output(&list).unwrap().writer().await.unwrap();
        let sequence = metadata.next_sequence_number();
        let mut writer = ManifestListWriter::v2(output, id, append.parent, sequence);
        writer.add_manifests([manifest].into_iter().chain(held)).unwrap();
        writer.close().await.unwrap();
        let snapshot = Snapshot::builder()
            .with_snapshot_id(id)
            .with_parent_snapshot_id(append.parent)
            .with_sequence_number(sequence)
            .with_timestamp_ms(metadata.last_updated_ms() + 1)
            .with_manifest_list(list)
            .with_summary(Summary { operation: append.operation, additional_properties: append.summary })
            .with_schema_id(metadata.current_schema_id())
            .build();
        let builder = metadata.clone().into_builder(None).set_branch_snapshot(snapshot, branch).unwrap();
        let updates = builder.build().unwrap().changes;
        let outcome = self.catalog().await.commit(table, Commit { requirements: Vec::new(), updates }).await;
        matches!(outcome, Outcome::Committed).then_some(id)
    }

    /// Writes the list where jobs do, and makes the event.
    pub fn written(&self, list: &StagedList, stage: Option<Stage>) -> Staged {
        let name = stage.as_ref().map_or("rejected", |stage| stage.branch.as_str());
        let path = self
            .folder()
            .join(format!("warehouse/_event_ingest/heavy/stages/{}/{name}.json", list.request_id));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, list.to_json()).unwrap();
        Staged {
            request_id: list.request_id.clone(),
            attempt: 1,
            table: list.table.clone(),
            stage,
            objects: format!("file:{}", path.display()),
        }
    }

    /// All that a job does before it posts: the rows of these objects are `ids`.
    pub async fn stage(&self, objects: &[(&str, u64)], ids: std::ops::Range<i64>) -> Staged {
        let list = self.list(objects).await;
        let stage = self.append_on_branch(&list, vec![self.data_file(ids).await], |_| {}).await;
        self.written(&list, Some(stage))
    }
}

fn stage_summary(list: &StagedList, files: &[DataFile]) -> HashMap<String, String> {
    let rows: u64 = files.iter().map(DataFile::record_count).sum();
    let mut summary = HashMap::from([
        ("event-ingest.stage".to_owned(), list.digest.clone()),
        ("event-ingest.request".to_owned(), list.request_id.clone()),
    ]);
    if rows > 0 {
        summary.insert("added-records".to_owned(), rows.to_string());
    }
    summary
}

/// Posts a stage that has to be published.
pub async fn published(lake: &Lake, staged: &Staged) -> ingest_core::IngestResult {
    match lake.publish_staged(staged).await.unwrap() {
        Publication::Published(result) => result,
        Publication::Conflict(conflict) => panic!("{conflict:?}"),
    }
}

/// Posts a stage that does not fit: the files that are known, and why.
pub async fn conflict(lake: &Lake, staged: &Staged) -> (Vec<String>, String) {
    match lake.publish_staged(staged).await.unwrap() {
        Publication::Published(result) => panic!("{result:?}"),
        Publication::Conflict(conflict) => {
            (conflict.known.into_iter().map(|object| object.file).collect(), conflict.reason)
        }
    }
}
