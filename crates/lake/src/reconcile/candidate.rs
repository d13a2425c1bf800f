//! What is to be done about one listed object.

use chrono::{DateTime, TimeDelta, Utc};
use ingest_core::{ObjectHint, ObjectIdentity, ObjectUri, RequestedObject};

use crate::storage::listing::Listed;

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Younger objects are left to the event path: they may be on their way.
    pub min_age: TimeDelta,
    /// Whether objects that were in the table and were rolled back are brought in again.
    pub include_rolled_back: bool,
}

/// What has to be known next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Is this object version in the ledger of `main`?
    Ledger(ObjectIdentity),
    /// Which version of the object is current?
    Identity,
    /// Is this object version in an [`abandoned`](super::abandoned()) ledger?
    Abandoned(ObjectIdentity),
    /// Is this object version quarantined?
    Quarantine(ObjectIdentity),
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is, or it is not.
    Is(bool),
    /// The current version; `None` if the object has gone.
    Current(Option<ObjectIdentity>),
}

/// What is to be done about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: its rows are in the table.
    InTable,
    /// Nothing yet: it is younger than [`Policy::min_age`].
    Recent,
    /// Nothing: it has gone since it was listed.
    Gone,
    /// Nothing unless asked: it was in the table, and `main` was rolled back.
    RolledBack,
    /// Report it: it was set aside before.
    Quarantined,
    /// Report it: no client can ask for such a key; the text says why.
    Unaddressable(&'static str),
    /// Ingest it.
    Missing,
}

/// What comes next for a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This has to be known.
    Ask(Question),
    /// Nothing more: this is to be done.
    Done(Verdict),
}

/// A listed object on its way to a [`Verdict`].
///
/// | what is known | next |
/// |---|---|
/// | its key cannot be addressed | [`Verdict::Unaddressable`] |
/// | younger than the policy's age | [`Verdict::Recent`] |
/// | its listed ETag | ask the ledger of `main` for that |
/// | it has it | [`Verdict::InTable`] |
/// | it does not, or no ETag was listed | ask for the current identity |
/// | gone | [`Verdict::Gone`] |
/// | another identity than was listed | ask the ledger of `main` for that: [`Verdict::InTable`] if it has it |
/// | not in the ledger | ask the abandoned ledgers, unless rolled-back objects are wanted |
/// | in one of them | [`Verdict::RolledBack`] |
/// | in none | ask the quarantine |
/// | quarantined | [`Verdict::Quarantined`] |
/// | not quarantined | [`Verdict::Missing`] |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    uri: ObjectUri,
    listed: Listed,
    step: Step,
}

impl Candidate {
    /// A listed object, as of `now`. `store` is the configured name of its store.
    #[must_use]
    pub fn new(store: &str, uri: ObjectUri, listed: Listed, policy: &Policy, now: DateTime<Utc>) -> Self {
        let step = if let Some(reason) = uri.unaddressable() {
            Step::Done(Verdict::Unaddressable(reason))
        } else if listed.modified.is_some_and(|modified| now - modified < policy.min_age) {
            Step::Done(Verdict::Recent)
        } else {
            let listed = ObjectIdentity::of(store, &uri, None, listed.etag.as_deref());
            Step::Ask(listed.map_or(Question::Identity, Question::Ledger))
        };
        Self { uri, listed, step }
    }

    /// The object.
    #[must_use]
    pub fn uri(&self) -> &ObjectUri {
        &self.uri
    }

