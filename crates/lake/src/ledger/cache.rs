//! What look-ups keep of run files. Runs never change, so nothing here can be out of date; what is dropped is read
//! again.

use std::fmt;
use std::sync::Arc;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use parquet::bloom_filter::Sbbf;

use super::index::{Pages, RunIndex};

/// Memory for the footers of runs, and for small runs as they are.
const INDEX_CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// Memory for Bloom filters, at 1.3 bytes an entry: enough for 12 million entries.
const FILTER_CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Memory for the places of pages, at 1 byte an entry; only row groups that were hit have them here.
const PAGES_CACHE_BYTES: u64 = 12 * 1024 * 1024;
/// Memory that an item takes besides its own.
const ITEM_BYTES: usize = 200;

/// The path of a run below its table's folder, which is unique for all time.
pub(super) type RunPath = Arc<str>;

/// Caches that all ledgers of a process share.
#[derive(Clone)]
pub(super) struct Caches {
    pub(super) indexes: Cache<RunPath, Arc<RunIndex>>,
    pub(super) filters: Cache<(RunPath, usize), Arc<Sbbf>>,
    pub(super) pages: Cache<(RunPath, usize), Arc<Pages>>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            indexes: bounded(INDEX_CACHE_BYTES, |index: &Arc<RunIndex>| index.bytes()),
            filters: bounded(FILTER_CACHE_BYTES, |filter: &Arc<Sbbf>| filter.num_blocks() * 32),
            pages: bounded(PAGES_CACHE_BYTES, |pages: &Arc<Pages>| pages.bytes()),
        }
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caches").finish_non_exhaustive()
    }
}

fn bounded<K, V>(bytes: u64, size: fn(&V) -> usize) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .eviction_policy(EvictionPolicy::lru())
        .weigher(move |_, value| u32::try_from(size(value) + ITEM_BYTES).unwrap_or(u32::MAX))
        .max_capacity(bytes)
        .build()
}
