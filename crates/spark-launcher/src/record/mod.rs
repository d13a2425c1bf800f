//! What owns a request: some small files in object storage, each written once.
//!
//! | module | what it is |
//! |---|---|
//! | [`names`] | what the files are called |
//! | [`documents`] | what they say |
//! | [`files`] | small files in object storage
//! | [`store`] | writing, reading and listing them |
//! | [`operate`] | what a person may do about them
//! | [`summary`] | one as a person looks at it
//! | [`closed`], `stories` | what is left of a record that is over |

pub mod closed;
pub mod documents;
pub mod files;
pub mod names;
pub mod operate;
pub mod store;
mod stories;
pub mod summary;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use ingest_core::{IngestRequest, ObjectUri, RequestedObject};

use crate::sink::Standing;
use documents::{End, Ended};

/// A request that is owned, and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The content's own request id.
    pub id: String,
    /// The first attempt that it may make: earlier ones were another record's of the same request.
    pub first: u32,
    /// When it was taken.
    pub received: DateTime<Utc>,
    /// What is wanted. Its `request_id` is the one that the sender gave: a label.
    pub request: IngestRequest,
    /// Objects that were set aside when it was taken, by their places, and when. It is to try them again.
    pub set_aside_before: BTreeMap<usize, DateTime<Utc>>,
    /// Its attempts, in the order of their numbers.
    pub attempts: Vec<Marks>,
    /// Attempts up to this one count no more against the limit.
    pub retried: u32,
    /// It was given up.
    pub failed: bool,
    /// Nobody wants it any more.
    pub cancelled: bool,
}

/// What is written down of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Marks {
    /// Its number.
    pub number: u32,
    /// The backend has taken it.
    pub started: bool,
    /// How it ended.
    pub ended: Option<Ended>,
}

impl Record {
    /// The newest attempt.
    pub fn newest(&self) -> Option<&Marks> {
        self.attempts.last()
    }

    /// The number of the next attempt.
    pub fn next(&self) -> u32 {
        self.newest().map_or(self.first, |newest| newest.number.saturating_add(1))
    }

    /// The number that a mark about the record as it is bears.
    pub fn number(&self) -> u32 {
        self.newest().map_or(self.first, |newest| newest.number)
    }

    /// Whether more is done about it without a person, and for its own sake: what was given up keeps nobody waiting.
    pub fn goes_on(&self) -> bool {
        !self.failed && !self.cancelled
    }

    /// Ended attempts that count against the limit: they left something undone, and nobody asked for more since.
    pub fn failures(&self) -> impl Iterator<Item = &Ended> {
        let counts = |marks: &&Marks| marks.number > self.retried;
        self.attempts
            .iter()
            .filter(counts)
            .filter_map(|marks| marks.ended.as_ref())
            .filter(|ended| ended.left_undone())
    }

    /// Whether an object needs nothing more, by what is known of it: what was set aside before the record was taken
    /// is to be tried again.
    pub fn settles(&self, place: usize, standing: Standing) -> bool {
        match standing {
            Standing::InTable | Standing::Forbidden => true,
            Standing::SetAside(time) => self.set_aside_before.get(&place) != Some(&time),
            Standing::New | Standing::Missing => false,
        }
    }

    /// How many of an attempt's objects need something more.
    pub fn undone(&self, attempt: &IngestRequest, standings: &[Standing]) -> usize {
        let key = |object: &RequestedObject| (object.uri.clone(), object.hint.version_id.clone());
        let places: HashMap<(ObjectUri, Option<String>), usize> =
            self.request.objects.iter().enumerate().map(|(place, object)| (key(object), place)).collect();
        let undone = |object: &&RequestedObject| {
            let place = places.get(&key(object)).copied();
            place.is_some_and(|place| {
                standings.get(place).is_some_and(|standing| !self.settles(place, *standing))
            })
        };
        attempt.objects.iter().filter(undone).count()
    }
}

impl Ended {
    /// Whether something was left to do by it. What was never taken did nothing.
    pub fn left_undone(&self) -> bool {
        self.undone > 0 || self.how == End::Rejected
    }
}
