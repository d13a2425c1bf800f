//! Object storage in memory that is slow and fails, sometimes after it did what it was asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::world::{Shared, now, pause};

#[derive(Debug)]
pub struct Unreliable {
    inner: Arc<InMemory>,
    world: Shared,
    written: Arc<Mutex<BTreeMap<Path, DateTime<Utc>>>>,
}

impl fmt::Display for Unreliable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreliable")
    }
}

impl Unreliable {
    pub fn new(inner: Arc<InMemory>, world: Shared) -> Self {
        Self { inner, world, written: Arc::default() }
    }

    /// Time passes, and something may fail.
    async fn weather(&self) -> Result<()> {
        pause().await;
        match self.world.fault() {
            true => Err(Error::Generic { store: "unreliable", source: "as the test says".into() }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectStore for Unreliable {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.weather().await?;
        let put = self.inner.put_opts(at, bytes, options).await;
        if put.is_ok() {
            self.written.lock().expect("not poisoned").insert(at.clone(), now());
        }
        self.weather().await?;
        put
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.weather().await?;
        let mut got = self.inner.get_opts(at, options).await?;
        date(&self.written, &mut got.meta);
        Ok(got)
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let world = self.world.clone();
        let deleted = self.inner.delete_stream(at);
        futures::stream::once(pause())
            .filter_map(|()| async { None })
            .chain(deleted)
            .map(move |deleted| match world.fault() {
                true => Err(Error::Generic { store: "unreliable", source: "as the test says".into() }),
                false => deleted,
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        // As it is when the answer is made; it is old when it arrives.
        let written = self.written.clone();
        let listed = self.inner.list(prefix).map(move |found| {
            found.map(|mut meta| {
                date(&written, &mut meta);
                meta
            })
        });
        let failed = self.world.fault();
        let weather = futures::stream::once(pause()).filter_map(move |()| async move {
            failed.then(|| Err(Error::Generic { store: "unreliable", source: "as the test says".into() }))
        });
        listed.chain(weather).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// In this world's time, as all else is.
fn date(written: &Mutex<BTreeMap<Path, DateTime<Utc>>>, meta: &mut ObjectMeta) {
    let written = written.lock().expect("not poisoned");
    meta.last_modified = *written.get(&meta.location).expect("all that is there was written");
}
