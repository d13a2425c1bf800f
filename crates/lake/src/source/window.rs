//! Random access over ranged reads, in bounded memory.
//!
//! A Parquet reader walks each column chunk of a row group from its own offset, page by page, and takes turns
//! between the columns. Fetching whole chunks would make memory grow with the row group; fetching pages would
//! make a request a page. So each place that is being read has a window of its own, and the oldest window goes
//! when there are more of them than the budget allows.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use super::held::Held;
use super::inflate;
use super::object::SourceObject;
use super::pages::MAX_HEADER;
use super::pages::PageHeader;
use super::thrift::Malformed;

/// A window is at least this long: below it requests cost more than bytes. Where that is more than the budget there are
/// fewer windows than places.
const MIN_WINDOW: u64 = 16 * 1024;
/// A window is at most this long: above it a request's own cost no longer shows.
const MAX_WINDOW: u64 = 4 * 1024 * 1024;
/// Bytes that `get_read` hands out at a time: room for a page header, which says how long its page is.
const HEADER_READ: usize = 4 * 1024;

/// A `ChunkReader` over one object version. It blocks on the given runtime: use it on a blocking thread.
#[derive(Clone)]
pub(super) struct WindowReader {
    object: SourceObject,
    runtime: Handle,
    windows: Arc<Mutex<Windows>>,
    failure: Arc<Mutex<Option<object_store::Error>>>,
    held: Arc<Mutex<Held>>,
}

struct Windows {
    /// Least recently used first.
    held: VecDeque<(u64, Bytes)>,
    length: u64,
    limit: usize,
    /// A page that was looked at, until the decoder asks for it.
    page: Option<(u64, Bytes)>,
}

impl WindowReader {
    /// A reader that takes turns between about `places` places and holds some `budget` bytes; `held` knows the pages
    /// that the decoder holds besides.
    pub(super) fn new(object: SourceObject, runtime: Handle, places: usize, budget: u64, held: Held) -> Self {
        let places = places.max(1);
        let length = (budget / places as u64).clamp(MIN_WINDOW, MAX_WINDOW);
        // One more than there are places, for a dictionary page that is fetched apart from its chunk's data.
        let limit = (places + 1).min(usize::try_from(budget / length).unwrap_or(usize::MAX).max(2));
        Self {
            object,
            runtime,
            windows: Arc::new(Mutex::new(Windows { held: VecDeque::new(), length, limit, page: None })),
            failure: Arc::default(),
            held: Arc::new(Mutex::new(held)),
        }
    }

    /// What the store answered, if it failed. The decoder hands errors on as text, which cannot tell a
    /// damaged file from a store that is down.
    pub(super) fn failure(&self) -> Option<object_store::Error> {
        self.failure.lock().expect("no code panics while it holds this lock").take()
    }

    fn fetch(&self, start: u64, length: u64) -> Result<Bytes> {
        let end = start.saturating_add(length).min(self.object.size);
        let read =
            self.runtime.block_on(self.object.read(start..end)).and_then(|bytes| whole(bytes, end - start));
        read.map_err(|e| {
            let text = e.to_string();
            *self.failure.lock().expect("no code panics while it holds this lock") = Some(e);
            ParquetError::General(text)
        })
    }

    /// Refuses a page that says it is too large, or is larger than it says, before the decoder makes room for it. The
    /// answer is what begins with its header.
    fn check_page(&self, start: u64) -> Result<Bytes> {
        let mut length = HEADER_READ;
        loop {
            let bytes = self.at(start, length)?;
            match PageHeader::read(&bytes) {
                Ok(header) => {
                    let held = self
                        .held
                        .lock()
                        .expect("no code panics while it holds this lock")
                        .page(start, &header);
                    self.check_size(start, &header, held.map_err(ParquetError::General)?)?;
                    return Ok(bytes);
                }
                Err(Malformed::Cut) if bytes.len() == length && length < MAX_HEADER => {
                    length = (length * 8).min(MAX_HEADER);
                }
                Err(e) => {
                    let reason = e.reason();
                    return Err(ParquetError::General(format!("the page header at {start}: {reason}")));
                }
            }
        }
    }

