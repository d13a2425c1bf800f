//! One object in full: store, inbox, rules, ledgers and quarantines, and what the process remembers.

use ingest_core::{ObjectUri, TableName};
use operations::PlantError;
use operations::model::{Announcement, FileLine, InBucket, Place, Story, StoryVersion};

use super::files::remembered;
use super::{StandalonePlant, lake_failed, store_failed};
use crate::overview::{routing, story};
use crate::standalone::activity::FileActivity;
use crate::standalone::flow::Ingest;
use crate::standalone::store::StoreError;

/// Rows of the inbox about one object that are looked at.
const ANNOUNCED: usize = 100;

impl<I: Ingest> StandalonePlant<I> {
    pub(super) async fn tell_story(
        &self,
        object: &ObjectUri,
        table: Option<&TableName>,
    ) -> Result<Story, PlantError> {
        let in_bucket = self.in_bucket(object).await?;
        let waiting = self.inbox.announced(object.as_str(), ANNOUNCED).await.map_err(store_failed)?;
        let announced = waiting.into_iter().find(|row| row.file == object.as_str());
        let recent: Vec<FileActivity> = self
            .activity
            .snapshot()
            .1
            .into_iter()
            .rev()
            .filter(|file| file.file == object.as_str())
            .collect();
        let mut versions = Vec::new();
        for table in self.asked(table) {
            let found = self.lake.explain(&table, object).await.map_err(lake_failed)?;
            versions.extend(story::versions(&table, &found));
        }
        for version in &mut versions {
            remember(version, &recent);
        }
        versions.sort_by_key(|version: &StoryVersion| std::cmp::Reverse(version.time));
        let lines: Vec<FileLine> = recent.into_iter().map(remembered).collect();
        if in_bucket.place == Place::Missing && versions.is_empty() && lines.is_empty() && announced.is_none()
        {
            return Err(PlantError::not_found(format!(
                "`{object}` is not in the bucket, and was never seen"
            )));
        }
        Ok(Story {
            routing: Some(routing::of(&self.rules.current(), object, in_bucket.bytes)),
            file: object.to_string(),
            in_bucket,
            announced: announced.map(|row| Announcement {
                time: row.arrived,
                position: format!("row {} of the inbox", row.id),
            }),
            versions,
            recent: lines,
        })
    }

    async fn in_bucket(&self, object: &ObjectUri) -> Result<InBucket, PlantError> {
        let missing =
            InBucket { place: Place::Missing, version: None, bytes: None, modified: None, reason: None };
        match self.store.head(object.bucket(), object.key()).await {
            Ok(found) => Ok(InBucket {
                place: Place::Present,
                version: Some(format!("ETag {}", found.etag)),
                bytes: Some(found.size),
                modified: Some(found.modified),
                reason: None,
            }),
            Err(StoreError::NoSuchKey { .. }) => Ok(missing),
            Err(error @ StoreError::NoSuchBucket(_)) => {
                Ok(InBucket { reason: Some(error.to_string()), ..missing })
            }
            Err(error) => Err(store_failed(error)),
        }
    }
}

/// Why it was written the way it was: the process remembers that for a while, the ledger does not.
fn remember(version: &mut StoryVersion, recent: &[FileActivity]) {
    let of_request = recent.iter().find(|file| file.request_id.as_ref() == Some(&version.request_id));
    if version.mode.is_some() {
        version.mode_reason = of_request.and_then(|file| file.mode_reason.clone());
    }
}
