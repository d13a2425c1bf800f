//! The data files of one attempt: rows go to the file of their partition, each up to a target size.
//!
//! Only one row group is encoded at a time, whatever the number of partitions: encoders are what takes memory. A file
//! that is open besides costs the bytes that wait for its next part.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use iceberg::spec::{DataFile, Struct};
use object_store::ObjectStoreExt;
use tokio::runtime::Handle;

use super::encoding::Encoding;
use super::lanes::Lanes;
use super::open_file::OpenFile;
use super::partition::Key;
use super::row_group::RowGroup;
use super::sort::Span;
use super::target::Target;
use super::upload::{Slots, slots};
use crate::error::Result;
use crate::ledger::Part;
use crate::storage::Stores;

/// Files open at once.
const MAX_OPEN_FILES: usize = 128;
/// Memory that open files may take together, waiting to be a part of an upload: where rows are spread over more of
/// them, files become smaller.
const HELD_BYTES: usize = 48 * 1024 * 1024;
/// Row groups in one file: their metadata is in memory until the file is closed.
const MAX_ROW_GROUPS: u32 = 4096;
/// Column chunks in one file, for the same reason.
const MAX_CHUNKS: usize = 64 * 1024;

/// Writes batches of one schema into data files of one table. Blocking.
pub(super) struct DataFiles {
    stores: Arc<Stores>,
    target: Target,
    encoding: Encoding,
    runtime: Handle,
    slots: Slots,
    lanes: Lanes,
    open: HashMap<Key, OpenFile>,
    /// The row group in the making, and the partition whose file it belongs to.
    group: Option<(Struct, RowGroup)>,
    closed: Vec<DataFile>,
}

impl DataFiles {
    pub(super) fn new(stores: Arc<Stores>, target: Target, runtime: Handle) -> Self {
        let encoding = Encoding::of(&target.table);
        let (open, closed) = (HashMap::new(), Vec::new());
        let (slots, lanes) = (slots(), Lanes::new());
        Self { stores, target, encoding, runtime, slots, lanes, open, group: None, closed }
    }

    /// Appends a batch, all of it in one partition, and returns the row group that it went into.
    pub(super) fn write(&mut self, partition: &Struct, batch: &RecordBatch) -> Result<Part> {
        if self.group.as_ref().is_some_and(|(of, _)| Key::of(of) != Key::of(partition)) {
            self.end_row_group()?;
        }
        let file = self.file(partition)?;
        let part = Part { file: file.url().to_owned(), first_row_group: file.row_groups(), row_groups: 1 };
        let file = self.open.get_mut(&Key::of(partition)).expect("it was opened just above");
        if self.group.is_none() {
            self.group = Some((partition.clone(), file.row_group(&self.target)?));
        }
        let (_, group) = self.group.as_mut().expect("it was begun just above");
        file.encode(group, batch, &self.lanes)?;
        if group.memory() >= self.encoding.row_group_bytes || group.rows() >= self.encoding.row_group_rows {
            self.end_row_group()?;
        }
        Ok(part)
    }

    /// What is written next to this partition is in the table's order and spans `rows`.
    pub(super) fn begin_sorted(&mut self, partition: &Struct, rows: &Span) -> Result<()> {
        self.end_row_group()?;
        self.file(partition)?.note_order(Some(rows));
        Ok(())
    }

    /// Closes the row group in the making: the next rows go into another.
    pub(super) fn end_row_group(&mut self) -> Result<()> {
        let Some((partition, group)) = self.group.take() else { return Ok(()) };
        let file = self
            .open
            .get_mut(&Key::of(&partition))
            .expect("a file with a row group in the making stays open");
        file.append(group, &self.lanes)?;
        let full = file.row_groups() >= MAX_ROW_GROUPS || file.chunks() >= MAX_CHUNKS;
        if full || file.bytes() >= self.encoding.file_bytes {
            self.close(&Key::of(&partition))?;
        }
        while self.held() > HELD_BYTES {
            self.close_largest(OpenFile::held)?;
        }
        Ok(())
    }

    /// Closes all files and returns them. After an error the others still have to be abandoned.
    pub(super) fn finish(&mut self) -> Result<Vec<DataFile>> {
        self.end_row_group()?;
        while !self.open.is_empty() {
            self.close_largest(OpenFile::bytes)?;
        }
        Ok(std::mem::take(&mut self.closed))
    }

    /// Gives up: nothing was committed, so nobody can refer to what was written.
    pub(super) fn abandon(self) {
        let mut there: Vec<String> = self.open.into_values().filter_map(OpenFile::discard).collect();
        there.extend(self.closed.iter().map(|file| file.file_path().to_owned()));
        self.runtime.block_on(async {
            for url in &there {
                delete(&self.stores, url).await;
            }
        });
    }

    /// The file of a partition, opened if need be.
    fn file(&mut self, partition: &Struct) -> Result<&mut OpenFile> {
        let key = Key::of(partition);
        if !self.open.contains_key(&key) {
            while self.open.len() >= MAX_OPEN_FILES {
                self.close_largest(OpenFile::bytes)?;
            }
            let file =
                OpenFile::create(&self.stores, &self.target, &self.encoding, &self.runtime, &self.slots)?;
            self.open.insert(key.clone(), file);
        }
        Ok(self.open.get_mut(&key).expect("it was inserted if it was missing"))
    }

