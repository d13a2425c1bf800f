//! Local files that outlast a power cut once they are answered for.
//!
//! `object_store` 0.13 syncs neither files nor folders, so that a commit in a database, which does, could point to
//! metadata that is gone.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// The local file system; what was written is on the disk when the answer comes.
#[derive(Debug, Default)]
pub(super) struct DurableFiles {
    inner: LocalFileSystem,
}

impl fmt::Display for DurableFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Brings a file and the folders above it, which may be new, to the disk.
async fn settle(file: PathBuf) -> Result<()> {
    let failed = |source| Error::Generic { store: "LocalFileSystem", source };
    let settled = tokio::task::spawn_blocking(move || {
        File::open(&file)?.sync_all()?;
        for folder in file.ancestors().skip(1) {
            match File::open(folder) {
                Ok(folder) => folder.sync_all()?,
                // What we may not even open is none that we made.
                Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    });
    settled.await.map_err(|e| failed(e.into()))?.map_err(|e| failed(e.into()))
}

#[async_trait]
impl ObjectStore for DurableFiles {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.inner.put_opts(at, bytes, options).await?;
        settle(self.inner.path_to_filesystem(at)?).await?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(at, options).await?;
        Ok(Box::new(DurableUpload { inner, file: self.inner.path_to_filesystem(at)? }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        settle(self.inner.path_to_filesystem(to)?).await
    }
}

#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    file: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, bytes: PutPayload) -> UploadPart {
        self.inner.put_part(bytes)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.inner.complete().await?;
        settle(self.file.clone()).await?;
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