    /// Its size in bytes, as listed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.listed.size
    }

    /// Its identity as far as the listing tells: by its ETag, if there is one.
    #[must_use]
    pub fn listed_identity(&self, store: &str) -> Option<ObjectIdentity> {
        ObjectIdentity::of(store, &self.uri, None, self.listed.etag.as_deref())
    }

    /// What comes next.
    #[must_use]
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// Takes in the answer to the question that [`Candidate::step`] asks. An answer that is none to that question
    /// changes nothing.
    pub fn answer(&mut self, answer: Answer, policy: &Policy) {
        let Step::Ask(question) = &self.step else { return };
        let next = match (question, answer) {
            (Question::Ledger(_), Answer::Is(true)) => Step::Done(Verdict::InTable),
            (Question::Ledger(asked), Answer::Is(false)) if self.is_listed(asked) => {
                Step::Ask(Question::Identity)
            }
            (Question::Ledger(current), Answer::Is(false)) => outside(current.clone(), policy),
            (Question::Identity, Answer::Current(None)) => Step::Done(Verdict::Gone),
            (Question::Identity, Answer::Current(Some(current))) if self.is_listed(&current) => {
                outside(current, policy)
            }
            (Question::Identity, Answer::Current(Some(current))) => Step::Ask(Question::Ledger(current)),
            (Question::Abandoned(_), Answer::Is(true)) => Step::Done(Verdict::RolledBack),
            (Question::Abandoned(current), Answer::Is(false)) => {
                Step::Ask(Question::Quarantine(current.clone()))
            }
            (Question::Quarantine(_), Answer::Is(true)) => Step::Done(Verdict::Quarantined),
            (Question::Quarantine(_), Answer::Is(false)) => Step::Done(Verdict::Missing),
            (Question::Identity, Answer::Is(_)) | (_, Answer::Current(_)) => return,
        };
        self.step = next;
    }

    /// The object as a request names it: the version that is current when it is read.
    #[must_use]
    pub fn into_request(self) -> RequestedObject {
        let hint = ObjectHint {
            event_time: self.listed.modified,
            size: Some(self.listed.size),
            etag: self.listed.etag,
            ..ObjectHint::default()
        };
        RequestedObject { uri: self.uri, hint }
    }

    /// Whether an identity is the one that the listing told. The store and the key are this object's in any case.
    fn is_listed(&self, identity: &ObjectIdentity) -> bool {
        self.listed_identity(&identity.store).as_ref() == Some(identity)
    }
}

/// What comes next for a version that is not in the ledger.
fn outside(current: ObjectIdentity, policy: &Policy) -> Step {
    Step::Ask(if policy.include_rolled_back {
        Question::Quarantine(current)
    } else {
        Question::Abandoned(current)
    })
}

#[cfg(test)]
mod tests {
    use ingest_core::ObjectVersion;

    use super::*;

