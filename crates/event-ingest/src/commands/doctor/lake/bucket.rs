//! Whether a source can be listed and its objects read.

use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
use lake::Lake;
use lake::source::{ObjectFault, Resolved, resolve};
use lake::storage::listing::Listed;

use super::super::finding::{Check, Finding};
use super::in_time;
use crate::commands::load::Source;

/// Bytes that are read of one object: what a Parquet file begins with.
const FIRST_BYTES: u64 = 4;

pub(super) async fn check(lake: &Lake, source: &Source) -> Vec<Finding> {
    let subject = source.to_string();
    let (list, read) = (Check::of("bucket-list", &subject), Check::of("bucket-read", &subject));
    if !lake.allow().allows_listing(&source.bucket, &source.text) {
        return vec![list.skipped("outside of --allow-source")];
    }
    let listed = in_time(async { lake.stores().listing(&source.bucket)?.page(&source.text, "").await }).await;
    let first = listed.map(|page| {
        // An object that can be named as it is: others are no matter of rights.
        let object = |listed: &Listed| {
            let uri = ObjectUri::new(&source.bucket, &listed.key).ok()?;
            (uri.unaddressable().is_none() && listed.size >= FIRST_BYTES).then_some(uri)
        };
        (page.objects.len(), page.objects.iter().find_map(object))
    });
    let answer = match &first {
        Ok((_, Some(uri))) => Some(in_time(peek(lake, uri)).await),
        Ok((_, None)) | Err(_) => None,
    };
    vec![judge_list(&list, first.map(|(count, _)| count)), judge_read(&read, answer)]
}

/// Asks for one object and reads its first bytes. Says whether it was still there.
async fn peek(lake: &Lake, uri: &ObjectUri) -> lake::Result<bool> {
    let object = RequestedObject { uri: uri.clone(), hint: ObjectHint::default() };
    // The name of the store decides nothing here.
    match resolve(lake.stores(), "doctor", &object).await? {
        Resolved::Object(found) => {
            let refused =
                |error| lake::Error::new(lake::ErrorKind::Unavailable, "GetObject").caused_by(error);
            found.read(0..FIRST_BYTES.min(found.size)).await.map(|_| true).map_err(refused)
        }
        Resolved::Fault(ObjectFault::Missing | ObjectFault::Unaddressable(_)) => Ok(false),
    }
}

fn judge_list(check: &Check, listed: Result<usize, String>) -> Finding {
    match listed {
        Ok(0) => check.ok("may be listed; there is nothing below it"),
        Ok(_) => check.ok("may be listed"),
        Err(reason) if reason.contains("there is no bucket") => {
            check.fail(reason, "create the bucket, or correct its name in the rules")
        }
        Err(reason) if refused(&reason) => {
            check.fail(reason, "grant s3:ListBucket on the bucket: reconcile and replay list it")
        }
        Err(reason) => check.fail(reason, "check s3.endpoint, s3.region and the network"),
    }
}

fn judge_read(check: &Check, read: Option<Result<bool, String>>) -> Finding {
    match read {
        Some(Ok(true)) => check.ok("an object may be looked up and read"),
        Some(Ok(false)) => check.skipped("the object went away meanwhile"),
        None => check.skipped("there is no object to try it with"),
        Some(Err(reason)) if refused(&reason) => check.fail(
            reason,
            "grant s3:GetObject (and s3:GetObjectVersion where the bucket has versions) on the objects",
        ),
        Some(Err(reason)) => check.fail(reason, "check s3.endpoint, s3.region and the network"),
    }
}

/// Whether a store said no, instead of nothing.
fn refused(reason: &str) -> bool {
    [
        "401",
        "403",
        "AccessDenied",
        "Unauthorized",
        "Forbidden",
        "lacked the necessary privileges",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
    ]
    .iter()
    .any(|mark| reason.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;

    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        let check = Check::of("bucket", "s3://b/");
        let listed = |answer| judge_list(&check, answer);
        assert_eq!(listed(Ok(0)).state, State::Ok);
        let denied = listed(Err("bucket `b` cannot be listed: the store answers 403 Forbidden".into()));
        assert!(denied.state == State::Fail && denied.mend.unwrap().contains("s3:ListBucket"));
        let down = listed(Err("connection refused".into()));
        assert!(down.state == State::Fail && down.mend.unwrap().contains("s3.endpoint"));

        let read = |answer| judge_read(&check, answer);
        assert_eq!(read(Some(Ok(true))).state, State::Ok);
        assert_eq!(read(None).state, State::Skipped);
        assert_eq!(read(Some(Ok(false))).state, State::Skipped);
        let denied = read(Some(Err("The operation lacked the necessary privileges".into())));
        assert!(denied.state == State::Fail && denied.mend.unwrap().contains("s3:GetObject"));
    }
}
