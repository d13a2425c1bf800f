//! One attempt to append: its files are written, its commit is a value that still has to be sent.

use std::collections::HashMap;

use iceberg::spec::{
    DataFile, FormatVersion, MAIN_BRANCH, ManifestFile, ManifestListWriter, Operation, SchemaRef, Snapshot,
    Summary, TableMetadata,
};
use iceberg::table::Table;
use iceberg::{TableRequirement, TableUpdate};
use ingest_core::staged::Stage;

use super::manifests;
use crate::catalog::Commit;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::metadata_folder;
use crate::ledger::{PROPERTY_LEDGER, SUMMARY_LEDGER, SUMMARY_RUN, SUMMARY_SOURCE, Written, property_value};

/// Key in a snapshot's summary: which program wrote it.
const SUMMARY_WRITER: &str = "event-ingest.version";
/// Key in a snapshot's summary: how many objects it brought. Which ones is in its run.
const SUMMARY_OBJECTS: &str = "event-ingest.objects";
/// Key in a snapshot's summary: how many requests share it.
const SUMMARY_REQUESTS: &str = "event-ingest.requests";

/// What to append.
#[derive(Debug)]
pub struct Append<'a> {
    /// Closed data files, written at the schema of this commit and the table's spec. None: a snapshot without rows.
    pub files: &'a [DataFile],
    /// The schema that the table gets in the same commit, if it gets another.
    pub evolved: Option<&'a SchemaRef>,
    /// The ledger files that belong to them.
    pub ledger: &'a Written,
    /// How many objects these files were made of.
    pub objects: usize,
    /// How many requests brought them.
    pub requests: usize,
    /// The append on a branch that these files come from: the snapshot says so, and the branch goes with it.
    pub stage: Option<&'a Stage>,
    /// Table properties to set in the same commit.
    pub properties: HashMap<String, String>,
    /// Name of the attempt. Never used twice, so that finding it in a table's ancestry proves that it landed.
    pub snapshot_id: i64,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

/// Writes manifest and manifest list for an append to `base`.
///
/// # Errors
/// A table format that is not supported, or a store that did not take the files.
pub async fn prepare(base: &Table, append: Append<'_>) -> Result<Commit> {
    let table = base.metadata();
    if table.format_version() == FormatVersion::V1 {
        return Err(Error::invalid(format!(
            "table `{}` has format version 1, which keeps no sequence numbers: upgrade it to 2",
            base.identifier()
        )));
    }
    let failed = |e: iceberg::Error| {
        // What cannot be read or encoded will not be later either; a store that did not answer may.
        let kind = match e.kind() {
            iceberg::ErrorKind::DataInvalid | iceberg::ErrorKind::FeatureUnsupported => {
                ErrorKind::Inconsistent
            }
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("cannot prepare a commit to `{}`", base.identifier())).caused_by(e)
    };
    let name = append.ledger.name();
    let schema = append.evolved.unwrap_or_else(|| table.current_schema()).clone();
    let manifests =
        manifests::write(base, &schema, append.snapshot_id, name, append.files).await.map_err(failed)?;
    let list = manifest_list(table, append.snapshot_id, name);
    let rows = write_list(base, &append, &list, manifests).await.map_err(failed)?;
    commit_of(table, append, list, rows).map_err(failed)
}

/// Where the manifest list of an attempt is; `name` is the one that its ledger files have.
fn manifest_list(table: &TableMetadata, snapshot_id: i64, name: &str) -> String {
    let uuid = name.strip_prefix(&format!("{snapshot_id}-")).unwrap_or(name);
    format!("{}/snap-{snapshot_id}-1-{uuid}.avro", metadata_folder(table))
}

/// The commit that makes an append visible, once its manifest list is written. `rows`, for tables with row
/// lineage: the first new row id and how many there are.
///
/// # Errors
/// The base is of a state that no snapshot can follow.
pub fn commit_of(
    table: &TableMetadata,
    append: Append<'_>,
    manifest_list: String,
    rows: Option<(u64, u64)>,
) -> iceberg::Result<Commit> {
    let snapshot = Snapshot::builder()
        .with_snapshot_id(append.snapshot_id)
        .with_parent_snapshot_id(table.current_snapshot_id())
        .with_sequence_number(table.next_sequence_number())
        .with_timestamp_ms(not_before(table, append.now_ms))
        .with_manifest_list(manifest_list)
        .with_summary(summary(table, &append))
        .with_schema_id(schema_id(table, append.evolved)?);
    let snapshot = match rows {
        Some((first, added)) => snapshot.with_row_range(first, added).build(),
        None => snapshot.build(),
    };
    Ok(Commit { requirements: requirements(table, append.stage), updates: updates(table, snapshot, append)? })
}

/// The id of the schema that the table has after the commit.
fn schema_id(table: &TableMetadata, evolved: Option<&SchemaRef>) -> iceberg::Result<i32> {
    let Some(schema) = evolved else { return Ok(table.current_schema_id()) };
    let builder = table.clone().into_builder(None).add_current_schema(schema.as_ref().clone())?;
    Ok(builder.build()?.metadata.current_schema_id())
}

