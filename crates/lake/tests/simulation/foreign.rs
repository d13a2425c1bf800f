//! What other programs and people do to the table meanwhile.

use std::collections::HashMap;

use iceberg::spec::{
    MAIN_BRANCH, Operation, SnapshotReference, SnapshotRetention, TableMetadata, Transform,
    UnboundPartitionSpec,
};
use lake::ledger::{Located, SUMMARY_LEDGER, SUMMARY_RUN, locate};
use lake::stage::SUMMARY_STAGE;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::catalog::{ancestry, schema, snapshot};
use super::world::World;

const SOURCE: &str = "source-snapshot-id";

/// One change by somebody else, if there is a table.
pub fn act(world: &mut World) {
    let Some(table) = world.catalog.table.clone() else { return };
    let change = match world.rng.random_range(0..20) {
        0..4 => append(world, &table),
        4..6 => compaction(world, &table),
        6..8 => evolve(world, &table),
        8..10 => property(world, &table),
        10..13 => stage(world, &table),
        13..15 => set_main(world, &table),
        15..17 => cherry_pick(world, &table),
        17..19 => expire(world, &table),
        _ if world.rng.random_bool(0.5) => replace(world, &table),
        _ => {
            world.catalog.table = None;
            Some(("dropped and made again", None))
        }
    };
    if let Some((what, changed)) = change {
        world.coverage.met(format!("foreign: {what}"));
        if let Some(changed) = changed {
            world.catalog.table = Some(changed);
        }
    }
}

