//! What an operator names: a bucket, a prefix or an object.

use std::str::FromStr;

use futures::StreamExt;
use ingest_core::{ObjectHint, ObjectUri, ObjectVersion, Outcome, RequestedObject, RuleSet};
use lake::AllowList;
use lake::source::{ObjectFault, Resolved, resolve};
use lake::storage::Stores;
use lake::storage::listing::Listed;

/// An argument `s3://bucket[/key or prefix]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The bucket.
    pub(crate) bucket: String,
    /// What follows, verbatim: a key, or what keys begin with.
    pub(crate) text: String,
}

/// What a [`Source`] turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// One object, and what is known of it.
    Object(Listed),
    /// All objects of the bucket whose keys begin with this.
    Below(String),
    /// Something that may not be read, or not all of it.
    Forbidden,
}

impl Source {
    /// What the keys begin with that it may mean.
    pub(crate) fn begins(&self) -> &str {
        self.text.strip_suffix('*').unwrap_or(&self.text)
    }

    /// Where the rules look, each part once; a bucket may be a pattern.
    pub(crate) fn of_rules(rules: &RuleSet) -> Vec<Self> {
        let mut sources: Vec<Self> = Vec::new();
        let within = |inner: &str, outer: &str| inner.starts_with(outer);
        for rule in rules.rules().filter(|rule| rule.outcome != Outcome::Ignore) {
            for bucket in rule.buckets.iter().map(ToString::to_string) {
                if sources.iter().any(|known| known.bucket == bucket && within(&rule.prefix, &known.text)) {
                    continue;
                }
                sources.retain(|known| known.bucket != bucket || !within(&known.text, &rule.prefix));
                sources.push(Self { bucket, text: rule.prefix.clone() });
            }
        }
        sources
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected s3://bucket, s3://bucket/prefix/ or s3://bucket/key, was given {text:?}");
        let rest = text.strip_prefix("s3://").ok_or_else(expected)?;
        let (bucket, text) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(expected());
        }
        Ok(Self { bucket: bucket.to_owned(), text: text.to_owned() })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.text)
    }
}

/// Finds out what a source is. An object of that very key goes first; then what lies below it as below a folder; a
/// final `*` stands for the rest of any key. What may not be read is not asked for.
///
/// # Errors
/// The store does not answer, or there is neither.
pub(crate) async fn find(
    stores: &Stores,
    allow: &AllowList,
    store: &str,
    source: &Source,
) -> anyhow::Result<Found> {
    let text = &source.text;
    let may_list = |prefix: &str| allow.allows_listing(&source.bucket, prefix);
    if text.is_empty() || text.ends_with('/') {
        return Ok(if may_list(text) { Found::Below(text.clone()) } else { Found::Forbidden });
    }
    let uri = ObjectUri::new(&source.bucket, text)?;
    if allow.allows_source(&uri)
        && let Some(named) = look(stores, store, text, uri).await?
    {
        return Ok(Found::Object(named));
    }
    let prefix = match text.strip_suffix('*') {
        Some(prefix) => prefix.to_owned(),
        None => format!("{text}/"),
    };
    if !may_list(&prefix) {
        return Ok(Found::Forbidden);
    }
    let listing = stores.listing(&source.bucket)?;
    let mut below = Box::pin(lake::storage::listing::walk(listing, prefix.clone(), String::new()));
    match below.next().await {
        Some(listed) => listed.map(|_| Found::Below(prefix)).map_err(Into::into),
        None => anyhow::bail!("{source}: there is no such object, and none below {prefix:?}"),
    }
}

/// The object of this very key, if there is one.
async fn look(stores: &Stores, store: &str, key: &str, uri: ObjectUri) -> lake::Result<Option<Listed>> {
    let named = |size, etag| Some(Listed { key: key.to_owned(), size, etag, modified: None });
    match resolve(stores, store, &RequestedObject { uri, hint: ObjectHint::default() }).await? {
        Resolved::Object(found) => {
            let etag = match found.identity.version {
                ObjectVersion::ETag(etag) => Some(etag),
                ObjectVersion::VersionId(_) => None,
            };
            Ok(named(found.size, etag))
        }
        // The sink says what is wrong with the key, and keeps a record of it.
        Resolved::Fault(ObjectFault::Unaddressable(_)) => Ok(named(0, None)),
        Resolved::Fault(ObjectFault::Missing) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_verbatim() {
        let source = |text: &str| text.parse::<Source>().map(|source| (source.bucket, source.text));
        assert_eq!(source("s3://b/in/a b+%2F.parquet"), Ok(("b".into(), "in/a b+%2F.parquet".into())));
        assert_eq!(source("s3://b"), Ok(("b".into(), String::new())));
        assert_eq!(source("s3://b/"), Ok(("b".into(), String::new())));
        for wrong in ["b/k", "s3://", "s3:///k", "file:///k"] {
            assert!(source(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
