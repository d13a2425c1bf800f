//! Small files in object storage: each read and write with its bound.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lake::storage::{Location, Stores};
use lake::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions};

/// A file's largest size in bytes. The longest request has 10,000 keys of 1,024 bytes, each of which JSON may write as
/// six.
pub const MAX_FILE_BYTES: u64 = 80 * 1024 * 1024;

/// The files below a folder.
#[derive(Debug, Clone)]
pub struct Files {
    stores: Arc<Stores>,
    root: String,
}

impl Files {
    /// The files below `root`, a URL.
    ///
    /// # Errors
    /// A location that no store can reach.
    pub fn new(stores: Arc<Stores>, root: &str) -> Result<Self> {
        let root = root.trim_end_matches('/').to_owned();
        stores.locate(&format!("{root}/records"))?;
        Ok(Self { stores, root })
    }

    /// The URL of a file.
    pub fn url(&self, file: &str) -> String {
        format!("{}/{file}", self.root)
    }

    /// Writes a file unless it is there; says whether it was written. After a lost answer it may say that it was not.
    pub async fn create(&self, file: &str, bytes: Vec<u8>) -> Result<bool> {
        match self.put(file, bytes, PutMode::Create).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(error) => Err(self.failed("write", file, error)),
        }
    }

    /// Writes a file, over an older one.
    pub async fn write(&self, file: &str, bytes: Vec<u8>) -> Result<()> {
        self.put(file, bytes, PutMode::Overwrite).await.map_err(|error| self.failed("write", file, error))
    }

    async fn put(&self, file: &str, bytes: Vec<u8>, mode: PutMode) -> object_store::Result<()> {
        let at = self
            .at(file)
            .map_err(|error| object_store::Error::Generic { store: "records", source: error.into() })?;
        at.store.put_opts(&at.path, bytes.into(), PutOptions::from(mode)).await.map(|_| ())
    }

    /// What a file says; `None` if it is not there.
    pub async fn read(&self, file: &str) -> Result<Option<Bytes>> {
        let at = self.at(file)?;
        let answer = match at.store.get(&at.path).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("read", file, error)),
        };
        if answer.meta.size > MAX_FILE_BYTES {
            return Err(self.damaged(file, &format!("it has {} bytes", answer.meta.size)));
        }
        answer.bytes().await.map(Some).map_err(|error| self.failed("read", file, error))
    }

    /// Takes a file away. One that is gone already is as good.
    pub async fn remove(&self, file: &str) -> Result<()> {
        let at = self.at(file)?;
        match at.store.delete(&at.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", file, error)),
        }
    }

    /// The files below a folder, as they are found: each with its path below that folder.
    pub fn list(&self, folder: &str) -> Result<BoxStream<'static, Result<(String, ObjectMeta)>>> {
        let at = self.at(folder)?;
        let url = self.url(folder);
        let unlisted =
            move |error| Error::new(ErrorKind::Unavailable, format!("cannot list `{url}`")).caused_by(error);
        let listed = at.store.list(Some(&at.path)).map_err(unlisted);
        let folder = at.path;
        Ok(listed
            .try_filter_map(move |meta| {
                futures::future::ready(Ok(below(&folder, &meta).map(|name| (name, meta))))
            })
            .boxed())
    }

    fn at(&self, file: &str) -> Result<Location> {
        self.stores.locate(&self.url(file))
    }

    fn failed(&self, what: &str, file: &str, error: object_store::Error) -> Error {
        Error::new(ErrorKind::Unavailable, format!("cannot {what} `{}`", self.url(file))).caused_by(error)
    }

    /// The error about a file that none of ours wrote.
    pub fn damaged(&self, file: &str, why: &str) -> Error {
        let url = self.url(file);
        Error::new(
            ErrorKind::Inconsistent,
            format!("`{url}` is no file of a record: {why}; look at it and remove it"),
        )
    }
}

fn below(folder: &Path, meta: &ObjectMeta) -> Option<String> {
    let parts = meta.location.prefix_match(folder)?;
    Some(parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
}
