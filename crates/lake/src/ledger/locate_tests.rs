//! The truth table of [`locate`], on real table metadata.

use std::collections::HashMap;

use iceberg::TableCreation;
use iceberg::spec::{MAIN_BRANCH, Operation, Schema, Snapshot, Summary, TableMetadata, TableMetadataBuilder};
use uuid::Uuid;

use super::*;

/// A branch beside `main`, where the sources of copies are.
const STAGE: &str = "stage";
/// A source that added a run, one that added none, and one that will have expired.
const WITH_RUN: i64 = 901;
const WITHOUT_RUN: i64 = 902;
const GONE: i64 = 903;
/// Our last commit to a `main` that was replaced.
const REPLACED: i64 = 904;
/// The oldest snapshot of `main`.
const BOTTOM: i64 = 1;

fn head_of(id: i64) -> String {
    format!("heads/{id}-{}.json", Uuid::nil())
}

fn run_of(id: i64) -> String {
    format!("runs/{id}-{}.parquet", Uuid::nil())
}

pub(in crate::ledger) fn table() -> TableMetadata {
    let creation = TableCreation::builder()
        .name("t".to_owned())
        .location("file:///t".to_owned())
        .schema(Schema::builder().build().unwrap())
        .build();
    TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata
}

pub(in crate::ledger) fn commit(
    table: TableMetadata,
    branch: &str,
    id: i64,
    summary: &[(&str, String)],
) -> TableMetadata {
    let additional_properties = summary.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let parent = table.snapshot_for_ref(branch).map(|snapshot| snapshot.snapshot_id());
    let snapshot = Snapshot::builder()
        .with_snapshot_id(id)
        .with_parent_snapshot_id(parent)
        .with_sequence_number(table.next_sequence_number())
        .with_timestamp_ms(table.last_updated_ms() + 1)
        .with_manifest_list(format!("file:///t/{id}.avro"))
        .with_summary(Summary { operation: Operation::Append, additional_properties })
        .with_schema_id(0)
        .build();
    table.into_builder(None).set_branch_snapshot(snapshot, branch).unwrap().build().unwrap().metadata
}

pub(in crate::ledger) fn expire(table: TableMetadata, ids: &[i64]) -> TableMetadata {
    table.into_builder(None).remove_snapshots(ids).build().unwrap().metadata
}

fn set(table: TableMetadata, value: &str) -> TableMetadata {
    let properties = HashMap::from([(PROPERTY_LEDGER.to_owned(), value.to_owned())]);
    table.into_builder(None).set_properties(properties).unwrap().build().unwrap().metadata
}

fn ours(id: i64) -> Vec<(&'static str, String)> {
    vec![(SUMMARY_LEDGER, head_of(id)), (SUMMARY_RUN, run_of(id))]
}

fn copied_from(id: i64) -> Vec<(&'static str, String)> {
    vec![(SUMMARY_SOURCE, id.to_string())]
}

fn at(head: Option<i64>, copied: &[i64]) -> Located {
    Located::At(Lineage { head: head.map(head_of), copied: copied.iter().map(|id| run_of(*id)).collect() })
}

/// What a snapshot of `main` above the bottom can be.
#[derive(Debug, Clone, Copy)]
enum Layer {
    Ours,
    OursPublishingAStage,
    AnotherWriters,
    CopyOfRun,
    CopyOfNoRun,
    CopyOfGone,
    CopyOfAncestor,
    CopyOfNonsense,
    SummaryOfRun,
    SummaryOfGone,
    SummaryOfAncestor,
}

const LAYERS: [Layer; 11] = [
    Layer::Ours,
    Layer::OursPublishingAStage,
    Layer::AnotherWriters,
    Layer::CopyOfRun,
    Layer::CopyOfNoRun,
    Layer::CopyOfGone,
    Layer::CopyOfAncestor,
    Layer::CopyOfNonsense,
    Layer::SummaryOfRun,
    Layer::SummaryOfGone,
    Layer::SummaryOfAncestor,
];

/// What a layer does to the ledger of its parent.
enum Effect {
    Replaces,
    AddsRun,
    Nothing,
    Undecides,
}

