//! The objects of one commit and how far each has come.

use std::collections::HashMap;

use ingest_core::{FileOutcome, FileStatus, ObjectIdentity, RequestedObject};

use super::outcome;
use crate::ledger::Found;
use crate::source::{ObjectFault, Resolved, Source, SourceObject};

/// Objects with their places in the request. Each is in exactly one state.
pub(super) struct Slice<'a> {
    items: Vec<Item<'a>>,
}

struct Item<'a> {
    place: usize,
    object: &'a RequestedObject,
    state: State,
}

enum State {
    /// Found, not yet looked at.
    Pending(SourceObject),
    /// Readable, and it fits the table.
    Ready(Source),
    /// Not there, and the ledger has not been asked yet. The identity is what the request said.
    Absent(Option<ObjectIdentity>),
    /// Readable, and the table does not hold it as it is now.
    Unfit { source: SourceObject, reason: String },
    /// No retry can mend it.
    Faulty { identity: Option<ObjectIdentity>, reason: String },
    /// In the table since that snapshot, by an earlier attempt or another request.
    Known { snapshot_id: i64 },
    /// In the table since that snapshot, by this request.
    Done { snapshot_id: i64, written: Done },
    /// The same object version as the item at this index.
    SameAs(usize),
}

/// What became of an object that was written.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// Its rows.
    pub(super) rows: u64,
    /// How it got in.
    pub(super) mode: &'static str,
    /// Why that way.
    pub(super) why: String,
    /// What a person should know of it.
    pub(super) note: Option<String>,
}

/// An object that has to be put into quarantine.
pub(super) struct Faulty<'a> {
    pub(super) object: &'a RequestedObject,
    pub(super) identity: Option<&'a ObjectIdentity>,
    pub(super) reason: &'a str,
}

impl<'a> Slice<'a> {
    pub(super) fn new(
        store: &str,
        objects: &[(usize, &'a RequestedObject)],
        resolved: Vec<Resolved>,
    ) -> Self {
        let unsettled =
            objects.iter().map(|(place, object)| Item { place: *place, object, state: State::Absent(None) });
        let mut slice = Self { items: unsettled.collect() };
        for (index, resolved) in resolved.into_iter().enumerate() {
            slice.set_resolved(store, index, resolved);
        }
        slice
    }

    /// Takes in what an object turned out to be.
    pub(super) fn set_resolved(&mut self, store: &str, index: usize, resolved: Resolved) {
        self.stand_alone(index);
        let object = self.items[index].object;
        self.items[index].state = match resolved {
            Resolved::Object(source) => match self.index_of(&source.identity, index) {
                Some(same) => State::SameAs(same),
                None => State::Pending(source),
            },
            Resolved::Fault(ObjectFault::Missing) => {
                let hint = &object.hint;
                State::Absent(ObjectIdentity::of(
                    store,
                    &object.uri,
                    hint.version_id.as_deref(),
                    hint.etag.as_deref(),
                ))
            }
            Resolved::Fault(ObjectFault::Unaddressable(reason)) => State::Faulty { identity: None, reason },
        };
    }

    /// Gives an item that stands for the same version as this one a life of its own: this one becomes another.
    fn stand_alone(&mut self, index: usize) {
        let source = match &self.items[index].state {
            State::Pending(source) => source.clone(),
            State::Ready(source) => source.object().clone(),
            State::Unfit { source, .. } => source.clone(),
            _ => return,
        };
        let mut heir = None;
        for (other, item) in self.items.iter_mut().enumerate() {
            if matches!(item.state, State::SameAs(same) if same == index) {
                item.state = match heir {
                    None => State::Pending(source.clone()),
                    Some(first) => State::SameAs(first),
                };
                heir = heir.or(Some(other));
            }
        }
    }

    /// Another item that stands for the same object version.
    fn index_of(&self, identity: &ObjectIdentity, except: usize) -> Option<usize> {
        self.items.iter().enumerate().find_map(|(index, item)| {
            let readable = matches!(item.state, State::Pending(_) | State::Ready(_) | State::Unfit { .. });
            (readable && index != except && item.state.identity() == Some(identity)).then_some(index)
        })
    }

    /// The identity of an object that is still to be settled.
    pub(super) fn identity(&self, index: usize) -> Option<&ObjectIdentity> {
        self.items[index].state.identity()
    }

    /// Every identity that the ledger should be asked for.
    pub(super) fn identities(&self) -> Vec<ObjectIdentity> {
        let mut identities: Vec<ObjectIdentity> =
            self.items.iter().filter_map(|item| item.state.identity().cloned()).collect();
        identities.sort();
        identities.dedup();
        identities
    }

    /// Takes in what the ledger has. What is absent and not there is missing now.
    pub(super) fn note_ledger(&mut self, found: &HashMap<ObjectIdentity, Found>) {
        for item in &mut self.items {
            if let Some(found) = item.state.identity().and_then(|identity| found.get(identity)) {
                item.state = State::Known { snapshot_id: found.snapshot_id };
            } else if let State::Absent(identity) = &item.state {
                let reason = "the bucket has no such object".to_owned();
                item.state = State::Faulty { identity: identity.clone(), reason };
            }
        }
    }

    /// Objects that were found and not looked at yet, with their index here.
    pub(super) fn pending(&self) -> Vec<(usize, SourceObject)> {
        self.items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| match &item.state {
                State::Pending(source) => Some((index, source.clone())),
                _ => None,
            })
            .collect()
    }

    /// Objects to be written, with their index here.
    pub(super) fn ready(&self) -> Vec<(usize, Source)> {
        self.items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| match &item.state {
                State::Ready(source) => Some((index, source.clone())),
                _ => None,
            })
            .collect()
    }

