//! The time by a store's own clock. Ages of files are told by it alone: an operator's clock that is ahead would make
//! files old that were written just now.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::ObjectStoreExt;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::storage::Stores;

/// The time that the store of `folder` gives to what is written now. Writes an empty file there and deletes it.
///
/// # Errors
/// The store does not answer, or refuses the file.
pub(super) async fn now(stores: &Stores, folder: &str) -> Result<DateTime<Utc>> {
    let url = format!("{folder}/clock-{}", Uuid::new_v4());
    let at = stores.locate(&url)?;
    let failed = |e| Error::unavailable(format!("cannot tell the store's time by `{url}`")).caused_by(e);
    at.store.put(&at.path, Bytes::new().into()).await.map_err(failed)?;
    let written = at.store.head(&at.path).await;
    if let Err(error) = at.store.delete(&at.path).await {
        tracing::warn!(url, %error, "an empty file is left behind");
    }
    Ok(written.map_err(failed)?.last_modified)
}
