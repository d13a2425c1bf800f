//! What an operator may change: request again, send back, put a file.

use std::collections::HashMap;

use chrono::Utc;
use futures::StreamExt;
use ingest_core::{IngestRequest, RequestDefaults, Route, TableName};
use operations::PlantError;
use operations::model::{Changed, Outcome, Uploaded};
use operations::plant::Upload;

use super::{StandalonePlant, lake_failed, store_failed};
use crate::overview::again::{self, Chosen};
use crate::standalone::flow::{Ingest, IngestError};
use crate::standalone::letters::Found;
use crate::standalone::store::{Attributes, Precondition};

impl<I: Ingest> StandalonePlant<I> {
    pub(super) async fn again(&self, table: &TableName, ids: &[String]) -> Result<Changed, PlantError> {
        let (chosen, unknown) = again::choose(&self.lake, table, ids).await.map_err(lake_failed)?;
        let mut outcomes: HashMap<String, Outcome> = HashMap::new();
        for id in unknown {
            let said = outcome(&id, false, format!("nothing of that name is set aside for {table}"));
            outcomes.insert(id, said);
        }
        for (route, some) in again::by_route(table, chosen) {
            for (chosen, (done, message)) in some.iter().zip(self.request(&route, &some).await?) {
                let id = &chosen.kept.name;
                outcomes.insert(id.clone(), outcome(id, done, message));
            }
        }
        let outcomes = ids.iter().filter_map(|id| outcomes.get(id.as_str()).cloned());
        Ok(Changed { outcomes: outcomes.collect() })
    }

    /// Requests some objects, once. Says for each whether it is in the table now, and why not.
    async fn request(&self, route: &Route, some: &[Chosen]) -> Result<Vec<(bool, String)>, PlantError> {
        let request =
            again::request(route, some, false).map_err(|error| PlantError::invalid(error.to_string()))?;
        let result = match self.worker.ingest(&request).await {
            Ok(result) => result,
            Err(error) => return Ok(vec![(false, failed(error)); some.len()]),
        };
        self.activity.answered(&request, &result, Utc::now());
        let settled = again::settle(some, &request, &result, false).await.map_err(lake_failed)?;
        let said = settled.into_iter().map(|(there, outcome)| match (there, outcome) {
            (true, Some(file)) if file.rows > 0 => (true, format!("{} rows are in the table now", file.rows)),
            (true, _) => (true, "it is in the table".to_owned()),
            (false, outcome) => {
                let reason = outcome.and_then(|file| file.reason).unwrap_or_default();
                (false, format!("still set aside: {reason}"))
            }
        });
        Ok(said.collect())
    }

    pub(super) async fn send_back(&self, ids: &[String]) -> Result<Changed, PlantError> {
        let mut outcomes = Vec::with_capacity(ids.len());
        for id in ids {
            let (done, message) = match self.inbox.put_back(id).await.map_err(store_failed)? {
                Found::Nothing => {
                    (false, "there is no such dead letter: it may have been sent back".to_owned())
                }
                Found::PutBack => (true, "it is in the inbox again".to_owned()),
                Found::Request(body) => self.carry_out(id, &body).await?,
            };
            outcomes.push(outcome(id, done, message));
        }
        Ok(Changed { outcomes })
    }

    /// A request that was refused, once more.
    async fn carry_out(&self, id: &str, body: &str) -> Result<(bool, String), PlantError> {
        let defaults = RequestDefaults { table: self.table.clone() };
        let request = match IngestRequest::from_json(body.as_bytes(), &defaults, Utc::now()) {
            Ok(request) => request,
            Err(error) => return Ok((false, format!("it is no request: {error}"))),
        };
        match self.worker.ingest(&request).await {
            Ok(result) => {
                self.activity.answered(&request, &result, Utc::now());
                self.inbox.forget_letter(id).await.map_err(store_failed)?;
                Ok((true, format!("{} rows are in {} now", result.rows, result.table)))
            }
            Err(error) => Ok((false, failed(error))),
        }
    }

    pub(super) async fn take_file(&self, upload: Upload) -> Result<Uploaded, PlantError> {
        let Upload { key, mut body } = upload;
        let object = ingest_core::ObjectUri::new(&self.bucket, &key)
            .map_err(|error| PlantError::invalid(error.to_string()))?;
        if let Some(reason) = object.unaddressable() {
            return Err(PlantError::invalid(format!("{reason}: give the file another name")));
        }
        let mut blob = self.store.begin_blob().await.map_err(store_failed)?;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(PlantError::unavailable)?;
            blob.write(&piece).await.map_err(|error| store_failed(error.into()))?;
        }
        let blob = blob.finish().await.map_err(|error| store_failed(error.into()))?;
        let put = self.store.put(&self.bucket, &key, blob, Attributes::default(), Precondition::None).await;
        let stored = put.map_err(store_failed)?;
        Ok(Uploaded { file: object.to_string(), bytes: stored.size, etag: stored.etag })
    }
}

fn failed(error: IngestError) -> String {
    match error {
        IngestError::Rejected(reason) => format!("refused: {reason}"),
        IngestError::Retry { reason, .. } => format!("not now, try again: {reason}"),
    }
}

fn outcome(id: &str, done: bool, message: String) -> Outcome {
    Outcome { id: id.to_owned(), done, message }
}
