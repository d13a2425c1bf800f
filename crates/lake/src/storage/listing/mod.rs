//! Listing a bucket, page by page, in the order of its keys.
//!
//! object_store lists too, but its paths cannot hold every key: one key with an empty segment fails a whole
//! listing, and a folder marker `a/` is shown as the object `a`. Here keys are verbatim. A page begins after a
//! key, not at a server's token: so a walk can be stopped and taken up again days later.

mod s3;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{Stream, TryStreamExt, stream};

pub(super) use s3::S3Listing;

use crate::error::{Error, Result};

/// Keys of a page: what S3 gives at most.
pub const PAGE_KEYS: usize = 1000;

/// One object of a listing. A listing names no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key, verbatim.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// ETag, as written.
    pub etag: Option<String>,
    /// When the current version was put, by the store's clock, if that is known.
    pub modified: Option<DateTime<Utc>>,
}

/// Some objects, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// At most [`PAGE_KEYS`].
    pub objects: Vec<Listed>,
    /// Whether there are more after these.
    pub more: bool,
}

/// A bucket that can be listed.
#[async_trait]
pub trait Listing: fmt::Debug + Send + Sync {
    /// The first objects whose keys begin with `prefix` and come after `after` in the order of UTF-8 bytes.
    ///
    /// # Errors
    /// The store did not answer, or refused.
    async fn page(&self, prefix: &str, after: &str) -> Result<Page>;
}

/// Every object below a prefix after a key. Holds one page at a time.
pub fn walk(
    listing: Arc<dyn Listing>,
    prefix: String,
    after: String,
) -> impl Stream<Item = Result<Listed>> + Send {
    let pages = stream::try_unfold(Some(after), move |after| {
        let (listing, prefix) = (listing.clone(), prefix.clone());
        async move {
            let Some(after) = after else { return Ok::<_, Error>(None) };
            let page = listing.page(&prefix, &after).await?;
            let last = page.objects.last().filter(|_| page.more).map(|object| object.key.clone());
            if page.more && last.as_ref().is_none_or(|last| *last <= after) {
                return Err(Error::unavailable(format!(
                    "the listing does not go on after key `{after}`: the store does not list in the order of keys"
                )));
            }
            Ok(Some((stream::iter(page.objects.into_iter().map(Ok)), last)))
        }
    });
    pages.try_flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// Ten keys a page, as if there were so many.
    #[derive(Debug)]
    struct Numbers(u64);

    #[async_trait]
    impl Listing for Numbers {
        async fn page(&self, _: &str, after: &str) -> Result<Page> {
            let first = if after.is_empty() { 0 } else { after.parse::<u64>().unwrap() + 1 };
            let last = (first + 10).min(self.0);
            let object = |n| Listed { key: format!("{n:08}"), size: 1, etag: None, modified: None };
            Ok(Page { objects: (first..last).map(object).collect(), more: last < self.0 })
        }
    }

    #[tokio::test]
    async fn a_walk_sees_every_key_once_from_where_it_begins() {
        let keys = |after: &str| {
            walk(Arc::new(Numbers(35)), String::new(), after.to_owned())
                .map_ok(|listed| listed.key)
                .try_collect::<Vec<_>>()
        };
        let all = keys("").await.unwrap();
        assert_eq!((all.len(), all[34].as_str()), (35, "00000034"));
        assert_eq!(keys("00000031").await.unwrap(), ["00000032", "00000033", "00000034"]);
    }

    /// A store that ignores where a page should begin.
    #[derive(Debug)]
    struct Stuck;

    #[async_trait]
    impl Listing for Stuck {
        async fn page(&self, prefix: &str, _: &str) -> Result<Page> {
            Ok(Page { more: true, ..Numbers(10).page(prefix, "").await? })
        }
    }

    #[tokio::test]
    async fn a_listing_that_does_not_go_on_ends_with_an_error() {
        let walked = walk(Arc::new(Stuck), String::new(), String::new()).try_collect::<Vec<_>>().await;
        assert_eq!(walked.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
