//! Records in object storage: taking a request, marking how far it is, closing it.
//!
//! Every file is written once, and only if it is not there: of two launchers that do the same, the second finds what the
//! first did. A record is over as soon as its story in `closed/` says so; its files go after that, in any order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use ingest_core::IngestRequest;
use lake::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::closed::{Closed, Closing, Told};
use super::documents::{self, Asked, Ended, Started, Taken};
use super::files::Files;
use super::names::{Mark, is_id};
use super::{Marks, Record};
use crate::backend::{Attempt, AttemptName};

/// Files of records that are held in mind while they are listed. There are never so many: live records are bounded.
const MAX_LISTED_FILES: usize = 500_000;

/// The records below one root.
#[derive(Debug, Clone)]
pub struct Records {
    pub(super) files: Files,
}

/// The files that one request id has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The id.
    pub id: String,
    /// The files' marks and numbers, and when they were written, by the store's clock.
    pub files: BTreeMap<(Mark, u32), DateTime<Utc>>,
}

impl Listed {
    /// The number and age of the newest request among them.
    pub fn request(&self) -> Option<(u32, DateTime<Utc>)> {
        let mut requests = self.files.range((Mark::Request, 0)..=(Mark::Request, u32::MAX));
        requests.next_back().map(|((_, number), written)| (*number, *written))
    }

    /// The numbers of the files of one mark, from `first` on.
    pub fn numbers(&self, mark: Mark, first: u32) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.files.range((mark, first)..=(mark, u32::MAX)).map(|((_, number), _)| *number)
    }
}

/// What a request found when it came.
#[derive(Debug)]
pub enum Found {
    /// A record of the same content.
    Live(Box<Record>),
    /// None; the attempts of the next one would begin with this number.
    Vacant(u32),
}

impl Records {
    /// The records among these files.
    pub fn new(files: Files) -> Self {
        Self { files }
    }

