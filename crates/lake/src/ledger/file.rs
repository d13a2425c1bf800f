//! Reading one run file by ranges, never as a whole unless it is small.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, coalesce_ranges};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::storage::{Location, Stores};

/// Read from the end of a run first. A run that is no longer than this is read by that one request, and kept.
const TAIL_BYTES: u64 = 64 * 1024;
/// Ranges that are no farther apart than this are read by one request.
const GAP_BYTES: u64 = 2 * 1024;
/// Range requests that are under way at once for one table.
const REQUESTS_IN_FLIGHT: usize = 32;

/// One run file.
#[derive(Clone)]
pub(super) struct RunFile {
    url: Arc<str>,
    at: Location,
    requests: Arc<Semaphore>,
    whole: Option<Bytes>,
}

/// Bounds the requests of all look-ups of a table together.
pub(super) fn request_limit() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT))
}

impl RunFile {
    /// The file at `url`. Nothing is read yet.
    pub(super) fn new(stores: &Stores, requests: Arc<Semaphore>, url: Arc<str>) -> Result<Self> {
        Ok(Self { at: stores.locate(&url)?, url, requests, whole: None })
    }

    /// The same file with all of its bytes, if they were read before.
    pub(super) fn with_whole(mut self, whole: Option<Bytes>) -> Self {
        self.whole = whole;
        self
    }

    /// The footer, without any page index, and the file's bytes if they came with it.
    pub(super) async fn footer(&self) -> Result<(ParquetMetaData, Option<Bytes>)> {
        let (mut tail, size) = self.tail().await?;
        let mut reader = ParquetMetaDataReader::new();
        let mut parsed = reader.try_parse_sized(&tail, size);
        if let Err(ParquetError::NeedMoreData(needed)) = parsed {
            let held = size - tail.len() as u64;
            let rest = size.saturating_sub(needed as u64)..held;
            let mut longer = BytesMut::from(&*self.range(rest).await?);
            longer.extend_from_slice(&tail);
            tail = longer.freeze();
            parsed = reader.try_parse_sized(&tail, size);
        }
        let footer = parsed.and_then(|()| reader.finish()).map_err(|e| self.error(e))?;
        Ok((footer, (tail.len() as u64 == size).then_some(tail)))
    }

    /// These ranges, in the order in which they are asked for.
    pub(super) async fn ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let all: Vec<Bytes> = match &self.whole {
            Some(whole) => {
                let end = whole.len() as u64;
                let cut = |at: u64| at.min(end) as usize;
                ranges.iter().map(|range| whole.slice(cut(range.start)..cut(range.end))).collect()
            }
            None => coalesce_ranges(ranges, |range| self.range(range), GAP_BYTES).await?,
        };
        if all.iter().zip(ranges).any(|(bytes, range)| bytes.len() as u64 != range.end - range.start) {
            return Err(self.error(ParquetError::EOF("a part of it is missing".to_owned())));
        }
        Ok(all)
    }

    /// What a failure to read this file as Parquet means: the store's own error if it was one, else damage.
    pub(super) fn error(&self, error: ParquetError) -> Error {
        let damaged = |e: Box<dyn std::error::Error + Send + Sync>| {
            let url = &self.url;
            Error::inconsistent(format!("ledger run `{url}` is damaged: restore it")).caused_by(e)
        };
        match error {
            ParquetError::External(source) => match source.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => damaged(other),
            },
            other => damaged(other.into()),
        }
    }

    async fn tail(&self) -> Result<(Bytes, u64)> {
        let _permit = self.permit().await?;
        let options = GetOptions { range: Some(GetRange::Suffix(TAIL_BYTES)), ..GetOptions::default() };
        let failed = |e| unreadable(&self.url, e);
        let object = self.at.store.get_opts(&self.at.path, options).await.map_err(failed)?;
        let size = object.meta.size;
        Ok((object.bytes().await.map_err(failed)?, size))
    }

    async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        let _permit = self.permit().await?;
        self.at.store.get_range(&self.at.path, range).await.map_err(|e| unreadable(&self.url, e))
    }

    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        self.requests.acquire().await.map_err(|e| Error::unavailable("shutting down").caused_by(e))
    }
}

/// What it means that a ledger file could not be read.
pub(super) fn unreadable(url: &str, error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::inconsistent(format!(
            "ledger file `{url}` is gone: restore it; without it rows could double, so none is written"
        )),
        other => Error::unavailable(format!("cannot read ledger file `{url}`")).caused_by(other),
    }
}

impl AsyncFileReader for RunFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let mut bytes = self.get_byte_ranges(vec![range]).await?;
            Ok(bytes.pop().unwrap_or_default())
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { self.ranges(&ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let (footer, whole) = self.footer().await.map_err(external)?;
            self.whole = whole;
            Ok(Arc::new(footer))
        }
        .boxed()
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