impl Layer {
    fn summary(self, id: i64) -> Vec<(&'static str, String)> {
        match self {
            Self::Ours => ours(id),
            Self::OursPublishingAStage => [ours(id), copied_from(GONE)].concat(),
            Self::AnotherWriters => Vec::new(),
            Self::CopyOfRun => copied_from(WITH_RUN),
            Self::CopyOfNoRun => copied_from(WITHOUT_RUN),
            Self::CopyOfGone => copied_from(GONE),
            Self::CopyOfAncestor => copied_from(BOTTOM),
            Self::CopyOfNonsense => vec![(SUMMARY_SOURCE, "x".to_owned())],
            Self::SummaryOfRun => ours(WITH_RUN),
            Self::SummaryOfGone => ours(GONE),
            Self::SummaryOfAncestor => ours(BOTTOM),
        }
    }

    fn effect(self) -> Effect {
        match self {
            Self::Ours | Self::OursPublishingAStage => Effect::Replaces,
            Self::CopyOfRun | Self::SummaryOfRun => Effect::AddsRun,
            Self::AnotherWriters | Self::CopyOfNoRun | Self::CopyOfAncestor | Self::SummaryOfAncestor => {
                Effect::Nothing
            }
            Self::CopyOfGone | Self::CopyOfNonsense | Self::SummaryOfGone => Effect::Undecides,
        }
    }
}

/// What the bottom of `main` can be.
#[derive(Debug, Clone, Copy)]
enum Bottom {
    Ours,
    AnotherWriters,
    ExpiredWithProperty,
    ExpiredWithPropertyOfAnother,
    ExpiredWithPointerOfAnother,
    ExpiredWithoutProperty,
    Replaced,
    RootAndGap,
    RootAndPropertyOfGone,
    RootAndPropertyOfNonsense,
}

const BOTTOMS: [Bottom; 10] = [
    Bottom::Ours,
    Bottom::AnotherWriters,
    Bottom::ExpiredWithProperty,
    Bottom::ExpiredWithPropertyOfAnother,
    Bottom::ExpiredWithPointerOfAnother,
    Bottom::ExpiredWithoutProperty,
    Bottom::Replaced,
    Bottom::RootAndGap,
    Bottom::RootAndPropertyOfGone,
    Bottom::RootAndPropertyOfNonsense,
];

fn build(bottom: Bottom, layers: &[Layer]) -> TableMetadata {
    let mut table = commit(table(), STAGE, WITH_RUN, &ours(WITH_RUN));
    table = commit(table, STAGE, WITHOUT_RUN, &[(SUMMARY_LEDGER, head_of(WITHOUT_RUN))]);
    table = commit(table, "other", GONE, &ours(GONE));
    table = commit(table, "replaced", REPLACED, &ours(REPLACED));
    let first = match bottom {
        Bottom::AnotherWriters
        | Bottom::Replaced
        | Bottom::RootAndGap
        | Bottom::RootAndPropertyOfGone
        | Bottom::RootAndPropertyOfNonsense => Vec::new(),
        _ => ours(BOTTOM),
    };
    table = commit(table, MAIN_BRANCH, BOTTOM, &first);
    for (id, layer) in (BOTTOM + 1..).zip(layers) {
        table = commit(table, MAIN_BRANCH, id, &layer.summary(id));
    }
    table = table.into_builder(None).remove_ref("other").build().unwrap().metadata;
    table = expire(table, &[GONE]);
    let cut = |table, property: Option<(i64, i64)>| {
        let table = expire(table, &[BOTTOM]);
        match property {
            Some((about, made_for)) => set(table, &property_value(about, &head_of(made_for))),
            None => table,
        }
    };
    match bottom {
        Bottom::Ours | Bottom::AnotherWriters => table,
        Bottom::ExpiredWithProperty => cut(table, Some((BOTTOM, BOTTOM))),
        Bottom::ExpiredWithPropertyOfAnother => cut(table, Some((77, 77))),
        Bottom::ExpiredWithPointerOfAnother => cut(table, Some((BOTTOM, 77))),
        Bottom::ExpiredWithoutProperty => cut(table, None),
        // Another snapshot is gone by then: it could have been the parent.
        Bottom::Replaced => set(table, &property_value(REPLACED, &head_of(REPLACED))),
        // The one that is gone was made between it and the root.
        Bottom::RootAndGap => set(table, &property_value(WITH_RUN, &head_of(WITH_RUN))),
        Bottom::RootAndPropertyOfGone => set(table, &property_value(GONE, &head_of(GONE))),
        Bottom::RootAndPropertyOfNonsense => set(table, "nonsense"),
    }
}

