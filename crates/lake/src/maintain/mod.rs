//! Looking after a table and its ledger: whether they agree, a lost ledger made anew, files that nobody needs.
//!
//! | module | what it does |
//! |---|---|
//! | [`verify`] | compares the ledger with the data files of `main` |
//! | [`rebuild`] | makes a head from what is left of a ledger |
//! | [`orphans`] | the one rule by which a file may be deleted |
//! | [`sweep`] | finds the files of failed attempts, and deletes those that the rule lets go |

mod agreement;
mod attempts;
mod clock;
mod history;
mod names;
pub mod orphans;
pub mod rebuild;
mod recovery;
mod references;
mod report;
pub mod sweep;
pub mod verify;
mod versions;

use std::borrow::Cow;

use sha2::{Digest, Sha256};

pub(crate) use history::in_main;
pub use history::{Standing, standing};
pub use names::Kind;

/// Stands for a file in sets of many: 16 bytes of a hash of its URL, whichever of Iceberg's spellings it has. Two
/// files that had the same one would both count as needed, so nothing would be lost.
fn digest(url: &str) -> u128 {
    let hash = Sha256::digest(canonical(url).as_bytes());
    u128::from_be_bytes(hash[..16].try_into().expect("the hash has 32 bytes"))
}

/// One spelling for `s3a://`, `s3n://` and `s3://`, and one for the three of local files.
pub(crate) fn canonical(url: &str) -> Cow<'_, str> {
    for scheme in ["s3a://", "s3n://"] {
        if let Some(rest) = url.strip_prefix(scheme) {
            return Cow::Owned(format!("s3://{rest}"));
        }
    }
    match url.strip_prefix("file:") {
        Some(path) => Cow::Owned(format!("/{}", path.trim_start_matches('/'))),
        None => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_in_every_spelling() {
        for same in ["file:/a/b", "file:///a/b", "/a/b"] {
            assert_eq!(digest(same), digest("/a/b"), "{same}");
        }
        assert_eq!(digest("s3a://b/k"), digest("s3://b/k"));
        assert_ne!(digest("s3://b/k"), digest("s3://b/K"));
    }
}