    fn check_size(&self, start: u64, header: &PageHeader, codec: Compression) -> Result<()> {
        let Some((before, says)) = inflate::unbounded(codec, header) else { return Ok(()) };
        let at = start.saturating_add(header.length as u64);
        let page = self.get_bytes(at, header.compressed as usize)?;
        inflate::check(codec, &page[before as usize..], says)
            .map_err(|reason| ParquetError::General(format!("the page at {start}: {reason}")))?;
        self.windows.lock().expect("no code panics while it holds this lock").page = Some((at, page));
        Ok(())
    }

    /// Up to `length` bytes at `start`: fewer only at the end of the object.
    fn at(&self, start: u64, length: usize) -> Result<Bytes> {
        if start >= self.object.size {
            return Err(ParquetError::EOF(format!(
                "offset {start} is past the end ({} bytes)",
                self.object.size
            )));
        }
        let wanted_end = start.saturating_add(length as u64).min(self.object.size);
        let window = {
            let mut windows = self.windows.lock().expect("no code panics while it holds this lock");
            match windows.page.take() {
                Some((at, page)) if at == start && page.len() == length => return Ok(page),
                other => windows.page = other,
            }
            // What is read next is mostly where the last read was.
            if let Some(index) = windows
                .held
                .iter()
                .rposition(|(at, bytes)| *at <= start && wanted_end <= at + bytes.len() as u64)
            {
                let (at, bytes) = windows.held.remove(index).expect("the index was just found");
                windows.held.push_back((at, bytes.clone()));
                let from = usize::try_from(start - at).expect("a window fits in memory");
                let to = usize::try_from(wanted_end - at).expect("a window fits in memory");
                return Ok(bytes.slice(from..to));
            }
            windows.length
        };
        let bytes = self.fetch(start, window.max(length as u64))?;
        if length as u64 >= window {
            // Asked for once, as a whole: keeping it would only take room.
            return Ok(bytes);
        }
        let mut windows = self.windows.lock().expect("no code panics while it holds this lock");
        // The window that this one continues is done with: a column is read forwards.
        windows.held.retain(|(at, held)| !(*at <= start && start <= at + held.len() as u64));
        while windows.held.len() >= windows.limit {
            windows.held.pop_front();
        }
        windows.held.push_back((start, bytes.clone()));
        Ok(bytes.slice(0..bytes.len().min(length)))
    }
}

/// An answer of the store that has as many bytes as were asked for.
fn whole(bytes: Bytes, wanted: u64) -> std::result::Result<Bytes, object_store::Error> {
    if bytes.len() as u64 == wanted {
        return Ok(bytes);
    }
    let source = format!("{} bytes came where {wanted} were asked for", bytes.len()).into();
    Err(object_store::Error::Generic { store: "source", source })
}

impl Length for WindowReader {
    fn len(&self) -> u64 {
        self.object.size
    }
}

impl ChunkReader for WindowReader {
    type T = Cursor;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(Cursor { reader: self.clone(), position: start, header: None })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.at(start, length)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!(
                "wanted {length} bytes at {start}, the object ends after {}",
                bytes.len()
            )));
        }
        Ok(bytes)
    }
}

/// Sequential reading of a page header, and nothing else: what a page holds is read by `get_bytes`.
pub(super) struct Cursor {
    reader: WindowReader,
    position: u64,
    /// What was fetched to look at the header, as far as it is not read. The decoder also asks for cursors that it does
    /// not use, so that a header is looked at only when it is read.
    header: Option<Bytes>,
}

