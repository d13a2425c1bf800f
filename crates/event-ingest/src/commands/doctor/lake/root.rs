//! Whether a root can be written as ledgers and heavy requests need it: what is put there is read again, and is not
//! replaced by who must find it there. A small object under `doctor/` is made and removed.

use chrono::{DateTime, Utc};
use lake::Lake;
use lake::storage::Location;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use uuid::Uuid;

use super::super::finding::{Check, Finding};
use super::clock;
use super::in_time;

/// What the object holds.
const CONTENT: &[u8] = b"event-ingest doctor: this object can be removed\n";

/// What became of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    /// Whether a second writer was kept from replacing it.
    conditional: bool,
    /// Whether it was read as it was written.
    read_back: bool,
    /// When it was written, by the store's clock.
    modified: DateTime<Utc>,
    /// Whether it could be removed.
    removed: Result<(), String>,
}

pub(super) async fn check(lake: &Lake, name: &'static str, root: &str, write: bool) -> Vec<Finding> {
    let check = Check::of(name, root);
    if !write {
        return vec![
            check.skipped("left alone: without --no-write a small object is written there and removed"),
        ];
    }
    let before = Utc::now();
    let written = in_time(try_out(lake, root)).await;
    let after = Utc::now();
    let clock = written.as_ref().ok().map(|written| {
        clock::judge(&Check::of("clock", format!("store of {name}")), before, written.modified, after)
    });
    [Some(judge(&check, written)), clock].into_iter().flatten().collect()
}

async fn try_out(lake: &Lake, root: &str) -> lake::Result<Written> {
    let Location { store, path } = lake.stores().locate(&format!("{root}/doctor/{}", Uuid::new_v4()))?;
    let failed = |what: &'static str| {
        move |error: object_store::Error| {
            lake::Error::new(lake::ErrorKind::Unavailable, what).caused_by(error)
        }
    };
    let create = || PutOptions::from(PutMode::Create);
    store.put_opts(&path, CONTENT.into(), create()).await.map_err(failed("PutObject"))?;
    let second = store.put_opts(&path, CONTENT.into(), create()).await;
    let tried = async {
        let found = store.get(&path).await?;
        let modified = found.meta.last_modified;
        Ok::<_, object_store::Error>((modified, found.bytes().await? == CONTENT))
    };
    let tried = tried.await.map_err(failed("GetObject"));
    let removed = store.delete(&path).await.map_err(|error| error.to_string());
    let (modified, read_back) = tried?;
    Ok(Written {
        conditional: matches!(
            second,
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. })
        ),
        read_back,
        modified,
        removed,
    })
}

fn judge(check: &Check, written: Result<Written, String>) -> Finding {
    match written {
        Err(reason) => check.fail(
            reason,
            "grant s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket below it, or correct the root",
        ),
        Ok(Written { conditional: false, .. }) => check.fail(
            "the store replaces an object that is only to be made (If-None-Match is not heeded)",
            "use a store that heeds it (AWS, Ceph from Squid on, MinIO): two launchers could own one request",
        ),
        Ok(Written { read_back: false, .. }) => {
            check.fail("what was written is not what is read", "look for a cache between here and the store")
        }
        Ok(Written { removed: Err(reason), .. }) => {
            check.warn(format!("an object cannot be removed: {reason}"), "grant s3:DeleteObject below it; remove doctor/ by hand")
        }
        Ok(_) => check.ok("may be written, heeds If-None-Match, may be removed from"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;

    #[test]
    fn a_store_that_replaces_what_is_there_is_no_store_for_this() {
        let good =
            Written { conditional: true, read_back: true, modified: DateTime::UNIX_EPOCH, removed: Ok(()) };
        let of = |written| judge(&Check::of("ledger-root", "s3://w/l"), written);
        assert_eq!(of(Ok(good.clone())).state, State::Ok);
        let replaces = of(Ok(Written { conditional: false, ..good.clone() }));
        assert!(replaces.state == State::Fail && replaces.detail.contains("If-None-Match"));
        assert_eq!(of(Ok(Written { read_back: false, ..good.clone() })).state, State::Fail);
        assert_eq!(of(Ok(Written { removed: Err("403".into()), ..good })).state, State::Warn);
        assert_eq!(of(Err("PutObject: 403".into())).state, State::Fail);
    }
}
