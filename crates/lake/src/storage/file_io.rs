//! The adapter that gives our clients to the `iceberg` crate.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig,
    StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use object_store::buffered::BufWriter;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::{Location, Stores};

/// Property of a file access: its name.
const NAME: &str = "event-ingest.stores";

/// The `iceberg` crate's file access over `stores`.
pub fn file_io(stores: Arc<Stores>) -> FileIO {
    FileIOBuilder::new(factory(stores)).build()
}

/// The same under a name that [`name_of`] reads back. The stores themselves cannot be got out of a [`FileIO`].
pub(crate) fn named_file_io(stores: Arc<Stores>, name: &str) -> FileIO {
    FileIOBuilder::new(factory(stores)).with_prop(NAME, name).build()
}

/// The name that a file access was given.
pub(crate) fn name_of(io: &FileIO) -> Option<&str> {
    io.config().get(NAME).map(String::as_str)
}

fn factory(stores: Arc<Stores>) -> Arc<dyn StorageFactory> {
    Arc::new(Adapter { stores: Some(stores) })
}

/// The crate can send a storage to another process by serialising it. Ours holds live clients and stays in
/// this process: a copy that was sent elsewhere has none and says so.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Adapter {
    #[serde(skip)]
    stores: Option<Arc<Stores>>,
}

impl Adapter {
    fn locate(&self, url: &str) -> Result<Location> {
        let stores = self.stores.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::FeatureUnsupported, "this storage does not work in another process")
        })?;
        stores
            .locate(url)
            .map_err(|e| Error::new(ErrorKind::DataInvalid, "cannot locate a file").with_source(e))
    }
}

#[typetag::serde(name = "event-ingest")]
impl StorageFactory for Adapter {
    fn build(&self, _: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
#[typetag::serde(name = "event-ingest")]
impl Storage for Adapter {
    async fn exists(&self, path: &str) -> Result<bool> {
        let at = self.locate(path)?;
        match at.store.head(&at.path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(failed("look up", path, e)),
        }
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let at = self.locate(path)?;
        let meta = at.store.head(&at.path).await.map_err(|e| failed("look up", path, e))?;
        Ok(FileMetadata { size: meta.size })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        let at = self.locate(path)?;
        let object = at.store.get(&at.path).await.map_err(|e| failed("read", path, e))?;
        object.bytes().await.map_err(|e| failed("read", path, e))
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        Ok(Box::new(Reader { at: self.locate(path)?, url: path.to_owned() }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let at = self.locate(path)?;
        at.store.put(&at.path, bytes.into()).await.map_err(|e| failed("write", path, e))?;
        Ok(())
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let at = self.locate(path)?;
        Ok(Box::new(Writer { inner: BufWriter::new(at.store, at.path), url: path.to_owned() }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let at = self.locate(path)?;
        match at.store.delete(&at.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(failed("delete", path, e)),
        }
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        let at = self.locate(path)?;
        let found = at.store.list(Some(&at.path)).map_ok(|meta| meta.location).boxed();
        at.store
            .delete_stream(found)
            .try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|e| failed("delete", path, e))
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

struct Reader {
    at: Location,
    url: String,
}

#[async_trait]
impl FileRead for Reader {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.at.store.get_range(&self.at.path, range).await.map_err(|e| failed("read", &self.url, e))
    }
}

struct Writer {
    inner: BufWriter,
    url: String,
}

#[async_trait]
impl FileWrite for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.inner.put(bytes).await.map_err(|e| failed("write", &self.url, e))
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.shutdown().await.map_err(|e| {
            Error::new(ErrorKind::Unexpected, format!("cannot write `{}`", self.url)).with_source(e)
        })
    }
}

fn failed(what: &str, url: &str, error: object_store::Error) -> Error {
    let kind = match error {
        object_store::Error::NotFound { .. } => ErrorKind::DataInvalid,
        _ => ErrorKind::Unexpected,
    };
    Error::new(kind, format!("cannot {what} `{url}`")).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[tokio::test]
    async fn the_crate_reads_what_it_wrote_through_our_client() {
        let folder = tempfile::tempdir().unwrap();
        let io = file_io(Arc::new(Stores::new(BTreeMap::new()).unwrap()));
        let url = format!("file://{}/deep/a b%2F.bin", folder.path().display());
        assert!(!io.exists(&url).await.unwrap());

        io.new_output(&url).unwrap().write(Bytes::from_static(b"hello")).await.unwrap();
        let input = io.new_input(&url).unwrap();
        assert_eq!(input.metadata().await.unwrap().size, 5);
        assert_eq!(input.reader().await.unwrap().read(1..3).await.unwrap(), "el");
        assert!(folder.path().join("deep/a b%2F.bin").exists(), "the name on disk is the name in the URL");

        io.delete(&url).await.unwrap();
        io.delete(&url).await.unwrap();
        assert!(!io.exists(&url).await.unwrap());
    }
}
