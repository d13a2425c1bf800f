//! What the function does: the one file to change. It is pure, so that a test can call it.
//!
//! The same request may come twice, and in any order: whatever is done here has to bear that. The light worker does,
//! because its table remembers each object; a function that writes elsewhere has to remember by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::request::IngestRequest;

/// A request that this function will never take. Asking again does not help.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// What is answered: how many files of which kind arrived.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Summary {
    /// The table that they are for.
    pub table: String,
    /// How many different files.
    pub files: usize,
    /// Their size in bytes, as far as it is known.
    pub bytes: u64,
    /// How many of each suffix; the empty one is that of keys without any.
    pub suffixes: BTreeMap<String, usize>,
}

/// Counts the files of a request.
///
/// # Errors
/// A request without files.
pub fn handle(request: &IngestRequest) -> Result<Summary, Refused> {
    if request.files.is_empty() {
        return Err(Refused("a request needs at least one file".to_owned()));
    }
    let files: BTreeSet<&str> = request.files.iter().map(String::as_str).collect();
    let mut suffixes = BTreeMap::new();
    for file in &files {
        *suffixes.entry(suffix(file)).or_default() += 1;
    }
    Ok(Summary { table: request.table.clone(), files: files.len(), bytes: request.total_bytes, suffixes })
}

/// The end of a key's last part, from its last dot on, without the dot.
fn suffix(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.rsplit_once('.').map(|(_, suffix)| suffix.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(files: &[&str]) -> IngestRequest {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        IngestRequest { files, total_bytes: 7, table: "db.t".to_owned() }
    }

    #[test]
    fn files_are_counted_once_by_suffix() {
        let files = ["s3://b/x.csv", "s3://b/x.csv", "s3://b/d.d/y", "s3://b/z.parquet"];
        let summary = handle(&request(&files)).expect("there are files");
        let suffixes = [(String::new(), 1), ("csv".to_owned(), 1), ("parquet".to_owned(), 1)].into();
        assert_eq!(summary, Summary { table: "db.t".to_owned(), files: 3, bytes: 7, suffixes });
    }

    #[test]
    fn a_request_without_files_is_refused() {
        assert!(handle(&request(&[])).is_err());
    }
}