/// The table in words: from the newest layer down, until one decides.
fn expected(bottom: Bottom, layers: &[Layer]) -> Option<Located> {
    let mut copied = Vec::new();
    for (place, layer) in layers.iter().enumerate().rev() {
        let id = BOTTOM + 1 + i64::try_from(place).unwrap();
        let published = layers[..place].iter().any(|below| matches!(below, Layer::OursPublishingAStage));
        match layer.effect() {
            // What we have published from a stage that is gone is known.
            Effect::Undecides if published && matches!(layer, Layer::CopyOfGone | Layer::SummaryOfGone) => {}
            Effect::Replaces => return Some(at(Some(id), &copied)),
            Effect::AddsRun if copied.is_empty() => copied.push(WITH_RUN),
            Effect::AddsRun | Effect::Nothing => {}
            Effect::Undecides => return None,
        }
    }
    match bottom {
        Bottom::Ours | Bottom::ExpiredWithProperty => Some(at(Some(BOTTOM), &copied)),
        Bottom::AnotherWriters => Some(at(None, &copied)),
        Bottom::ExpiredWithPropertyOfAnother
        | Bottom::ExpiredWithPointerOfAnother
        | Bottom::ExpiredWithoutProperty
        | Bottom::Replaced
        | Bottom::RootAndGap
        | Bottom::RootAndPropertyOfGone
        | Bottom::RootAndPropertyOfNonsense => None,
    }
}

#[test]
fn every_history_of_three_snapshots_is_decided_as_the_table_says() {
    for bottom in BOTTOMS {
        for lower in LAYERS {
            for upper in LAYERS {
                let layers = [lower, upper];
                let found = match locate(&build(bottom, &layers)) {
                    Located::Undecided(_) => None,
                    known => Some(known),
                };
                assert_eq!(found, expected(bottom, &layers), "{bottom:?} below {layers:?}");
            }
        }
    }
}

#[test]
fn a_table_without_snapshots_has_a_new_ledger() {
    assert_eq!(locate(&table()), at(None, &[]));
}

#[test]
fn a_copy_of_a_copy_adds_the_run_of_the_first() {
    let mut table = commit(table(), STAGE, WITH_RUN, &ours(WITH_RUN));
    table = commit(table, "other", 50, &copied_from(WITH_RUN));
    table = commit(table, MAIN_BRANCH, 1, &ours(1));
    table = commit(table, MAIN_BRANCH, 2, &copied_from(50));
    assert_eq!(locate(&table), at(Some(1), &[WITH_RUN]));
}

#[test]
fn several_copies_add_their_runs_each() {
    let mut table = commit(table(), STAGE, 50, &ours(50));
    table = commit(table, STAGE, 51, &ours(51));
    table = commit(table, MAIN_BRANCH, 1, &[]);
    table = commit(table, MAIN_BRANCH, 2, &copied_from(50));
    table = commit(table, MAIN_BRANCH, 3, &copied_from(51));
    assert_eq!(locate(&table), at(None, &[51, 50]));
}

#[test]
fn copies_that_go_in_a_circle_are_undecided() {
    let mut table = commit(table(), STAGE, 50, &copied_from(51));
    table = commit(table, STAGE, 51, &copied_from(50));
    table = commit(table, MAIN_BRANCH, 1, &copied_from(50));
    assert!(matches!(locate(&table), Located::Undecided(_)));
}

