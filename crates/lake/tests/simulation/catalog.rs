//! A catalog that is as atomic as the real ones: all requirements hold, or nothing changes.

use iceberg::TableCreation;
use iceberg::spec::{
    MAIN_BRANCH, NestedField, Operation, PrimitiveType, Schema, Snapshot, Summary, TableMetadata,
    TableMetadataBuilder, Type,
};
use lake::catalog::Commit;
use uuid::Uuid;

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    Yes,
    /// A requirement did not hold.
    No,
    /// The requirements held, and a sequence number or time stamp was too old.
    Stale,
}

/// One name, and the table behind it.
#[derive(Debug, Default)]
pub struct Catalog {
    pub table: Option<TableMetadata>,
    tables_made: u128,
}

impl Catalog {
    /// Makes the table if there is none.
    pub fn create(&mut self) {
        if self.table.is_some() {
            return;
        }
        self.tables_made += 1;
        let creation = TableCreation::builder()
            .name("t".to_owned())
            .location("memory:///t".to_owned())
            .schema(schema(0))
            .build();
        let builder = TableMetadataBuilder::from_table_creation(creation).unwrap();
        self.table = Some(builder.assign_uuid(Uuid::from_u128(self.tables_made)).build().unwrap().metadata);
    }

    pub fn commit(&mut self, commit: &Commit) -> Made {
        let table = self.table.as_ref();
        if commit.requirements.iter().any(|requirement| requirement.check(table).is_err()) {
            return Made::No;
        }
        let Some(table) = table else { return Made::No };
        let mut builder = table.clone().into_builder(None);
        for update in &commit.updates {
            builder = match update.clone().apply(builder) {
                Ok(builder) => builder,
                Err(_) => return Made::Stale,
            };
        }
        match builder.build() {
            Ok(built) => {
                self.table = Some(built.metadata);
                Made::Yes
            }
            Err(_) => Made::Stale,
        }
    }

    pub fn main(&self) -> Option<i64> {
        self.table.as_ref().and_then(TableMetadata::current_snapshot_id)
    }
}

/// A schema with some columns beside the first.
pub fn schema(more: i32) -> Schema {
    let column =
        |id| NestedField::optional(id, format!("c{id}"), Type::Primitive(PrimitiveType::Long)).into();
    Schema::builder().with_fields((1..=more + 1).map(column)).build().unwrap()
}

/// A snapshot as another program makes it.
pub fn snapshot(
    table: &TableMetadata,
    id: i64,
    parent: Option<i64>,
    operation: Operation,
    list: String,
    summary: impl IntoIterator<Item = (String, String)>,
) -> Snapshot {
    let logged = table.history().last().map_or(0, |log| log.timestamp_ms);
    let newest = table.last_updated_ms().max(logged);
    Snapshot::builder()
        .with_snapshot_id(id)
        .with_parent_snapshot_id(parent)
        .with_sequence_number(table.next_sequence_number())
        .with_timestamp_ms(newest + 1)
        .with_manifest_list(list)
        .with_summary(Summary { operation, additional_properties: summary.into_iter().collect() })
        .with_schema_id(table.current_schema_id())
        .build()
}

/// Ids of `main`'s snapshot and its ancestors, the newest first.
pub fn ancestry(table: &TableMetadata) -> Vec<i64> {
    let mut ids = Vec::new();
    let mut next = table.snapshot_for_ref(MAIN_BRANCH);
    while let Some(snapshot) = next {
        ids.push(snapshot.snapshot_id());
        next = snapshot.parent_snapshot_id().and_then(|id| table.snapshot_by_id(id));
    }
    ids
}
