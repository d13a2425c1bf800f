//! The contract and the rules of event-ingest: requests, object identity, notification formats, filters, routing and the
//! batching machine.
//!
//! Nothing here does I/O, reads a clock or rolls dice: input in, actions out, time as an argument. No error here can be
//! mended by a retry.

pub mod batching;
pub mod event;
mod format;
mod glob;
pub mod identity;
pub mod notification;
mod request;
mod result;
mod routing;
pub mod rules;
pub mod staged;
mod table;
mod trace;
pub mod units;
mod uri;

pub use format::{FileFormat, FormatError};
pub use glob::Glob;
pub use identity::{ObjectIdentity, ObjectVersion};
pub use request::{
    IngestRequest, MAX_FILES_PER_REQUEST, MAX_REQUEST_ID_BYTES, ObjectHint, RequestDefaults, RequestError,
    RequestedObject,
};
pub use result::{FileOutcome, FileStatus, IngestResult};
pub use routing::{Lane, LightLimits};
pub use rules::{Outcome, Route, Rule, RuleSet, TableTemplate, Target, Unmatched, Verdict};
pub use table::{MAX_PART_BYTES, TableName, TableNameError};
pub use trace::{NoTraceParent, TraceParent};
pub use uri::{MAX_KEY_BYTES, ObjectUri, UriError};
