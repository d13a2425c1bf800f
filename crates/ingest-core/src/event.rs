//! Names in the CloudEvents that carry requests and results.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// CloudEvents version of everything that is sent.
pub const SPEC_VERSION: &str = "1.0";

/// Type of a request for the light worker.
pub const TYPE_LIGHT: &str = "dev.eventingest.request.light.v1";

/// Type of a request for the heavy path.
pub const TYPE_HEAVY: &str = "dev.eventingest.request.heavy.v1";

/// Type of the news that a job has staged a request's objects.
pub const TYPE_STAGED: &str = "dev.eventingest.staged.v1";

/// Type of a result.
pub const TYPE_COMPLETED: &str = "dev.eventingest.completed.v1";

/// Type of the answer to a heavy request: somebody owns it from now on.
pub const TYPE_ACCEPTED: &str = "dev.eventingest.accepted.v1";

/// Type of the news that an object was set aside.
pub const TYPE_QUARANTINED: &str = "dev.eventingest.quarantined.v1";

/// Content type of every body.
pub const JSON: &str = "application/json";

/// What a URI takes as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Source of the requests that a dispatcher makes, a URI reference; `group` is its consumer group.
pub fn dispatcher_source(group: &str) -> String {
    format!("/event-ingest/dispatcher/{}", utf8_percent_encode(group, UNRESERVED))
}
