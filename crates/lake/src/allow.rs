//! Nothing outside the allowed buckets, prefixes and tables is read or written (invariant 10).

use ingest_core::{ObjectUri, TableName};

use crate::error::Error;

/// Why an object is not read that lies outside the list.
pub const OUTSIDE: &str = "outside the allowed buckets and prefixes";

/// Which sources may be read and which tables may be written. Empty lists allow nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowList {
    sources: Vec<SourcePattern>,
    tables: Vec<TablePattern>,
    owned: Vec<SourcePattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SourcePattern {
    Any,
    Prefix { bucket: String, key: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TablePattern {
    Any,
    Namespace(Vec<String>),
    Table(TableName),
}

impl SourcePattern {
    fn matches(&self, uri: &ObjectUri) -> bool {
        match self {
            SourcePattern::Any => true,
            SourcePattern::Prefix { bucket, key } => {
                uri.bucket() == bucket && uri.key().starts_with(key.as_str())
            }
        }
    }
}

/// A pattern that means nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatternError {
    /// Sources.
    #[error("`{0}` is no source pattern: expected `*`, `s3://bucket` or `s3://bucket/prefix`")]
    Source(String),
    /// Tables.
    #[error("`{0}` is no table pattern: expected `*`, `namespace.*` or `namespace.table`")]
    Table(String),
}

impl AllowList {
    /// From patterns: sources `*`, `s3://bucket`, `s3://bucket/prefix` (a final `*` may be written); tables `*`,
    /// `namespace.*`, `namespace.table`.
    ///
    /// # Errors
    /// The first pattern that means nothing.
    pub fn parse<'a>(
        sources: impl IntoIterator<Item = &'a str>,
        tables: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, PatternError> {
        Ok(Self {
            sources: sources.into_iter().map(source).collect::<Result<_, _>>()?,
            tables: tables.into_iter().map(table).collect::<Result<_, _>>()?,
            owned: Vec::new(),
        })
    }

    /// The same list, with sources that tables may own: mode `register` makes them data files where they are. Nobody
    /// may overwrite or delete them from then on but the table's own maintenance, which may.
    ///
    /// # Errors
    /// The first pattern that means nothing.
    pub fn with_owned<'a>(self, owned: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternError> {
        Ok(Self { owned: owned.into_iter().map(source).collect::<Result<_, _>>()?, ..self })
    }

    /// Whether an object may be read.
    pub fn allows_source(&self, uri: &ObjectUri) -> bool {
        self.sources.iter().any(|pattern| pattern.matches(uri))
    }

    /// Whether an object may become a table's own.
    pub fn allows_owning(&self, uri: &ObjectUri) -> bool {
        self.owned.iter().any(|pattern| pattern.matches(uri))
    }

    /// Whether a table may be written.
    pub fn allows_table(&self, name: &TableName) -> bool {
        self.tables.iter().any(|pattern| match pattern {
            TablePattern::Any => true,
            TablePattern::Namespace(namespace) => name.namespace() == namespace.as_slice(),
            TablePattern::Table(table) => table == name,
        })
    }

    /// Whether every key of a bucket that begins with `prefix` may be read, so that they may be listed.
    pub fn allows_listing(&self, bucket: &str, prefix: &str) -> bool {
        self.sources.iter().any(|pattern| match pattern {
            SourcePattern::Any => true,
            SourcePattern::Prefix { bucket: allowed, key } => {
                bucket == allowed && prefix.starts_with(key.as_str())
            }
        })
    }

    /// Fails unless the table may be written.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden), with the table's name.
    pub fn check_table(&self, name: &TableName) -> crate::Result<()> {
        if self.allows_table(name) {
            return Ok(());
        }
        Err(Error::forbidden(format!("table `{name}` is not among the allowed tables")))
    }

    /// Fails unless the object may be read.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden), with [`OUTSIDE`].
    pub fn check_source(&self, uri: &ObjectUri) -> crate::Result<()> {
        if self.allows_source(uri) { Ok(()) } else { Err(Error::forbidden(OUTSIDE)) }
    }
}

