//! Blobs: the bytes of objects and parts, one immutable file each, named by a UUID.
//!
//! A blob is durable (file and directory synced) before a row names it. A blob that no row names is
//! garbage: of an upload that failed, or of a process that was killed in between. It is swept at start.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use md5::{Digest, Md5};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// Suffix of a blob that is still being written.
const PARTIAL: &str = "partial";

/// The folder of the blobs: `ab/<uuid>`, by the first two digits, so that no directory grows large.
#[derive(Debug, Clone)]
pub(crate) struct BlobDir {
    root: PathBuf,
}

/// A finished blob: its bytes are on disk, under its name.
#[derive(Debug)]
pub struct Blob {
    pub(super) id: String,
    /// Length in bytes.
    pub size: u64,
    /// MD5 of the bytes, which is the `ETag` of an object that was put in one piece.
    pub md5: [u8; 16],
}

impl BlobDir {
    /// Makes all 256 directories at once, so that a new blob never needs a new one.
    pub(super) async fn open(root: PathBuf) -> io::Result<Self> {
        tokio::task::spawn_blocking(move || {
            for prefix in Self::prefixes() {
                std::fs::create_dir_all(root.join(prefix))?;
            }
            std::fs::File::open(&root)?.sync_all()?;
            Ok(Self { root })
        })
        .await
        .map_err(io::Error::other)?
    }

    /// Whether there are any finished blobs. Looks until the first.
    pub(super) async fn holds_any(root: PathBuf) -> io::Result<bool> {
        let look = move || {
            for prefix in Self::prefixes() {
                let found = match std::fs::read_dir(root.join(prefix)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    found => found?,
                };
                for file in found {
                    if file?.path().extension().is_none() {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        };
        tokio::task::spawn_blocking(look).await.map_err(io::Error::other)?
    }

    fn prefixes() -> impl Iterator<Item = String> {
        (0..=u8::MAX).map(|byte| format!("{byte:02x}"))
    }

    /// The file of a blob.
    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.root.join(&id[..2]).join(id)
    }

    /// Begins a new blob.
    pub(super) async fn create(&self) -> io::Result<BlobWriter> {
        let id = Uuid::new_v4().simple().to_string();
        let path = self.path(&id);
        let partial = Partial(path.with_extension(PARTIAL));
        let file = File::create_new(&partial.0).await?;
        Ok(BlobWriter { id, path, partial, file, md5: Md5::new(), size: 0 })
    }

    /// One new blob of the bytes of others, in their order. Its MD5 is not computed.
    pub(super) async fn concatenate(&self, ids: &[String]) -> io::Result<(String, u64)> {
        let id = Uuid::new_v4().simple().to_string();
        let path = self.path(&id);
        let partial = Partial(path.with_extension(PARTIAL));
        let sources: Vec<PathBuf> = ids.iter().map(|id| self.path(id)).collect();
        tokio::task::spawn_blocking(move || {
            let mut target = std::fs::File::create_new(&partial.0)?;
            let mut size = 0;
            for source in sources {
                // Between files this is copied inside the kernel, or shared where the file system can.
                size += io::copy(&mut std::fs::File::open(source)?, &mut target)?;
            }
            target.sync_all()?;
            publish(&partial.0, &path)?;
            Ok((id, size))
        })
        .await
        .map_err(io::Error::other)?
    }

    /// Opens a blob. An open file stays readable when the blob is removed meanwhile.
    pub(super) async fn read(&self, id: &str) -> io::Result<File> {
        File::open(self.path(id)).await
    }

    /// Removes blobs that no row names any more. What fails is left to the next sweep.
    pub(super) async fn remove(&self, ids: &[String]) {
        for id in ids {
            if let Err(error) = fs::remove_file(self.path(id)).await
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(blob = id, %error, "blob not removed, the next start sweeps it");
            }
        }
    }

    /// Names of the files in each directory, one directory at a time.
    pub(super) fn directories(&self) -> impl Iterator<Item = PathBuf> {
        let root = self.root.clone();
        Self::prefixes().map(move |prefix| root.join(prefix))
    }
}

/// Gives a finished file its name, durably.
fn publish(partial: &Path, path: &Path) -> io::Result<()> {
    std::fs::rename(partial, path)?;
    let directory = path.parent().expect("a blob lies in a directory");
    std::fs::File::open(directory)?.sync_all()
}

/// Removes the unfinished file unless it got its name.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After publishing there is nothing under this name, and that is fine.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes one blob, in memory that does not depend on its size.
#[derive(Debug)]
pub struct BlobWriter {
    id: String,
    path: PathBuf,
    partial: Partial,
    file: File,
    md5: Md5,
    size: u64,
}

impl BlobWriter {
    /// Appends a chunk.
    ///
    /// # Errors
    /// The file system's.
    pub async fn write(&mut self, chunk: &Bytes) -> io::Result<()> {
        self.md5.update(chunk);
        self.size += chunk.len() as u64;
        self.file.write_all(chunk).await
    }

    /// Bytes written so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// MD5 of the bytes written so far.
    #[must_use]
    pub fn md5(&self) -> [u8; 16] {
        self.md5.clone().finalize().into()
    }

    /// Makes the blob durable and gives it its name.
    ///
    /// # Errors
    /// The file system's.
    pub async fn finish(mut self) -> io::Result<Blob> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let (partial, path) = (self.partial, self.path);
        tokio::task::spawn_blocking(move || publish(&partial.0, &path)).await.map_err(io::Error::other)??;
        Ok(Blob { id: self.id, size: self.size, md5: self.md5.finalize().into() })
    }
}
