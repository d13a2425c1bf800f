//! Look-ups in one run: footer, Bloom filters, page index, and then the few pages that can hold what is wanted.
//! Each step is one round trip for all identities together, and none where the caches have it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::ObjectIdentity;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use tokio::sync::Semaphore;

use super::cache::{Caches, RunPath};
use super::columns::{self, DIGEST, SNAPSHOT_ID};
use super::entry::{Entry, Found, ObjectName};
use super::file::RunFile;
use super::hash::{DIGEST_BYTES, digest, key_hash};
use super::index::{Pages, RunIndex, only};
use crate::error::Result;
use crate::storage::Stores;

/// Row groups of one run that are read at the same time.
const GROUPS_IN_FLIGHT: usize = 8;

/// An identity that is looked for.
pub(super) struct Wanted<'a> {
    identity: &'a ObjectIdentity,
    key_hash: i64,
    digest: [u8; DIGEST_BYTES],
}

impl<'a> Wanted<'a> {
    pub(super) fn new(identity: &'a ObjectIdentity) -> Self {
        Self { identity, key_hash: key_hash(&ObjectName::of(identity)), digest: digest(identity) }
    }
}

/// One run as look-ups see it.
pub(super) struct Search {
    path: RunPath,
    file: RunFile,
    index: Arc<RunIndex>,
    caches: Caches,
}

impl Search {
    /// Opens the run at `path`, whose URL is `url`.
    pub(super) async fn open(
        stores: &Stores,
        requests: Arc<Semaphore>,
        caches: &Caches,
        path: &str,
        url: String,
    ) -> Result<Self> {
        let (path, file) = (RunPath::from(path), RunFile::new(stores, requests, url.into())?);
        let index = match caches.indexes.get(&path).await {
            Some(index) => index,
            None => {
                let (footer, whole) = file.footer().await?;
                let index = Arc::new(RunIndex::of(&footer, whole).map_err(|e| file.error(e))?);
                caches.indexes.insert(path.clone(), index.clone()).await;
                index
            }
        };
        Ok(Self { path, file: file.with_whole(index.whole()), index, caches: caches.clone() })
    }

    /// Entries in the run.
    pub(super) fn entries(&self) -> u64 {
        self.index.entries()
    }

