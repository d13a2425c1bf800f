//! The report of rows that were left out of a file which is in the table otherwise.

use chrono::{DateTime, Utc};
use ingest_core::ObjectIdentity;
use object_store::ObjectStoreExt;
use serde::Serialize;

use super::Quarantine;
use super::record::identity_name;
use crate::error::{Error, Result};
use crate::source::Rejected;

/// Rows of one object version that are not in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The object's URI.
    pub file: String,
    /// Which version of it.
    pub identity: ObjectIdentity,
    /// The table that it was meant for.
    pub table: String,
    /// The request that brought it.
    pub request_id: String,
    /// When it was read.
    pub time: DateTime<Utc>,
    /// How many, and the first of them.
    #[serde(flatten)]
    pub rejected: Rejected,
}

impl Quarantine {
    /// Writes a report beside the records, in the folder `left-out`, over an older one of the same object version.
    /// The report of a file whose commit failed afterwards stays until the file is read again.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn put_left_out(&self, report: &LeftOut) -> Result<()> {
        let folder = self.folder.strip_suffix("quarantine").unwrap_or(&self.folder);
        let url = format!("{folder}left-out/{}.json", identity_name(&report.identity));
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::unavailable(format!("cannot write report `{url}`")).caused_by(e)
        };
        let bytes = serde_json::to_vec(report).map_err(|e| failed(e.into()))?;
        let at = self.stores.locate(&url)?;
        at.store.put(&at.path, bytes.into()).await.map(|_| ()).map_err(|e| failed(e.into()))
    }
}