    fn held(&self) -> usize {
        self.open.values().map(OpenFile::held).sum()
    }

    /// The largest file goes first, so that what is closed early is still of a good size. None has a row group in the
    /// making: a file is opened, and room is made, only between row groups.
    fn close_largest(&mut self, size: impl Fn(&OpenFile) -> usize) -> Result<()> {
        let largest = self.open.iter().max_by_key(|(_, file)| size(file)).map(|(of, _)| of.clone());
        largest.map_or(Ok(()), |partition| self.close(&partition))
    }

    fn close(&mut self, key: &Key) -> Result<()> {
        let Some(mut file) = self.open.remove(key) else { return Ok(()) };
        match file.close(&self.target, key.partition()) {
            Ok(closed) => {
                self.closed.push(closed);
                Ok(())
            }
            Err(error) => {
                if let Some(url) = file.discard() {
                    self.runtime.block_on(delete(&self.stores, &url));
                }
                Err(error)
            }
        }
    }
}

/// Deletes data files that no commit was ever sent for. What cannot be deleted stays as an orphan.
pub(crate) async fn delete_uncommitted(stores: &Stores, files: &[DataFile]) {
    for file in files {
        delete(stores, file.file_path()).await;
    }
}

/// Deletes what was written under `url`, or may have been.
pub(super) async fn delete(stores: &Stores, url: &str) {
    let deleted = match stores.locate(url) {
        Ok(at) => match at.store.delete(&at.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e.to_string()),
        },
        Err(e) => Err(e.to_string()),
    };
    if let Err(reason) = deleted {
        tracing::warn!(file = url, reason, "an unused data file is left behind");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use arrow_array::Int64Array;
    use iceberg::TableCreation;
    use iceberg::arrow::schema_to_arrow_schema;
    use iceberg::spec::{
        Literal, NestedField, PrimitiveType, Schema, TableMetadata, TableMetadataBuilder, Type,
    };

    use super::*;
    use crate::ErrorKind;

    /// A table with a column of numbers, and a batch for it.
    pub(in crate::write) fn table_at(location: String) -> (Arc<TableMetadata>, RecordBatch) {
        let column = NestedField::optional(1, "a", Type::Primitive(PrimitiveType::Long)).into();
        let schema = Schema::builder().with_fields([column]).build().unwrap();
        let arrow = Arc::new(schema_to_arrow_schema(&schema).unwrap());
        let creation =
            TableCreation::builder().name("t".to_owned()).location(location).schema(schema).build();
        let table = TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
        (Arc::new(table), RecordBatch::try_new(arrow, vec![Arc::new(Int64Array::from(vec![1]))]).unwrap())
    }

    fn files(folder: &Path) -> (DataFiles, RecordBatch) {
        let (table, batch) = table_at(format!("file://{}", folder.display()));
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        (DataFiles::new(stores, Target::current(table).unwrap(), Handle::current()), batch)
    }

    /// What writes files is for a blocking thread.
    async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::spawn_blocking(work).await.unwrap()
    }

    #[tokio::test]
    async fn closed_files_are_gone_after_an_abandoned_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, batch) = files(folder.path());
        let data = folder.path().join("data");
        blocking(move || {
            let count = || std::fs::read_dir(&data).unwrap().count();
            let all = Struct::empty();
            files.write(&all, &batch).unwrap();
            files.end_row_group().unwrap();
            files.close(&Key::of(&all)).unwrap();
            assert_eq!(count(), 1);
            files.write(&all, &batch).unwrap();
            files.abandon();
            assert_eq!(count(), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_closed_is_an_error_that_leaves_the_writer_to_be_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, batch) = files(folder.path());
        std::fs::write(folder.path().join("data"), "no folder").unwrap();
        blocking(move || {
            files.write(&Struct::empty(), &batch).unwrap();
            assert_eq!(files.finish().unwrap_err().kind(), ErrorKind::Unavailable);
            assert!(files.open.is_empty() && files.closed.is_empty());
            files.abandon();
        })
        .await;
    }

    #[tokio::test]
    async fn the_two_zeros_are_two_partitions() {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, batch) = files(folder.path());
        blocking(move || {
            for zero in [0.0, -0.0, 0.0] {
                files.write(&Struct::from_iter([Some(Literal::double(zero))]), &batch).unwrap();
            }
            assert_eq!(files.finish().unwrap().len(), 2);
        })
        .await;
    }

    #[tokio::test]
    async fn no_more_files_are_open_than_the_bound_says() {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, batch) = files(folder.path());
        blocking(move || {
            let count = 2 * MAX_OPEN_FILES + 1;
            for number in 0..count {
                let partition = Struct::from_iter([Some(Literal::long(number as i64))]);
                files.write(&partition, &batch).unwrap();
                assert!(files.open.len() <= MAX_OPEN_FILES);
            }
            assert_eq!(files.finish().unwrap().len(), count);
        })
        .await;
    }
}