/// A time that the table accepts: another writer's clock may be ahead of ours.
fn not_before(table: &TableMetadata, now_ms: i64) -> i64 {
    let logged = table.history().last().map_or(i64::MIN, |log| log.timestamp_ms);
    now_ms.max(table.last_updated_ms()).max(logged)
}

/// What the plan of an append rests on. `main`'s snapshot is the lock: ledger and rows were checked against it.
/// A branch that is published has to end where it was looked at, too.
fn requirements(table: &TableMetadata, stage: Option<&Stage>) -> Vec<TableRequirement> {
    let branch = stage.map(|stage| TableRequirement::RefSnapshotIdMatch {
        r#ref: stage.branch.clone(),
        snapshot_id: Some(stage.snapshot_id),
    });
    let plan = [
        TableRequirement::UuidMatch { uuid: table.uuid() },
        TableRequirement::RefSnapshotIdMatch {
            r#ref: MAIN_BRANCH.to_owned(),
            snapshot_id: table.current_snapshot_id(),
        },
        TableRequirement::CurrentSchemaIdMatch { current_schema_id: table.current_schema_id() },
        TableRequirement::LastAssignedFieldIdMatch { last_assigned_field_id: table.last_column_id() },
        TableRequirement::DefaultSpecIdMatch { default_spec_id: table.default_partition_spec_id() },
    ];
    plan.into_iter().chain(branch).collect()
}

/// The changes as the crate itself derives them: it moves the branch and keeps its retention settings, which are
/// the table owner's.
fn updates(
    table: &TableMetadata,
    snapshot: Snapshot,
    append: Append<'_>,
) -> iceberg::Result<Vec<TableUpdate>> {
    let mut properties = append.properties;
    properties.insert(PROPERTY_LEDGER.to_owned(), property_value(append.snapshot_id, &append.ledger.pointer));
    let mut builder = table.clone().into_builder(None);
    if let Some(schema) = append.evolved {
        builder = builder.add_current_schema(schema.as_ref().clone())?;
    }
    builder = builder.set_branch_snapshot(snapshot, MAIN_BRANCH)?.set_properties(properties)?;
    if let Some(stage) = append.stage {
        builder = builder.remove_ref(&stage.branch);
    }
    Ok(builder.build()?.changes)
}

/// Writes the manifest list. For a table with row lineage, returns the first new row id and how many there are.
async fn write_list(
    base: &Table,
    append: &Append<'_>,
    url: &str,
    manifests: Vec<ManifestFile>,
) -> iceberg::Result<Option<(u64, u64)>> {
    let table = base.metadata();
    let output = base.file_io().new_output(url)?.writer().await?;
    let (id, parent, sequence) =
        (append.snapshot_id, table.current_snapshot_id(), table.next_sequence_number());
    let first_row = table.next_row_id();
    let mut writer = match table.format_version() {
        FormatVersion::V1 | FormatVersion::V2 => ManifestListWriter::v2(output, id, parent, sequence),
        FormatVersion::V3 => ManifestListWriter::v3(output, id, parent, sequence, Some(first_row)),
    };
    writer.add_manifests(manifests.into_iter())?;
    let next_row = writer.next_row_id();
    writer.close().await?;
    Ok(next_row.map(|next| (first_row, next - first_row)))
}

fn summary(table: &TableMetadata, append: &Append<'_>) -> Summary {
    let added_files = append.files.len() as u64;
    let added_rows: u64 = append.files.iter().map(DataFile::record_count).sum();
    let added_bytes: u64 = append.files.iter().map(DataFile::file_size_in_bytes).sum();
    let mut keys = HashMap::from([
        (SUMMARY_LEDGER.to_owned(), append.ledger.pointer.clone()),
        (SUMMARY_WRITER.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (SUMMARY_OBJECTS.to_owned(), append.objects.to_string()),
        (SUMMARY_REQUESTS.to_owned(), append.requests.to_string()),
    ]);
    if let Some(run) = &append.ledger.run {
        keys.insert(SUMMARY_RUN.to_owned(), run.clone());
    }
    // By it engines know that the files are not the branch's alone, when its snapshot expires.
    if let Some(stage) = append.stage {
        keys.insert(SUMMARY_SOURCE.to_owned(), stage.snapshot_id.to_string());
    }
    let before = table.current_snapshot().map(|snapshot| &snapshot.summary().additional_properties);
    for (what, added) in [("data-files", added_files), ("records", added_rows), ("files-size", added_bytes)] {
        if added > 0 {
            keys.insert(format!("added-{what}"), added.to_string());
        }
        total(&mut keys, before, &format!("total-{what}"), added);
    }
    for what in ["total-delete-files", "total-position-deletes", "total-equality-deletes"] {
        total(&mut keys, before, what, 0);
    }
    Summary { operation: Operation::Append, additional_properties: keys }
}

/// Carries a running total on. A predecessor that did not keep it leaves it unknown rather than wrong.
fn total(
    keys: &mut HashMap<String, String>,
    before: Option<&HashMap<String, String>>,
    key: &str,
    added: u64,
) {
    let held = match before {
        None => Some(0),
        Some(summary) => summary.get(key).and_then(|value| value.parse::<u64>().ok()),
    };
    if let Some(sum) = held.and_then(|held| held.checked_add(added)) {
        keys.insert(key.to_owned(), sum.to_string());
    }
}