impl Read for Cursor {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.position >= self.reader.object.size || out.is_empty() {
            return Ok(0);
        }
        let mut fetched = match self.header.take() {
            Some(fetched) => fetched,
            None => self.reader.check_page(self.position).map_err(std::io::Error::other)?,
        };
        let bytes = if fetched.is_empty() {
            self.reader.at(self.position, out.len().min(HEADER_READ)).map_err(std::io::Error::other)?
        } else {
            fetched.split_to(out.len().min(fetched.len()))
        };
        self.header = Some(fetched);
        out[..bytes.len()].copy_from_slice(&bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::source::{Resolved, resolve};
    use crate::storage::Stores;

    const SIZE: u64 = 8 * 1024 * 1024;
    const PLACES: usize = 4;
    const BUDGET: u64 = 1024 * 1024;

    async fn object(store: Arc<InMemory>) -> SourceObject {
        let bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
        store.put(&Path::from("a"), bytes.into()).await.unwrap();
        let stores = Stores::new(BTreeMap::new()).unwrap();
        stores.lend("b", store);
        let wanted = RequestedObject { uri: ObjectUri::new("b", "a").unwrap(), hint: ObjectHint::default() };
        match resolve(&stores, "s3", &wanted).await.unwrap() {
            Resolved::Object(object) => object,
            Resolved::Fault(fault) => panic!("{fault:?}"),
        }
    }

    /// Reads columns in turns, page by page, as a Parquet reader does.
    #[tokio::test]
    async fn memory_stays_within_the_budget_while_columns_take_turns() {
        let object = object(Arc::new(InMemory::new())).await;
        let reader = WindowReader::new(object, Handle::current(), PLACES, BUDGET, Held::default());
        tokio::task::spawn_blocking(move || {
            let column = SIZE / PLACES as u64;
            let page = 10_000;
            for step in 0..column / page {
                for place in 0..PLACES as u64 {
                    let at = place * column + step * page;
                    let bytes = reader.get_bytes(at, 10_000).unwrap();
                    assert!(bytes.iter().zip(at..).all(|(byte, at)| u64::from(*byte) == at % 251));
                }
                let windows = reader.windows.lock().unwrap();
                let held: usize = windows.held.iter().map(|(_, bytes)| bytes.len()).sum();
                assert!(held as u64 <= BUDGET + windows.length, "{held} bytes are held");
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn many_places_share_the_budget() {
        let object = object(Arc::new(InMemory::new())).await;
        let reader = WindowReader::new(object, Handle::current(), 5_000, BUDGET, Held::default());
        tokio::task::spawn_blocking(move || {
            for place in 0..200 {
                reader.get_bytes(place * 40_000, 100).unwrap();
            }
            let held: usize = reader.windows.lock().unwrap().held.iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(held as u64 <= BUDGET, "{held} bytes are held");
        })
        .await
        .unwrap();
        assert!(whole(Bytes::from_static(b"ab"), 3).is_err());
    }

    #[tokio::test]
    async fn an_object_that_is_overwritten_while_it_is_read_is_noticed() {
        let store = Arc::new(InMemory::new());
        let reader =
            WindowReader::new(object(store.clone()).await, Handle::current(), 1, BUDGET, Held::default());
        store.put(&Path::from("a"), vec![0; SIZE as usize].into()).await.unwrap();
        tokio::task::spawn_blocking(move || {
            assert!(reader.get_bytes(0, 10).is_err());
            assert!(matches!(reader.failure(), Some(object_store::Error::Precondition { .. })));
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn reading_past_the_end_is_an_error_and_no_panic() {
        let reader = WindowReader::new(
            object(Arc::new(InMemory::new())).await,
            Handle::current(),
            1,
            BUDGET,
            Held::default(),
        );
        tokio::task::spawn_blocking(move || {
            assert!(reader.get_bytes(SIZE - 5, 10).is_err());
            assert!(reader.get_bytes(SIZE + 5, 1).is_err());
            assert!(reader.get_bytes(u64::MAX, usize::MAX).is_err());
            assert!(reader.get_read(SIZE - 5).unwrap().read(&mut [0; 8]).is_err(), "no page header");
        })
        .await
        .unwrap();
    }
}