fn source(text: &str) -> Result<SourcePattern, PatternError> {
    if text == "*" {
        return Ok(SourcePattern::Any);
    }
    let error = || PatternError::Source(text.to_owned());
    let rest = text.strip_prefix("s3://").ok_or_else(error)?;
    let rest = rest.strip_suffix('*').unwrap_or(rest);
    let beginning = rest.len() + "s3://".len() < text.len();
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    // `s3://events*` would read as if it meant more than one bucket.
    if (beginning && !rest.contains('/')) || bucket.is_empty() || rest.contains('*') {
        return Err(error());
    }
    Ok(SourcePattern::Prefix { bucket: bucket.to_owned(), key: key.to_owned() })
}

fn table(text: &str) -> Result<TablePattern, PatternError> {
    if text == "*" {
        return Ok(TablePattern::Any);
    }
    let error = || PatternError::Table(text.to_owned());
    match text.strip_suffix(".*") {
        Some(namespace) => {
            let parts: Vec<String> = namespace.split('.').map(str::to_owned).collect();
            if parts.iter().any(|part| part.is_empty() || part.contains('*')) {
                return Err(error());
            }
            Ok(TablePattern::Namespace(parts))
        }
        None if text.contains('*') => Err(error()),
        None => TableName::parse(text).map(TablePattern::Table).map_err(|_| error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> ObjectUri {
        ObjectUri::parse(text).unwrap()
    }

    #[test]
    fn a_bucket_is_matched_whole_and_a_key_by_prefix() {
        let list = AllowList::parse(["s3://inbox", "s3://shared/incoming/*"], []).unwrap();
        for yes in ["s3://inbox/a", "s3://shared/incoming/x.parquet"] {
            assert!(list.allows_source(&uri(yes)), "{yes}");
        }
        for no in ["s3://inbox-2/a", "s3://shared/other", "s3://shared/incoming", "s3://in/box"] {
            assert!(!list.allows_source(&uri(no)), "{no}");
        }
    }

    #[test]
    fn a_listing_has_to_lie_within_what_is_allowed() {
        let list = AllowList::parse(["s3://inbox/in/"], []).unwrap();
        assert!(list.allows_listing("inbox", "in/") && list.allows_listing("inbox", "in/deep"));
        for (bucket, prefix) in [("inbox", ""), ("inbox", "in"), ("inbox", "out/"), ("other", "in/")] {
            assert!(!list.allows_listing(bucket, prefix), "{bucket}/{prefix}");
        }
        assert!(AllowList::parse(["*"], []).unwrap().allows_listing("any", ""));
    }

    #[test]
    fn a_namespace_allows_its_own_tables_only() {
        let list = AllowList::parse([], ["db.*", "other.one"]).unwrap();
        let allows = |name| list.allows_table(&TableName::parse(name).unwrap());
        assert!(allows("db.a") && allows("other.one"));
        assert!(!allows("db.deep.a") && !allows("dbx.a") && !allows("other.two"));
    }

    #[test]
    fn nothing_is_allowed_unless_said() {
        let list = AllowList::parse([], []).unwrap();
        assert!(!list.allows_source(&uri("s3://b/k")));
        assert!(!list.allows_table(&TableName::parse("a.b").unwrap()));
    }

    #[test]
    fn what_may_be_read_may_not_be_owned_unless_that_is_said_too() {
        let list = AllowList::parse(["*"], []).unwrap();
        assert!(!list.allows_owning(&uri("s3://b/k")));
        let list = list.with_owned(["s3://b/tables/"]).unwrap();
        assert!(list.allows_owning(&uri("s3://b/tables/k")) && !list.allows_owning(&uri("s3://b/k")));
    }

    #[test]
    fn patterns_that_mean_nothing_are_named() {
        for bad in ["inbox", "s3://", "s3://a*b/c", "s3://a*", "http://x"] {
            assert_eq!(AllowList::parse([bad], []), Err(PatternError::Source(bad.to_owned())));
        }
        for bad in ["db", "d*.t", ".*", "db.t*"] {
            assert_eq!(AllowList::parse([], [bad]), Err(PatternError::Table(bad.to_owned())));
        }
    }
}