    /// Those of `wanted` that the run has.
    pub(super) async fn find<'a>(&self, wanted: &[Wanted<'a>]) -> Result<Vec<(&'a ObjectIdentity, Found)>> {
        let mut candidates: BTreeMap<usize, Vec<&Wanted<'a>>> = BTreeMap::new();
        for one in wanted {
            for group in self.index.groups_of(one.key_hash) {
                candidates.entry(group).or_default().push(one);
            }
        }
        let groups: Vec<usize> = candidates.keys().copied().collect();
        for (group, filter) in groups.iter().zip(self.filters(&groups).await?) {
            if let Some(wanted) = candidates.get_mut(group) {
                wanted.retain(|one| filter.check(&one.digest[..]));
            }
        }
        candidates.retain(|_, wanted| !wanted.is_empty());
        let reads: Vec<_> =
            candidates.into_iter().map(|(group, wanted)| self.find_in_group(group, wanted)).collect();
        let found: Vec<Vec<_>> = stream::iter(reads).buffer_unordered(GROUPS_IN_FLIGHT).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Every entry of these objects that the run has.
    pub(super) async fn versions(&self, objects: &[ObjectName]) -> Result<Vec<Entry>> {
        let hashes: Vec<(i64, &ObjectName)> = objects.iter().map(|name| (key_hash(name), name)).collect();
        let mut groups: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        for (hash, _) in &hashes {
            for group in self.index.groups_of(*hash) {
                groups.entry(group).or_default().push(*hash);
            }
        }
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let (footer, _) = self.file.footer().await?;
        let mut found = Vec::new();
        for (group, hashes) in groups {
            let pages = self.pages(group).await?;
            let metadata = self.offset_index(only(&footer, group)).await?;
            let mut batches = self.rows(metadata, ProjectionMask::all(), selection(&pages, &hashes))?;
            while let Some(batch) = batches.try_next().await.map_err(|e| self.file.error(e))? {
                let entries = columns::decode(&batch).map_err(|e| self.file.error(e))?;
                found.extend(entries.into_iter().filter(|e| objects.contains(&ObjectName::of(&e.identity))));
            }
        }
        Ok(found)
    }

    async fn find_in_group<'a>(
        &self,
        group: usize,
        wanted: Vec<&Wanted<'a>>,
    ) -> Result<Vec<(&'a ObjectIdentity, Found)>> {
        let pages = self.pages(group).await?;
        let hashes: Vec<i64> = wanted.iter().map(|one| one.key_hash).collect();
        let by_digest: HashMap<&[u8], &Wanted<'a>> =
            wanted.iter().map(|one| (&one.digest[..], *one)).collect();
        let metadata = self.index.group_with(group, &pages);
        let schema = metadata.file_metadata().schema_descr();
        let projection = ProjectionMask::columns(schema, [DIGEST, SNAPSHOT_ID]);
        let mut batches = self.rows(metadata, projection, selection(&pages, &hashes))?;
        let damaged = |e| self.file.error(e);
        let mut found = Vec::new();
        while let Some(batch) = batches.try_next().await.map_err(damaged)? {
            let digests = columns::digests(&batch).map_err(damaged)?;
            let snapshots = columns::numbers(&batch, SNAPSHOT_ID).map_err(damaged)?;
            for row in 0..batch.num_rows() {
                if let Some(one) = by_digest.get(digests.value(row)) {
                    found.push((one.identity, Found { snapshot_id: snapshots.value(row) }));
                }
            }
        }
        Ok(found)
    }

    /// Reads the selected rows of the one row group of `metadata`, page by page.
    fn rows(
        &self,
        metadata: ParquetMetaData,
        projection: ProjectionMask,
        rows: RowSelection,
    ) -> Result<ParquetRecordBatchStream<RunFile>> {
        let damaged = |e| self.file.error(e);
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new());
        ParquetRecordBatchStreamBuilder::new_with_metadata(self.file.clone(), metadata.map_err(damaged)?)
            .with_projection(projection)
            .with_row_selection(rows)
            .build()
            .map_err(damaged)
    }

    /// The Bloom filters of these row groups, in their order.
    async fn filters(&self, groups: &[usize]) -> Result<Vec<Arc<Sbbf>>> {
        let mut filters = Vec::with_capacity(groups.len());
        let mut absent = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            let cached = self.caches.filters.get(&(self.path.clone(), *group)).await;
            if cached.is_none() {
                absent.push((place, self.index.filter_range(*group).map_err(|e| self.file.error(e))?));
            }
            filters.push(cached);
        }
        let ranges: Vec<Range<u64>> = absent.iter().map(|(_, range)| range.clone()).collect();
        for ((place, _), bytes) in absent.into_iter().zip(self.file.ranges(&ranges).await?) {
            let filter = Arc::new(Sbbf::from_bytes(&bytes).map_err(|e| self.file.error(e))?);
            self.caches.filters.insert((self.path.clone(), groups[place]), filter.clone()).await;
            filters[place] = Some(filter);
        }
        Ok(filters.into_iter().flatten().collect())
    }

    /// The pages of a row group.
    async fn pages(&self, group: usize) -> Result<Arc<Pages>> {
        let key = (self.path.clone(), group);
        if let Some(pages) = self.caches.pages.get(&key).await {
            return Ok(pages);
        }
        let column_index =
            self.load(self.index.group(group), PageIndexPolicy::Optional, PageIndexPolicy::Skip);
        let offset_index = self.offset_index(self.index.group(group));
        let (column_index, offset_index) = futures::try_join!(column_index, offset_index)?;
        let pages = Arc::new(Pages::of(&column_index, &offset_index).map_err(|e| self.file.error(e))?);
        self.caches.pages.insert(key, pages.clone()).await;
        Ok(pages)
    }

    async fn offset_index(&self, metadata: ParquetMetaData) -> Result<ParquetMetaData> {
        self.load(metadata, PageIndexPolicy::Skip, PageIndexPolicy::Optional).await
    }

    /// Adds one of the two page indexes. Both at once would be read as one range, which spans other row groups'.
    async fn load(
        &self,
        metadata: ParquetMetaData,
        column_index: PageIndexPolicy,
        offset_index: PageIndexPolicy,
    ) -> Result<ParquetMetaData> {
        let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
            .with_column_index_policy(column_index)
            .with_offset_index_policy(offset_index);
        let loaded: Result<_, ParquetError> = async {
            reader.load_page_index(&mut self.file.clone()).await?;
            reader.finish()
        }
        .await;
        loaded.map_err(|e| self.file.error(e))
    }
}

/// The rows of all pages that can hold one of these key hashes.
fn selection(pages: &Pages, hashes: &[i64]) -> RowSelection {
    let mut ranges: Vec<Range<usize>> = hashes.iter().map(|hash| pages.rows_of(*hash)).collect();
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    RowSelection::from_consecutive_ranges(merged.into_iter(), pages.rows())
}