    /// All ids that have files, the oldest requests first; a request comes before every one that is taken later.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let mut found: BTreeMap<String, Listed> = BTreeMap::new();
        let mut listed = self.files.list("records")?;
        let mut count = 0;
        while let Some((path, meta)) = listed.try_next().await? {
            let Some((id, file)) = path.split_once('/').filter(|(id, _)| is_id(id)) else { continue };
            let Some(mark) = Mark::parse(file) else { continue };
            let record = || Listed { id: id.to_owned(), files: BTreeMap::new() };
            found.entry(id.to_owned()).or_insert_with(record).files.insert(mark, meta.last_modified);
            count += 1;
            if count == MAX_LISTED_FILES {
                tracing::error!(files = count, "more files of records than can be listed: the rest waits");
                break;
            }
        }
        let mut records: Vec<Listed> = found.into_values().collect();
        records.sort_by(|a, b| (a.request().map(|r| r.1), &a.id).cmp(&(b.request().map(|r| r.1), &b.id)));
        Ok(records)
    }

    /// The files of one id.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn listed(&self, id: &str) -> Result<Listed> {
        let mut files = BTreeMap::new();
        let mut listed = self.files.list(&format!("records/{id}"))?;
        while let Some((file, meta)) = listed.try_next().await? {
            files.extend(Mark::parse(&file).map(|mark| (mark, meta.last_modified)));
        }
        Ok(Listed { id: id.to_owned(), files })
    }

    /// What there is of a request id now.
    ///
    /// # Errors
    /// The store does not answer, or a file cannot be read.
    pub async fn find(&self, id: &str) -> Result<Found> {
        // In this order: a record that is closed between the two is found in its story.
        let listed = self.listed(id).await?;
        let through = self.through(id).await?;
        match self.read_record(&listed, through).await? {
            Some(record) => Ok(Found::Live(Box::new(record))),
            None => Ok(Found::Vacant(through.saturating_add(1))),
        }
    }

    /// The record among listed files; `None` if it is over or was never written. Finishes a close that did not end.
    ///
    /// # Errors
    /// The store does not answer, or a file cannot be read.
    pub async fn load(&self, listed: &Listed) -> Result<Option<Record>> {
        let through = self.through(&listed.id).await?;
        for (mark, number) in listed.files.keys().filter(|(_, number)| *number <= through) {
            self.files.remove(&path(&listed.id, *mark, *number)).await?;
        }
        self.read_record(listed, through).await
    }

    /// Writes the record of a request, unless there is one whose first attempt has this number; says whether it did.
    ///
    /// # Errors
    /// The store does not answer: the request is not owned, or nobody knows.
    pub async fn take(&self, request: &IngestRequest, first: u32, taken: &Taken) -> Result<bool> {
        let file = path(&taken.record_id, Mark::Request, first);
        self.files.create(&file, documents::write(request, taken)).await
    }

    /// Writes what an attempt is asked for, unless that was written before; either way that is the attempt.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn begin(&self, id: &str, number: u32, request: &IngestRequest) -> Result<Attempt> {
        let asked = Asked { record_id: id.to_owned(), attempt: number };
        let file = path(id, Mark::Attempt, number);
        self.files.create(&file, documents::write(request, &asked)).await?;
        let attempt = self.attempt(id, number).await?;
        attempt.ok_or_else(|| self.files.damaged(&file, "it was taken away at once"))
    }

    /// What an attempt was asked for.
    ///
    /// # Errors
    /// The store does not answer, or the file cannot be read.
    pub async fn attempt(&self, id: &str, number: u32) -> Result<Option<Attempt>> {
        let file = path(id, Mark::Attempt, number);
        let Some(bytes) = self.files.read(&file).await? else { return Ok(None) };
        let (request, asked) =
            documents::read::<Asked>(&bytes).map_err(|why| self.files.damaged(&file, &why))?;
        if (asked.record_id.as_str(), asked.attempt) != (id, number) {
            return Err(self.files.damaged(&file, "it speaks of another attempt"));
        }
        let name = AttemptName { record_id: asked.record_id, number };
        Ok(Some(Attempt { name, request, document: self.files.url(&file) }))
    }

    /// Writes a mark, unless it is there; says whether it was not.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn mark(&self, id: &str, mark: Mark, number: u32, says: &impl Serialize) -> Result<bool> {
        let bytes = serde_json::to_vec(says).expect("marks are made of strings, numbers and times");
        self.files.create(&path(id, mark, number), bytes).await
    }

    /// Takes a mark away.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn unmark(&self, id: &str, mark: Mark, number: u32) -> Result<()> {
        self.files.remove(&path(id, mark, number)).await
    }

    /// What a mark says.
    ///
    /// # Errors
    /// The store does not answer, or the file cannot be read.
    pub async fn says<T: DeserializeOwned>(&self, id: &str, mark: Mark, number: u32) -> Result<Option<T>> {
        self.json(&path(id, mark, number)).await
    }

    /// Closes a record: writes its story, then removes its files.
    ///
    /// # Errors
    /// The store does not answer. The record is over all the same if its story was written.
    pub async fn close(&self, record: &Record, how: Closing, now: DateTime<Utc>) -> Result<Closed> {
        let mut attempts = Vec::with_capacity(record.attempts.len());
        for marks in &record.attempts {
            let started: Option<Started> = self.says(&record.id, Mark::Started, marks.number).await?;
            attempts.push(Told::of(marks, started.as_ref()));
        }
        let story = Closed::of(record, how, attempts, now);
        let bytes = serde_json::to_vec(&story).expect("a story is made of strings, numbers and times");
        self.files.write(&closed(&record.id), bytes).await?;
        self.load(&self.listed(&record.id).await?).await?;
        Ok(story)
    }

    /// The files, for those who look after them.
    pub fn files(&self) -> &Files {
        &self.files
    }

    pub(super) async fn through(&self, id: &str) -> Result<u32> {
        Ok(self.closed(id).await?.map_or(0, |closed| closed.through))
    }

    pub(super) async fn json<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>> {
        let Some(bytes) = self.files.read(file).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.files.damaged(file, &error.to_string()))
    }

    async fn read_record(&self, listed: &Listed, through: u32) -> Result<Option<Record>> {
        let Some((first, _)) = listed.request().filter(|(number, _)| *number > through) else {
            return Ok(None);
        };
        let file = path(&listed.id, Mark::Request, first);
        let Some(bytes) = self.files.read(&file).await? else { return Ok(None) };
        let (request, taken) =
            documents::read::<Taken>(&bytes).map_err(|why| self.files.damaged(&file, &why))?;
        let started: BTreeSet<u32> = listed.numbers(Mark::Started, first).collect();
        let ended: BTreeSet<u32> = listed.numbers(Mark::Ended, first).collect();
        let mut attempts = Vec::new();
        for number in listed.numbers(Mark::Attempt, first) {
            let says: Option<Ended> = match ended.contains(&number) {
                true => self.says(&listed.id, Mark::Ended, number).await?,
                false => None,
            };
            attempts.push(Marks { number, started: started.contains(&number), ended: says });
        }
        Ok(Some(Record {
            id: listed.id.clone(),
            first,
            received: taken.received,
            request,
            set_aside_before: taken.set_aside_before,
            attempts,
            retried: listed.numbers(Mark::Retried, first).next_back().unwrap_or(0),
            failed: listed.numbers(Mark::Failed, first).next().is_some(),
            cancelled: listed.numbers(Mark::Cancelled, first).next().is_some(),
        }))
    }
}

pub(super) fn path(id: &str, mark: Mark, number: u32) -> String {
    format!("records/{id}/{}", mark.file(number))
}

pub(super) fn closed(id: &str) -> String {
    format!("closed/{id}.json")
}
