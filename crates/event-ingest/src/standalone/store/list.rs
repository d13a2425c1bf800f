//! Listing: keys in byte order, those that share a prefix up to the delimiter rolled into one entry.
//!
//! A page begins at a key, inclusive. "After key k" is the key `k` + NUL, which directly follows it, and
//! "after prefix p" is the least string above all that begin with `p`; so every kind of marker is one bound.

use sqlx::Row;

use super::{Object, Store, StoreError, buckets};

/// Rows read in one step while prefixes are rolled up: a long prefix is left by a jump, not by reading it.
const STEP: usize = 128;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Roll up keys at the first delimiter after the prefix. Empty means none.
    pub delimiter: String,
    /// Only keys from this one on.
    pub from: String,
    /// At most so many entries.
    pub limit: usize,
}

/// A page of a listing: objects and common prefixes, each in byte order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Objects whose keys are not rolled up.
    pub objects: Vec<Object>,
    /// What several keys, or one, have in common up to the delimiter.
    pub prefixes: Vec<String>,
    /// The last of them all, as a marker names it.
    pub last: Option<String>,
    /// Where the next page begins (for [`ListQuery::from`]), if there is more.
    pub next: Option<String>,
}

impl Listing {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ListQuery {
    /// The bound for a listing that goes on after a key or after a common prefix, as an S3 marker names
    /// either.
    #[must_use]
    pub fn after(prefix: &str, delimiter: &str, marker: &str) -> String {
        match common_prefix(marker, prefix, delimiter) {
            Some(rolled) if rolled == marker => above(marker).unwrap_or_else(|| format!("{marker}\0")),
            _ => format!("{marker}\0"),
        }
    }
}

impl Store {
    /// Lists a page.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn list(&self, bucket: &str, query: &ListQuery) -> Result<Listing, StoreError> {
        let mut connection = self.readers().acquire().await?;
        buckets::require(&mut connection, bucket).await?;
        let mut listing = Listing::default();
        if query.limit == 0 {
            return Ok(listing);
        }
        let end = above(&query.prefix);
        let step = if query.delimiter.is_empty() { query.limit + 1 } else { STEP };
        let columns = Object::COLUMNS;
        let statement = format!(
            "SELECT {columns} FROM objects
             WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key LIMIT ?4"
        );
        let mut from = query.from.clone().max(query.prefix.clone());
        loop {
            let rows = sqlx::query(&statement)
                .bind(bucket)
                .bind(&from)
                .bind(&end)
                .bind(i64::try_from(step).unwrap_or(i64::MAX))
                .fetch_all(&mut *connection)
                .await?;
            for row in &rows {
                let key: &str = row.get("key");
                if key < from.as_str() {
                    continue;
                }
                if listing.len() == query.limit {
                    listing.next = Some(from);
                    return Ok(listing);
                }
                let (name, next) = match common_prefix(key, &query.prefix, &query.delimiter) {
                    Some(rolled) => {
                        listing.prefixes.push(rolled.to_owned());
                        (rolled, above(rolled))
                    }
                    None => {
                        listing.objects.push(Object::from_row(row));
                        (key, Some(format!("{key}\0")))
                    }
                };
                listing.last = Some(name.to_owned());
                match next {
                    Some(next) => from = next,
                    None => return Ok(listing),
                }
            }
            if rows.len() < step {
                return Ok(listing);
            }
        }
    }
}

/// The part of a key up to and with the first delimiter after the prefix.
fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// The least string above all strings that begin with `prefix`. UTF-8 orders as code points do, so it is
/// found by raising the last character.
fn above(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        if let Some(raised) = (last..=char::MAX).nth(1) {
            characters.push(raised);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_a_prefix_is_above_all_that_begin_with_it() {
        assert_eq!(above("a/").as_deref(), Some("a0"));
        assert_eq!(above("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(above("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(above("\u{10ffff}"), None);
        assert_eq!(above(""), None);
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_leaves_all_of_it_behind() {
        assert_eq!(ListQuery::after("", "/", "a/"), "a0");
        assert_eq!(ListQuery::after("", "/", "a/b"), "a/b\0");
        assert_eq!(ListQuery::after("", "", "a/"), "a/\0");
        assert_eq!(ListQuery::after("a/", "/", "a/"), "a/\0");
    }
}
