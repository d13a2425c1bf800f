//! Files: data files, what snapshots hold, and the ledger. Immutable once written, as in the real store.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::TableMetadata;
use uuid::Uuid;

/// An object version.
pub type Object = u8;
/// A data file.
pub type DataFile = u32;

/// Everything that was written and not deleted.
#[derive(Debug, Default)]
pub struct Store {
    next_file: DataFile,
    next_name: u128,
    /// Data files with the objects whose rows they hold.
    pub data: BTreeMap<DataFile, Vec<Object>>,
    /// Data files of a snapshot, by its manifest list.
    pub lists: BTreeMap<String, Vec<DataFile>>,
    /// Runs with their objects.
    pub runs: BTreeMap<String, Vec<Object>>,
    /// Heads with their runs.
    pub heads: BTreeMap<String, Vec<String>>,
    /// Data files that a snapshot added, ours or a copy of one of ours.
    pub added: BTreeMap<i64, Vec<DataFile>>,
    /// What failed attempts may have left, by snapshot id.
    pub attempts: BTreeMap<i64, Attempt>,
}

/// An attempt to commit, as its files tell.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub data: Vec<DataFile>,
    pub run: String,
    pub head: String,
    pub written_ms: u64,
    /// What `main` was on which it was prepared.
    pub base: Option<i64>,
}

impl Store {
    /// A new data file with the rows of these objects.
    pub fn write_data(&mut self, objects: Vec<Object>) -> DataFile {
        self.next_file += 1;
        self.data.insert(self.next_file, objects);
        self.next_file
    }

    /// A name that no file has.
    pub fn name(&mut self, snapshot_id: i64) -> String {
        self.next_name += 1;
        format!("{snapshot_id}-{}", Uuid::from_u128(self.next_name))
    }

    /// The objects that these runs name; an error if one is gone.
    pub fn objects(&self, runs: &[String]) -> Result<Vec<Object>, String> {
        let mut objects = Vec::new();
        for run in runs {
            objects.extend(self.runs.get(run).ok_or_else(|| format!("run {run} is gone"))?);
        }
        Ok(objects)
    }

    /// The objects whose rows are in a snapshot with this manifest list; an error if a file is gone.
    pub fn rows(&self, list: &str) -> Result<Vec<Object>, String> {
        let mut objects = Vec::new();
        for file in self.lists.get(list).ok_or_else(|| format!("manifest list {list} is gone"))? {
            objects.extend(self.data.get(file).ok_or_else(|| format!("data file {file} is gone"))?);
        }
        Ok(objects)
    }

    /// The data files of `main`.
    pub fn held(&self, table: &TableMetadata) -> Vec<DataFile> {
        let list = table.current_snapshot().map(|snapshot| snapshot.manifest_list());
        list.map_or_else(Vec::new, |list| self.lists[list].clone())
    }

    /// The data files that are in any of these snapshots.
    pub fn referenced<'a>(&self, lists: impl Iterator<Item = &'a str>) -> BTreeSet<DataFile> {
        lists.filter_map(|list| self.lists.get(list)).flatten().copied().collect()
    }
}