#[test]
fn after_a_rollback_the_older_ledger_counts_and_what_is_picked_again_is_added_to_it() {
    let mut table = commit(table(), MAIN_BRANCH, 1, &ours(1));
    table = commit(table, MAIN_BRANCH, 2, &ours(2));
    let first = table.snapshot_by_id(1).unwrap().as_ref().clone();
    let builder = table.into_builder(None);
    let mut table =
        builder.set_ref(MAIN_BRANCH, reference(first.snapshot_id())).unwrap().build().unwrap().metadata;
    assert_eq!(locate(&table), at(Some(1), &[]));
    table = commit(table, MAIN_BRANCH, 3, &copied_from(2));
    assert_eq!(locate(&table), at(Some(1), &[2]));
}

/// Expires snapshots and removes their ids from those that they were the parents of, as PyIceberg does.
fn expire_and_forget(table: TableMetadata, ids: &[i64]) -> TableMetadata {
    let mut json = serde_json::to_value(expire(table, ids)).unwrap();
    for snapshot in json["snapshots"].as_array_mut().unwrap() {
        let parent = snapshot["parent-snapshot-id"].as_i64();
        if parent.is_some_and(|id| ids.contains(&id)) {
            snapshot.as_object_mut().unwrap().remove("parent-snapshot-id");
        }
    }
    serde_json::from_value(json).unwrap()
}

fn property_of(id: i64) -> String {
    property_value(id, &head_of(id))
}

#[test]
fn a_parent_whose_id_was_removed_is_no_beginning_whatever_the_summary_counts() {
    let mut table = commit(table(), MAIN_BRANCH, 1, &ours(1));
    table = commit(table, MAIN_BRANCH, 2, &ours(2));
    table = commit(table, MAIN_BRANCH, 3, &[]);
    let counts = ["total-data-files", "added-data-files"].map(|key| (key, "1".to_owned()));
    table = set(commit(table, MAIN_BRANCH, 4, &counts), &property_of(2));
    let undecided = |table| matches!(locate(&table), Located::Undecided(_));
    assert!(undecided(expire_and_forget(table.clone(), &[1, 2, 3])));
    // A tag keeps the snapshot that the property is about; the history that leads to it is lost all the same.
    let tagged = table.into_builder(None).set_ref("tag", reference(2)).unwrap().build().unwrap().metadata;
    assert!(undecided(expire_and_forget(tagged, &[1, 3])));
}

#[test]
fn a_rollback_to_before_our_first_commit_is_a_new_ledger_unless_something_before_it_expired() {
    let mut table = commit(table(), MAIN_BRANCH, 1, &[]);
    table = commit(table, MAIN_BRANCH, 2, &[]);
    table = set(commit(table, MAIN_BRANCH, 3, &ours(3)), &property_of(3));
    let back = |table: &TableMetadata, id| {
        let builder = table.clone().into_builder(None);
        builder.set_ref(MAIN_BRANCH, reference(id)).unwrap().build().unwrap().metadata
    };
    assert_eq!(locate(&back(&table, 1)), at(None, &[]));
    assert_eq!(locate(&back(&table, 2)), at(None, &[]));
    let cut = expire_and_forget(back(&table, 2), &[1]);
    assert!(matches!(locate(&cut), Located::Undecided(_)));
}

#[test]
fn a_source_that_was_copied_before_adds_nothing_even_if_its_run_is_named_no_more() {
    let mut table = commit(table(), STAGE, WITH_RUN, &ours(WITH_RUN));
    for first in [copied_from(WITH_RUN), ours(WITH_RUN)] {
        table = commit(table, MAIN_BRANCH, 1, &first);
        table = commit(table, MAIN_BRANCH, 2, &ours(2));
        table = commit(table, MAIN_BRANCH, 3, &copied_from(WITH_RUN));
        assert_eq!(locate(&table), at(Some(2), &[]));
        table =
            expire(table.into_builder(None).remove_ref(MAIN_BRANCH).build().unwrap().metadata, &[1, 2, 3]);
    }
}

fn reference(snapshot_id: i64) -> iceberg::spec::SnapshotReference {
    use iceberg::spec::{SnapshotReference, SnapshotRetention};
    let retention = SnapshotRetention::Branch {
        min_snapshots_to_keep: None,
        max_snapshot_age_ms: None,
        max_ref_age_ms: None,
    };
    SnapshotReference::new(snapshot_id, retention)
}
