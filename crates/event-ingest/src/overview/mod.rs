//! What a lake tells an operator, in the words of [`operations`]: what both plants share, the standalone server and the
//! cluster.
//!
//! | module | what it tells or does |
//! |---|---|
//! | [`table`], [`tables`] | a table as it is now, with its latest commits; many of them, and whether they are fresh |
//! | [`files`] | the newest objects of a table, a page at a time |
//! | [`story`], [`routing`] | one object in full, and what the rules say of it |
//! | [`quarantine`] | what was set aside for a table |
//! | [`lists`] | objects and what was set aside, over all tables |
//! | [`again`] | requesting that again |
//! | [`heavy`] | requests of the heavy path |
//! | [`problems`] | what is wrong, and what mends it |

pub mod again;
pub mod files;
pub mod heavy;
pub mod lists;
pub mod problems;
pub mod quarantine;
pub mod routing;
pub mod story;
pub mod table;
pub mod tables;

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ingest_core::{ObjectIdentity, ObjectVersion};
use operations::PlantError;

/// What a lake's error is to an operator who asked for something.
#[must_use]
pub fn failed(error: &lake::Error) -> PlantError {
    match error.kind() {
        lake::ErrorKind::Invalid | lake::ErrorKind::Forbidden => PlantError::invalid(error.to_string()),
        _ => PlantError::unavailable(error.to_string()),
    }
}

/// The answer, or why there is none in time.
///
/// # Errors
/// That reason.
pub async fn within<T, E: ToString>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(patience, work).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
    }
}

/// An object version for people.
#[must_use]
pub fn version(identity: &ObjectIdentity) -> String {
    match &identity.version {
        ObjectVersion::VersionId(id) => format!("version {id}"),
        ObjectVersion::ETag(etag) => format!("ETag {etag}"),
    }
}

/// The object of a version, as `s3://bucket/key`.
#[must_use]
pub fn uri(identity: &ObjectIdentity) -> String {
    format!("s3://{}/{}", identity.bucket, identity.key)
}

/// Milliseconds from an object's creation to its commit. Clocks differ: what seems to come from the future took none.
#[must_use]
pub fn latency(event_time: Option<DateTime<Utc>>, done: DateTime<Utc>) -> Option<u64> {
    Some((done - event_time?).num_milliseconds().try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Where the plants tell problems.
    const TOLD: [&str; 3] = [
        include_str!("problems.rs"),
        include_str!("../cluster/problems.rs"),
        include_str!("../standalone/plant/problems.rs"),
    ];

    #[test]
    fn every_kind_of_problem_is_documented_and_no_other() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/problems.md");
        let docs = std::fs::read_to_string(path).unwrap();
        let mut documented: Vec<&str> = docs.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let calls = TOLD.iter().flat_map(|source| source.split("problem(").skip(1));
        let mut kinds: Vec<&str> =
            calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next()).collect();
        for list in [&mut documented, &mut kinds] {
            list.sort_unstable();
            list.dedup();
        }
        assert_eq!(documented, kinds);
    }
}