    pub(super) fn set_ready(&mut self, index: usize, source: Source) {
        self.items[index].state = State::Ready(source);
    }

    /// Sets an object aside.
    pub(super) fn set_faulty(&mut self, index: usize, reason: String) {
        let identity = self.items[index].state.identity().cloned();
        self.items[index].state = State::Faulty { identity, reason };
    }

    pub(super) fn set_done(&mut self, index: usize, snapshot_id: i64, written: Done) {
        self.items[index].state = State::Done { snapshot_id, written };
    }

    /// Sets an object aside for as long as the table is what it is.
    pub(super) fn set_unfit(&mut self, index: usize, reason: String) {
        let source = match &self.items[index].state {
            State::Ready(source) => source.object().clone(),
            State::Pending(source) => source.clone(),
            _ => return,
        };
        self.items[index].state = State::Unfit { source, reason };
    }

    /// Whether an object does not fit the table.
    pub(super) fn has_unfit(&self) -> bool {
        self.items.iter().any(|item| matches!(item.state, State::Unfit { .. }))
    }

    /// Looks again at what did not fit a table: it is another by now.
    pub(super) fn look_again(&mut self) {
        for item in &mut self.items {
            if let State::Unfit { source, .. } = &item.state {
                item.state = State::Pending(source.clone());
            }
        }
    }

    /// Forgets what was read of objects: they are opened anew for the next plan, or about to be committed.
    pub(super) fn release(&mut self) {
        for item in &mut self.items {
            if let State::Ready(source) = &item.state {
                item.state = State::Pending(source.object().clone());
            }
        }
    }

    /// Whether an object was found and is not settled.
    pub(super) fn is_unsettled(&self) -> bool {
        self.items.iter().any(|item| matches!(item.state, State::Pending(_) | State::Ready(_)))
    }

    pub(super) fn object(&self, index: usize) -> &'a RequestedObject {
        self.items[index].object
    }

    pub(super) fn faulty(&self) -> impl Iterator<Item = Faulty<'_>> {
        self.items.iter().filter_map(|item| match &item.state {
            State::Faulty { identity, reason } => {
                Some(Faulty { object: item.object, identity: identity.as_ref(), reason })
            }
            State::Unfit { source, reason } => {
                Some(Faulty { object: item.object, identity: Some(&source.identity), reason })
            }
            _ => None,
        })
    }

    /// The snapshot that holds the rows of this slice: the newest one that any of its objects came in by.
    pub(super) fn snapshot_id(&self) -> Option<i64> {
        let of =
            |wanted: fn(&State) -> Option<i64>| self.items.iter().rev().find_map(|item| wanted(&item.state));
        of(|state| match state {
            State::Done { snapshot_id, .. } => Some(*snapshot_id),
            _ => None,
        })
        .or_else(|| {
            of(|state| match state {
                State::Known { snapshot_id } => Some(*snapshot_id),
                _ => None,
            })
        })
    }

    /// What to answer for each place in the request.
    pub(super) fn into_outcomes(self) -> Vec<(usize, FileOutcome)> {
        let answers: Vec<FileOutcome> = self.items.iter().map(|item| self.answer(item)).collect();
        self.items.iter().zip(answers).map(|(item, answer)| (item.place, answer)).collect()
    }

    fn answer(&self, item: &Item<'_>) -> FileOutcome {
        match &item.state {
            State::Done { written: Done { rows, mode, why, note }, .. } => FileOutcome {
                rows: *rows,
                mode: Some((*mode).to_owned()),
                mode_reason: Some(why.clone()),
                ..outcome(item.object, FileStatus::Processed, note.clone())
            },
            State::Known { snapshot_id } => outcome(
                item.object,
                FileStatus::Skipped,
                Some(format!("already in the table since snapshot {snapshot_id}")),
            ),
            State::Faulty { reason, .. } | State::Unfit { reason, .. } => {
                outcome(item.object, FileStatus::Quarantined, Some(reason.clone()))
            }
            State::SameAs(index) => match &self.items[*index].state {
                State::Faulty { reason, .. } | State::Unfit { reason, .. } => {
                    outcome(item.object, FileStatus::Quarantined, Some(reason.clone()))
                }
                _ => outcome(
                    item.object,
                    FileStatus::Skipped,
                    Some("the same object version stands earlier in the request".to_owned()),
                ),
            },
            State::Pending(_) | State::Ready(_) | State::Absent(_) => {
                unreachable!("a slice is answered only when every object of it is settled")
            }
        }
    }
}

impl State {
    fn identity(&self) -> Option<&ObjectIdentity> {
        match self {
            State::Pending(source) | State::Unfit { source, .. } => Some(&source.identity),
            State::Ready(source) => Some(&source.object().identity),
            State::Absent(identity) => identity.as_ref(),
            State::Faulty { .. } | State::Known { .. } | State::Done { .. } | State::SameAs(_) => None,
        }
    }
}
