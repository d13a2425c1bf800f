//! Written files on their way to whoever wants them.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::data_file::delete_uncommitted;
use super::outcome::Written;
use crate::storage::Stores;

/// Data files that are deleted unless somebody claims them.
#[derive(Debug)]
pub(crate) struct Unclaimed {
    stores: Arc<Stores>,
    runtime: Handle,
    written: Written,
}

impl Unclaimed {
    /// Is made on a thread of the runtime that would delete them.
    pub(crate) fn new(stores: &Arc<Stores>, written: Written) -> Self {
        Self { stores: stores.clone(), runtime: Handle::current(), written }
    }

    /// They are the caller's.
    pub(crate) fn claim(mut self) -> Written {
        std::mem::take(&mut self.written)
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let files = std::mem::take(&mut self.written.files);
        if !files.is_empty() {
            let stores = self.stores.clone();
            self.runtime.spawn(async move { delete_uncommitted(&stores, &files).await });
        }
    }
}