type Change = Option<(&'static str, Option<TableMetadata>)>;

/// A snapshot on `main` that holds these files.
fn on_main(
    world: &mut World,
    table: &TableMetadata,
    operation: Operation,
    files: Vec<u32>,
    summary: Vec<(String, String)>,
) -> TableMetadata {
    let id = world.new_snapshot_id();
    let list = format!("foreign-{id}");
    world.store.lists.insert(list.clone(), files);
    let snapshot = snapshot(table, id, table.current_snapshot_id(), operation, list, summary);
    let builder = table.clone().into_builder(None);
    builder.set_branch_snapshot(snapshot, MAIN_BRANCH).unwrap().build().unwrap().metadata
}

fn append(world: &mut World, table: &TableMetadata) -> Change {
    let files = world.store.held(table);
    Some(("append", Some(on_main(world, table, Operation::Append, files, Vec::new()))))
}

/// Every row in one new file.
fn compaction(world: &mut World, table: &TableMetadata) -> Change {
    let files = world.store.held(table);
    let objects = files.iter().flat_map(|file| world.store.data[file].clone()).collect();
    let file = world.store.write_data(objects);
    Some(("compaction", Some(on_main(world, table, Operation::Replace, vec![file], Vec::new()))))
}

fn evolve(world: &mut World, table: &TableMetadata) -> Change {
    if world.rng.random_bool(0.3) {
        let spec = UnboundPartitionSpec::builder().with_spec_id(0);
        let spec = spec.add_partition_field(1, "p".to_owned(), Transform::Identity).ok()?.build();
        let builder = table.clone().into_builder(None).add_default_partition_spec(spec).ok()?;
        return Some(("partition spec changed", Some(builder.build().ok()?.metadata)));
    }
    let columns = table.current_schema().as_struct().fields().len() as i32;
    let builder = table.clone().into_builder(None).add_current_schema(schema(columns)).ok()?;
    Some(("schema changed", Some(builder.build().ok()?.metadata)))
}

fn property(_: &mut World, table: &TableMetadata) -> Change {
    let set = HashMap::from([("owner".to_owned(), "somebody".to_owned())]);
    let builder = table.clone().into_builder(None).set_properties(set).unwrap();
    Some(("property set", Some(builder.build().unwrap().metadata)))
}

/// Raises the sequence number and leaves `main` where it is. `main` may be set to it later.
fn stage(world: &mut World, table: &TableMetadata) -> Change {
    let id = world.new_snapshot_id();
    let list = format!("foreign-{id}");
    let files = world.store.held(table);
    world.store.lists.insert(list.clone(), files);
    let snapshot = snapshot(table, id, table.current_snapshot_id(), Operation::Append, list, []);
    let builder = table.clone().into_builder(None).set_branch_snapshot(snapshot, &branch(id)).ok()?;
    Some(("stage on a branch", Some(builder.build().ok()?.metadata)))
}

/// Rollback, fast-forward, or something else altogether.
fn set_main(world: &mut World, table: &TableMetadata) -> Change {
    let mut targets = ids(table);
    // Nobody can keep a person from taking a stage's rows in behind the ledger's back.
    targets.retain(|id| {
        let summary = &table.snapshot_by_id(*id).expect("it was listed").summary().additional_properties;
        !summary.contains_key(SUMMARY_STAGE)
    });
    let target = *targets.choose(&mut world.rng)?;
    let reference = SnapshotReference::new(target, SnapshotRetention::branch(None, None, None));
    let builder = table.clone().into_builder(None).set_ref(MAIN_BRANCH, reference).ok()?;
    let changed = builder.build().ok()?.metadata;
    (!matches!(locate(&changed), Located::Undecided(_)))
        .then_some(("main set to another snapshot", Some(changed)))
}

/// Puts what a snapshot outside of `main` has added on top of `main`, unless its rows are there by another way:
/// nobody can keep a person from doubling rows by hand.
fn cherry_pick(world: &mut World, table: &TableMetadata) -> Change {
    let ancestors = ancestry(table);
    let mut ours = ids(table);
    ours.retain(|id| {
        let summary = &table.snapshot_by_id(*id).expect("it was listed").summary().additional_properties;
        summary.contains_key(SUMMARY_RUN) && !ancestors.contains(id)
    });
    let source = table.snapshot_by_id(*ours.choose(&mut world.rng)?)?.clone();
    let run = source.summary().additional_properties[SUMMARY_RUN].clone();
    let objects = world.store.runs.get(&run)?.clone();
    let list = table.current_snapshot().map(|snapshot| snapshot.manifest_list().to_owned());
    let present = list.map_or_else(Vec::new, |list| world.store.rows(&list).unwrap());
    if objects.iter().any(|object| present.contains(object)) {
        return None;
    }
    let mut files = world.store.held(table);
    let added = world.store.added[&source.snapshot_id()].clone();
    files.extend(&added);
    let mut summary = vec![(SOURCE.to_owned(), source.snapshot_id().to_string())];
    // Some engines copy the summary, with the source's pointer in it.
    if world.rng.random_bool(0.5) {
        let pointer = source.summary().additional_properties.get(SUMMARY_LEDGER)?;
        summary.push((SUMMARY_LEDGER.to_owned(), pointer.clone()));
        summary.push((SUMMARY_RUN.to_owned(), run));
    }
    let changed = on_main(world, table, Operation::Append, files, summary);
    world.store.added.insert(changed.current_snapshot_id()?, added);
    (!matches!(locate(&changed), Located::Undecided(_))).then_some(("cherry-pick", Some(changed)))
}

/// Forgets some snapshots, as long as the ledger can still be told.
fn expire(world: &mut World, table: &TableMetadata) -> Change {
    let mut candidates = ids(table);
    candidates.retain(|id| {
        table.current_snapshot_id() != Some(*id) && table.snapshot_for_ref(&branch(*id)).is_none()
    });
    let count = world.rng.random_range(0..=candidates.len());
    let gone: Vec<i64> = candidates.choose_multiple(&mut world.rng, count).copied().collect();
    if gone.is_empty() {
        return None;
    }
    let changed = table.clone().into_builder(None).remove_snapshots(&gone).build().ok()?.metadata;
    let (what, changed) = match world.rng.random_bool(0.2) {
        true => ("expiry that removes parents' ids", without_ids(&changed, &gone)),
        false => ("expiry", changed),
    };
    (!matches!(locate(&changed), Located::Undecided(_))).then_some((what, Some(changed)))
}

/// What PyIceberg leaves of snapshots whose parents it expired.
fn without_ids(table: &TableMetadata, gone: &[i64]) -> TableMetadata {
    let mut json = serde_json::to_value(table).unwrap();
    for snapshot in json["snapshots"].as_array_mut().into_iter().flatten() {
        if snapshot["parent-snapshot-id"].as_i64().is_some_and(|id| gone.contains(&id)) {
            snapshot.as_object_mut().unwrap().remove("parent-snapshot-id");
        }
    }
    serde_json::from_value(json).unwrap()
}

/// In an order that does not depend on a hash.
fn ids(table: &TableMetadata) -> Vec<i64> {
    let mut ids: Vec<i64> = table.snapshots().map(|snapshot| snapshot.snapshot_id()).collect();
    ids.sort_unstable();
    ids
}

fn branch(id: i64) -> String {
    format!("b{id}")
}

/// `CREATE OR REPLACE TABLE`: the same table, and a `main` that begins anew, as long as that can be told.
fn replace(world: &mut World, table: &TableMetadata) -> Change {
    let id = world.new_snapshot_id();
    let list = format!("foreign-{id}");
    world.store.lists.insert(list.clone(), Vec::new());
    let snapshot = snapshot(table, id, None, Operation::Overwrite, list, []);
    let builder = table.clone().into_builder(None).remove_ref(MAIN_BRANCH);
    let builder = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).ok()?;
    let changed = builder.build().ok()?.metadata;
    (!matches!(locate(&changed), Located::Undecided(_))).then_some(("replaced", Some(changed)))
}
