//! Object storage in memory that is slow and fails, sometimes after it did what it was asked for.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::world::{Shared, pause};

#[derive(Debug)]
pub struct Unreliable {
    pub inner: Arc<InMemory>,
    pub world: Shared,
}

impl fmt::Display for Unreliable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreliable")
    }
}

impl Unreliable {
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
        self.inner.get_opts(at, options).await
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
        let listed = self.inner.list(prefix);
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
