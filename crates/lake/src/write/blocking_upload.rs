//! An upload whose bytes come from a blocking thread.

use std::io;

use tokio::runtime::Handle;

use super::upload::Upload;

/// An [`Upload`] that is waited for.
pub(super) struct BlockingUpload {
    upload: Upload,
    runtime: Handle,
}

impl BlockingUpload {
    /// Its methods block on `runtime`: they are for a blocking thread.
    pub(super) fn new(upload: Upload, runtime: Handle) -> Self {
        Self { upload, runtime }
    }

    /// See [`Upload::held`].
    pub(super) fn held(&self) -> usize {
        self.upload.held()
    }

    /// See [`Upload::complete`].
    ///
    /// # Errors
    /// As there.
    pub(super) fn complete(&mut self) -> object_store::Result<()> {
        self.runtime.block_on(self.upload.complete())
    }

    /// See [`Upload::abort`].
    pub(super) fn abort(&mut self) -> bool {
        self.runtime.block_on(self.upload.abort())
    }
}

impl io::Write for BlockingUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.upload.fill(bytes).map_err(io::Error::other)?;
        if self.upload.is_full() {
            self.runtime.block_on(self.upload.send_part()).map_err(io::Error::other)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
