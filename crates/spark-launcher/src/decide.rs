//! What to do next about a record: a pure rule, asked again after each step until it says to wait.
//!
//! | the record | the newest attempt | then |
//! |---|---|---|
//! | is cancelled | lives | it is stopped |
//! | is cancelled | has ended, or never was | closed |
//! | | is not known to have ended | the backend is asked |
//! | | nothing is known of it, it was not started | it is started again |
//! | | nothing is known of it, it was started | ended: lost |
//! | | lives | wait |
//! | | succeeded, failed or refused, says the backend | ended; how many of its objects are undone is noted |
//! | | has ended, or never was | the table is asked, and: |
//! | needs nothing more | | closed |
//! | was given up | | wait for a person |
//! | has too many attempts that left something undone | | given up |
//! | | refused, and left something undone | given up |
//! | an attempt left something undone a short while ago | | wait |
//! | needs objects that older records are about | | wait for these |
//! | needs other objects | | a new attempt with these |
//!
//! What cannot be started is no attempt: it is tried again for as long as it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::backend::AttemptState;
use crate::record::closed::Closing;
use crate::record::documents::End;
use crate::record::{Marks, Record};
use crate::sink::Standing;

/// Bounds of what is done about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Attempts that may leave something undone before the record is given up.
    pub attempts: usize,
    /// Pause after the first of these; each next one is twice as long.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// How often it is looked whether a record that was given up needs nothing more.
    pub given_up_look: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_secs(30),
            longest_pause: Duration::from_secs(30 * 60),
            given_up_look: Duration::from_secs(10 * 60),
        }
    }
}

/// What is known beside the record.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// What the backend says of the newest attempt, if it was asked.
    pub backend: Option<&'a AttemptState>,
    /// What the table says of each object, if it was asked.
    pub standings: Option<&'a [Standing]>,
    /// When the table was last asked.
    pub looked: Option<DateTime<Utc>>,
    /// Objects that older records are about, by their places, with such a record's id.
    pub held: &'a BTreeMap<usize, String>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the backend of this attempt.
    Ask(u32),
    /// Ask the table of all objects.
    Look,
    /// Write down an attempt at these objects, by their places, and start it.
    Begin(u32, Vec<usize>),
    /// Start this attempt, which was written down before.
    StartAgain(u32),
    /// Write down that the backend has taken this attempt.
    NoteStarted(u32),
    /// Write down how this attempt ended.
    NoteEnd(u32, End, Option<String>),
    /// Have the backend end this attempt.
    Stop(u32),
    /// Nothing for now.
    Wait(Wait),
    /// Give up, and say why.
    Fail(String),
    /// The record is over.
    Close(Closing),
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The newest attempt, which is like this.
    Running(String),
    /// The end of a pause.
    Pause(DateTime<Utc>),
    /// An older record with this id.
    Held(String),
    /// A person.
    Person,
}

/// The next step about a record.
pub fn decide(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    if let Some(newest) = record.newest().filter(|newest| newest.ended.is_none()) {
        return about_attempt(record, newest, view);
    }
    if record.cancelled {
        return Action::Close(Closing::Cancelled);
    }
    let Some(standings) = view.standings else {
        return without_looking(record, view, limits).map_or(Action::Look, Action::Wait);
    };
    let undone: Vec<usize> =
        (0..record.request.objects.len()).filter(|place| !settled(record, *place, standings)).collect();
    if undone.is_empty() {
        return Action::Close(Closing::Done);
    }
    if record.failed {
        return Action::Wait(Wait::Person);
    }
    if exhausted(record, limits) {
        return Action::Fail(last_reason(record));
    }
    if let Some(until) = pause(record, limits).filter(|until| view.now < *until) {
        return Action::Wait(Wait::Pause(until));
    }
    let wanted: Vec<usize> = undone.iter().copied().filter(|place| !view.held.contains_key(place)).collect();
    match undone.iter().find_map(|place| view.held.get(place)) {
        Some(id) if wanted.is_empty() => Action::Wait(Wait::Held(id.clone())),
        _ => Action::Begin(record.next(), wanted),
    }
}

fn about_attempt(record: &Record, newest: &Marks, view: &View<'_>) -> Action {
    let number = newest.number;
    let Some(state) = view.backend else { return Action::Ask(number) };
    let (how, reason) = match state {
        AttemptState::Live(_) if record.cancelled => return Action::Stop(number),
        _ if record.cancelled => return Action::NoteEnd(number, End::Stopped, None),
        AttemptState::Live(_) if !newest.started => return Action::NoteStarted(number),
        AttemptState::Live(state) => return Action::Wait(Wait::Running(state.clone())),
        AttemptState::Absent if !newest.started => return Action::StartAgain(number),
        AttemptState::Absent => (End::Lost, Some("it went away before its end was seen".to_owned())),
        AttemptState::Succeeded => (End::Succeeded, None),
        AttemptState::Failed(reason) => (End::Failed, Some(reason.clone())),
        AttemptState::Refused(reason) => (End::Refused, Some(reason.clone())),
    };
    // Its end is written down together with what it left undone.
    if view.standings.is_some() { Action::NoteEnd(number, how, reason) } else { Action::Look }
}

/// What is waited for, if that is so whatever the table says; asking it costs a request for each object.
fn without_looking(record: &Record, view: &View<'_>, limits: &Limits) -> Option<Wait> {
    let since = |looked: DateTime<Utc>| (view.now - looked).to_std().unwrap_or_default();
    if record.failed {
        return view.looked.filter(|looked| since(*looked) < limits.given_up_look).map(|_| Wait::Person);
    }
    if !exhausted(record, limits)
        && let Some(until) = pause(record, limits).filter(|until| view.now < *until)
    {
        return Some(Wait::Pause(until));
    }
    let all = view.held.len() == record.request.objects.len();
    view.held.values().next().filter(|_| all).map(|id| Wait::Held(id.clone()))
}

/// Whether no more attempts are made, unless a person asks for them.
fn exhausted(record: &Record, limits: &Limits) -> bool {
    let refused = record.failures().last().is_some_and(|ended| ended.how == End::Refused);
    refused || record.failures().count() >= limits.attempts
}

fn settled(record: &Record, place: usize, standings: &[Standing]) -> bool {
    standings.get(place).is_some_and(|standing| record.settles(place, *standing))
}

/// Until when nothing new is attempted, after attempts that left something undone.
fn pause(record: &Record, limits: &Limits) -> Option<DateTime<Utc>> {
    let failures: Vec<_> = record.failures().collect();
    let last = failures.last()?;
    let doublings = u32::try_from(failures.len() - 1).unwrap_or(u32::MAX).min(20);
    let pause = limits.first_pause.saturating_mul(1 << doublings).min(limits.longest_pause);
    last.time.checked_add_signed(TimeDelta::from_std(pause).ok()?)
}

fn last_reason(record: &Record) -> String {
    let count = record.failures().count();
    let Some(last) = record.failures().last() else { return String::new() };
    let why = last.reason.as_deref().unwrap_or("it ended well, says the backend");
    let (how, undone) = (last.how.as_str(), last.undone);
    match last.how {
        End::Refused => format!("no retry helps, says the last attempt, {undone} objects undone: {why}"),
        _ => format!(
            "{count} attempts left something undone; the last one {how}, {undone} objects undone: {why}"
        ),
    }
}
