//! What is left of records that are over: their stories, and when what is old was last looked through.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use lake::Result;

use super::closed::Closed;
use super::documents::Note;
use super::names::closed_id;
use super::store::{Found, Records, closed, path};

/// When what is left behind was last looked after.
const TIDIED: &str = "tidied.json";

impl Records {
    /// The story of a record that is over.
    ///
    /// # Errors
    /// The store does not answer, or the file cannot be read.
    pub async fn closed(&self, id: &str) -> Result<Option<Closed>> {
        self.json(&closed(id)).await
    }

    /// Ids of closed records and when they were closed, the newest first; at most so many.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn stories(&self, limit: usize) -> Result<Vec<(String, DateTime<Utc>)>> {
        let mut listed = self.files.list("closed")?;
        let mut newest = BTreeSet::new();
        while let Some((file, meta)) = listed.try_next().await? {
            newest.extend(closed_id(&file).map(|id| (meta.last_modified, id.to_owned())));
            if newest.len() > limit {
                newest.pop_first();
            }
        }
        Ok(newest.into_iter().rev().map(|(written, id)| (id, written)).collect())
    }

    /// Ids of records that were closed before this time; at most so many.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn stories_before(&self, time: DateTime<Utc>, limit: usize) -> Result<Vec<String>> {
        let listed = self.files.list("closed")?;
        let old = listed.try_filter_map(|(file, meta)| {
            let id = closed_id(&file).filter(|_| meta.last_modified < time).map(str::to_owned);
            std::future::ready(Ok(id))
        });
        old.take(limit).try_collect().await
    }

    /// When what is left behind was last looked after, by whatever process.
    ///
    /// # Errors
    /// The store does not answer, or the file cannot be read.
    pub async fn tidied(&self) -> Result<Option<DateTime<Utc>>> {
        let note: Option<Note> = self.json(TIDIED).await?;
        Ok(note.map(|note| note.time))
    }

    /// Notes that it was looked after.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn note_tidied(&self, time: DateTime<Utc>) -> Result<()> {
        let note = Note { time, reason: None };
        self.files.write(TIDIED, serde_json::to_vec(&note).expect("a note is a time")).await
    }

    /// Removes what is left of a record that is over: its files, the lists of its stages, and its story last. A record of
    /// the same request that was taken since keeps what is its own. Lists that were written after `before` stay, too.
    ///
    /// # Errors
    /// The store does not answer, or the story cannot be read.
    pub async fn forget(&self, id: &str, before: DateTime<Utc>) -> Result<()> {
        if let Found::Live(_) = self.find(id).await? {
            return Ok(());
        }
        let through = self.through(id).await?;
        for (mark, number) in self.listed(id).await?.files.into_keys() {
            // One with a higher number was taken a moment ago.
            if number <= through {
                self.files.remove(&path(id, mark, number)).await?;
            }
        }
        let folder = format!("stages/{id}");
        let mut lists = self.files.list(&folder)?;
        while let Some((file, meta)) = lists.try_next().await? {
            if meta.last_modified < before {
                self.files.remove(&format!("{folder}/{file}")).await?;
            }
        }
        self.files.remove(&closed(id)).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use ingest_core::IngestRequest;
    use lake::storage::Stores;

    use super::*;
    use crate::record::Record;
    use crate::record::closed::Closing;
    use crate::record::documents::Taken;
    use crate::record::files::Files;

    fn records(folder: &std::path::Path) -> Records {
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        Records::new(Files::new(stores, &format!("file://{}", folder.display())).unwrap())
    }

    fn request() -> IngestRequest {
        let body = br#"{"files": ["s3://b/a.parquet"], "table": "db.t"}"#;
        IngestRequest::from_json(body, &ingest_core::RequestDefaults::default(), Utc::now()).unwrap()
    }

    async fn take(records: &Records, first: u32) -> Record {
        let id = request().request_id;
        let note = Taken {
            record_id: id.clone(),
            received: Utc::now(),
            set_aside_before: BTreeMap::new(),
            traceparent: None,
        };
        assert!(records.take(&request(), first, &note).await.unwrap());
        match records.find(&id).await.unwrap() {
            Found::Live(record) => *record,
            Found::Vacant(_) => panic!("it was taken"),
        }
    }

    #[tokio::test]
    async fn an_old_story_goes_and_takes_nothing_of_the_next_record_along() {
        let folder = tempfile::tempdir().unwrap();
        let records = records(folder.path());
        let record = take(&records, 1).await;
        let id = record.id.clone();
        records.begin(&record, 1, &record.request).await.unwrap();
        let Found::Live(record) = records.find(&id).await.unwrap() else { panic!("it lives") };
        records.close(&record, Closing::Done, Utc::now()).await.unwrap();
        let later = Utc::now() + chrono::TimeDelta::hours(1);
        assert_eq!(records.stories_before(later, 10).await.unwrap(), std::slice::from_ref(&id));

        // While the old story is looked at, the same request is taken again.
        let next = take(&records, 2).await;
        records.forget(&id, later).await.unwrap();
        assert_eq!(take_up(&records, &id).await, Some(next.first));

        records.close(&next, Closing::Done, Utc::now()).await.unwrap();
        records.forget(&id, later).await.unwrap();
        assert_eq!(take_up(&records, &id).await, None);
        assert!(records.stories(10).await.unwrap().is_empty());
    }

    async fn take_up(records: &Records, id: &str) -> Option<u32> {
        match records.find(id).await.unwrap() {
            Found::Live(record) => Some(record.first),
            Found::Vacant(_) => None,
        }
    }

    #[tokio::test]
    async fn of_many_stories_the_newest_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let records = records(folder.path());
        let mut ids = Vec::new();
        for number in 0..5 {
            // Names in another order than times.
            let id = format!("{:040x}", (number * 7) % 5);
            records.files().write(&closed(&id), b"{}".to_vec()).await.unwrap();
            let written = folder.path().join(closed(&id));
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 + number);
            std::fs::File::options().write(true).open(written).unwrap().set_modified(time).unwrap();
            ids.insert(0, id);
        }
        let told: Vec<String> = records.stories(2).await.unwrap().into_iter().map(|(id, _)| id).collect();
        assert_eq!(told, ids[..2]);
    }
}
