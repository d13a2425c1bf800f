//! Conditional requests, in the order of precedence that S3 and RFC 9110 give them.

use std::time::SystemTime;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::standalone::store::{Object, Precondition};

/// The conditions of a read, or those on the source of a copy.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Refuses a read whose conditions do not hold: 412, or 304 with the object's `ETag`.
    pub(super) fn check(&self, object: &Object) -> S3Result<()> {
        // HTTP dates have whole seconds, so the object's time is compared as it was shown.
        let modified = timestamp(whole_seconds(object.modified));
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, object) => {
                return Err(s3_error!(PreconditionFailed));
            }
            (None, Some(since)) if modified > *since => return Err(s3_error!(PreconditionFailed)),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if matches(condition, object) => Err(not_modified(object)),
            (None, Some(since)) if modified <= *since => Err(not_modified(object)),
            _ => Ok(()),
        }
    }

    /// The same for the source of a copy, where S3 answers 412 only.
    pub(super) fn check_source(&self, object: &Object) -> S3Result<()> {
        self.check(object).map_err(|_| s3_error!(PreconditionFailed))
    }
}

/// What `If-Match` and `If-None-Match` of a write demand.
pub(super) fn precondition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<Precondition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (None, Some(ETagCondition::Any)) => Ok(Precondition::Absent),
        (Some(ETagCondition::Any), None) => Ok(Precondition::Present),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Precondition::ETag(etag.into_value())),
        _ => Err(s3_error!(NotImplemented, "a write takes If-Match, or If-None-Match: *")),
    }
}

/// A time as the protocol carries it.
pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    SystemTime::from(time).into()
}

/// The `ETag` of an object as the protocol carries it.
pub(super) fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

fn whole_seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::seconds(1)).unwrap_or(time)
}

fn not_modified(object: &Object) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    if let Ok(value) = etag(&object.etag).to_http_header() {
        error.set_headers([(http::header::ETAG, value)].into_iter().collect());
    }
    error
}
