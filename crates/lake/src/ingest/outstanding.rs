//! Where each object of a request stands, from look-ups alone: what is still to be done.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::{IngestRequest, ObjectIdentity, RequestedObject};

use super::{LOOKUPS_IN_FLIGHT, Lake, SLICE_OBJECTS};
use crate::error::Result;
use crate::ledger::Found;
use crate::quarantine::{Quarantine, Record};
use crate::source::{ObjectFault, Resolved};

/// The version of an object that a read would get now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The name under which the ledger would know it. Two objects of a request may be the same version.
    pub identity: ObjectIdentity,
    /// Size in bytes.
    pub size: u64,
}

/// Where an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Outside the allowed buckets and prefixes: it was not looked at.
    Forbidden,
    /// The ledger has this version.
    InTable {
        /// The snapshot that made its rows visible.
        snapshot_id: i64,
    },
    /// The ledger does not have it, and it was set aside once. Whether that still counts, the record's time and
    /// request tell: it may have been mended and asked for again.
    Quarantined {
        /// What was written down.
        record: Box<Record>,
        /// The version that it was set aside in, if it is there.
        current: Option<Current>,
    },
    /// There is no such object, or its key cannot be addressed, and neither ledger nor quarantine knows of it.
    Missing {
        /// What is wrong.
        reason: String,
    },
    /// There, and unknown.
    New(Current),
}

/// What the store said of an object.
struct Seen<'a> {
    place: usize,
    object: &'a RequestedObject,
    /// Of what is there, or, of what is not, what the request said.
    identity: Option<ObjectIdentity>,
    found: Result<u64, String>,
}

impl Lake {
    /// Where each object of a request stands, by its place in the request and in that order. Nothing is read of the
    /// objects but what HEAD says, and nothing is written.
    ///
    /// # Errors
    /// The table is not allowed; a store, the catalog or the ledger does not answer.
    pub async fn outstanding(&self, request: &IngestRequest) -> Result<Vec<(usize, Standing)>> {
        self.config.allow.check_table(&request.table)?;
        let table = self.tables.look(&request.table).await?;
        let quarantine = self.quarantine(&match &table {
            Some((table, _, _)) => table.metadata().uuid().to_string(),
            None => request.table.to_string(),
        });
        let objects = request.objects.iter().enumerate();
        let (allowed, forbidden): (Vec<_>, Vec<_>) =
            objects.partition(|(_, object)| self.config.allow.allows_source(&object.uri));
        let mut standings: Vec<_> =
            forbidden.into_iter().map(|(place, _)| (place, Standing::Forbidden)).collect();
        for objects in allowed.chunks(SLICE_OBJECTS) {
            let seen = self.see(objects).await?;
            let found = match &table {
                Some((_, ledger, head)) => {
                    let identities: Vec<_> = seen.iter().filter_map(|seen| seen.identity.clone()).collect();
                    ledger.look_up(head, &identities).await?
                }
                None => HashMap::new(),
            };
            let judged: Vec<_> = seen.into_iter().map(|seen| judge(seen, &found, &quarantine)).collect();
            let judged: Vec<_> = stream::iter(judged).buffered(LOOKUPS_IN_FLIGHT).try_collect().await?;
            standings.extend(judged);
        }
        standings.sort_unstable_by_key(|(place, _)| *place);
        Ok(standings)
    }

    async fn see<'a>(&self, objects: &[(usize, &'a RequestedObject)]) -> Result<Vec<Seen<'a>>> {
        let resolved = self.resolve_all(objects).await?;
        let seen = objects.iter().zip(resolved).map(|((place, object), resolved)| {
            let (identity, found) = match resolved {
                Resolved::Object(source) => (Some(source.identity), Ok(source.size)),
                Resolved::Fault(ObjectFault::Missing) => {
                    let said = &object.hint;
                    let (version, etag) = (said.version_id.as_deref(), said.etag.as_deref());
                    let identity = ObjectIdentity::of(&self.config.store_name, &object.uri, version, etag);
                    (identity, Err("the bucket has no such object".to_owned()))
                }
                Resolved::Fault(ObjectFault::Unaddressable(reason)) => (None, Err(reason)),
            };
            Seen { place: *place, object, identity, found }
        });
        Ok(seen.collect())
    }
}

async fn judge(
    seen: Seen<'_>,
    ledger: &HashMap<ObjectIdentity, Found>,
    quarantine: &Quarantine,
) -> Result<(usize, Standing)> {
    let Seen { place, object, identity, found } = seen;
    if let Some(Found { snapshot_id }) = identity.as_ref().and_then(|identity| ledger.get(identity)) {
        return Ok((place, Standing::InTable { snapshot_id: *snapshot_id }));
    }
    let record = quarantine.of(object, identity.as_ref()).await?;
    let missing = found.as_ref().err().cloned();
    let current = found.ok().zip(identity).map(|(size, identity)| Current { identity, size });
    let standing = match (record, current) {
        (Some(record), current) => Standing::Quarantined { record: Box::new(record), current },
        (None, Some(current)) => Standing::New(current),
        (None, None) => Standing::Missing { reason: missing.unwrap_or_default() },
    };
    Ok((place, standing))
}