    const POLICY: Policy = Policy { min_age: TimeDelta::minutes(5), include_rolled_back: false };

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_767_323_045_678).unwrap()
    }

    fn candidate(key: &str, etag: Option<&str>, age: TimeDelta, policy: &Policy) -> Candidate {
        let listed = Listed {
            key: key.to_owned(),
            size: 3,
            etag: etag.map(str::to_owned),
            modified: Some(now() - age),
        };
        Candidate::new("s3", ObjectUri::new("b", key).unwrap(), listed, policy, now())
    }

    fn old() -> Candidate {
        candidate("k", Some("\"E\""), TimeDelta::hours(1), &POLICY)
    }

    fn identity(version: ObjectVersion) -> ObjectIdentity {
        ObjectIdentity { store: "s3".into(), bucket: "b".into(), key: "k".into(), version }
    }

    fn by_etag(etag: &str) -> ObjectIdentity {
        identity(ObjectVersion::ETag(etag.to_owned()))
    }

    /// The verdict if every question is answered by `answer`, and the questions.
    fn ask(
        mut candidate: Candidate,
        policy: &Policy,
        answer: impl Fn(&Question) -> Answer,
    ) -> (Verdict, Vec<Question>) {
        let mut asked = Vec::new();
        loop {
            match candidate.step().clone() {
                Step::Done(verdict) => return (verdict, asked),
                Step::Ask(question) => {
                    candidate.answer(answer(&question), policy);
                    asked.push(question);
                }
            }
        }
    }

    #[test]
    fn what_the_ledger_has_under_its_listed_etag_costs_one_look_up_and_no_request() {
        let (verdict, asked) = ask(old(), &POLICY, |_| Answer::Is(true));
        assert_eq!((verdict, asked), (Verdict::InTable, vec![Question::Ledger(by_etag("e"))]));
    }

    #[test]
    fn an_object_that_nobody_knows_is_missing_after_every_question_once() {
        let (verdict, asked) = ask(old(), &POLICY, |question| match question {
            Question::Identity => Answer::Current(Some(by_etag("e"))),
            _ => Answer::Is(false),
        });
        assert_eq!(verdict, Verdict::Missing);
        let e = || by_etag("e");
        let expected =
            [Question::Ledger(e()), Question::Identity, Question::Abandoned(e()), Question::Quarantine(e())];
        assert_eq!(asked, expected);
    }

    #[test]
    fn the_current_version_decides_where_it_is_not_what_was_listed() {
        for current in [identity(ObjectVersion::VersionId("v2".into())), by_etag("overwritten")] {
            for known in [true, false] {
                let (verdict, asked) = ask(old(), &POLICY, |question| match question {
                    Question::Identity => Answer::Current(Some(current.clone())),
                    Question::Ledger(asked) => Answer::Is(known && *asked == current),
                    _ => Answer::Is(false),
                });
                assert_eq!(verdict, if known { Verdict::InTable } else { Verdict::Missing });
                assert!(asked.contains(&Question::Ledger(current.clone())));
            }
        }
    }

    #[test]
    fn what_was_rolled_back_stays_out_unless_asked_for() {
        let answer = |question: &Question| match question {
            Question::Identity => Answer::Current(Some(by_etag("e"))),
            Question::Abandoned(_) => Answer::Is(true),
            _ => Answer::Is(false),
        };
        assert_eq!(ask(old(), &POLICY, answer).0, Verdict::RolledBack);
        let all = Policy { include_rolled_back: true, ..POLICY };
        let (verdict, asked) = ask(candidate("k", Some("e"), TimeDelta::hours(1), &all), &all, answer);
        assert_eq!(verdict, Verdict::Missing);
        assert!(!asked.iter().any(|question| matches!(question, Question::Abandoned(_))));
    }

    #[test]
    fn the_quarantined_is_reported_and_the_gone_forgotten() {
        let answer = |current| {
            move |question: &Question| match question {
                Question::Identity => Answer::Current(current),
                Question::Quarantine(_) => Answer::Is(true),
                _ => Answer::Is(false),
            }
        };
        let found = Some(by_etag("e"));
        assert_eq!(ask(old(), &POLICY, |q| answer(found.clone())(q)).0, Verdict::Quarantined);
        assert_eq!(ask(old(), &POLICY, |q| answer(None)(q)).0, Verdict::Gone);
    }

    #[test]
    fn the_young_and_the_unaddressable_are_not_asked_about() {
        let young = candidate("k", Some("e"), TimeDelta::minutes(4), &POLICY);
        assert_eq!(*young.step(), Step::Done(Verdict::Recent));
        let odd = candidate("a//b", Some("e"), TimeDelta::minutes(4), &POLICY);
        assert_eq!(*odd.step(), Step::Done(Verdict::Unaddressable("key has an empty segment")));
    }

    #[test]
    fn without_an_etag_the_store_is_asked_and_a_wrong_answer_changes_nothing() {
        let mut candidate = candidate("k", None, TimeDelta::hours(1), &POLICY);
        assert_eq!(*candidate.step(), Step::Ask(Question::Identity));
        candidate.answer(Answer::Is(true), &POLICY);
        assert_eq!(*candidate.step(), Step::Ask(Question::Identity));
        candidate.answer(Answer::Current(Some(by_etag("e"))), &POLICY);
        assert_eq!(*candidate.step(), Step::Ask(Question::Ledger(by_etag("e"))));
        // That it is not there is not asked twice.
        candidate.answer(Answer::Is(false), &POLICY);
        assert_eq!(*candidate.step(), Step::Ask(Question::Abandoned(by_etag("e"))));
    }
}
