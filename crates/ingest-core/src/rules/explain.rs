//! Why the rules say what they say.

use super::{Condition, Verdict};
use crate::{ObjectUri, notification::Announcement};

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The object.
    pub uri: &'a ObjectUri,
    /// The event without `s3:`; `None` if nobody tells, and then no rule asks for it.
    pub event: Option<&'a str>,
    /// Bytes; `None` if nobody tells.
    pub size: Option<u64>,
}

impl<'a> Subject<'a> {
    /// What was announced.
    pub fn of(announcement: &'a Announcement) -> Self {
        Self { uri: &announcement.uri, event: Some(&announcement.event_name), size: announcement.hint.size }
    }
}

/// What the rules say about an object, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The first condition that failed, for each rule before the one that matched; empty if no rule was asked.
    pub passed_over: Vec<Condition>,
    /// The index of the rule that matched.
    pub rule: Option<usize>,
    /// What becomes of the object.
    pub verdict: Verdict,
}
