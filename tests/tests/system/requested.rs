//! What dispatchers make of announcements, and whether each came out again: invariant 1.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use testkit::kafka::Received;

use crate::announced::{Announced, Wanted};
use crate::bucket::WITHIN;
use crate::pipeline::Pipeline;

/// All that dispatchers have made of the announcements so far.
#[derive(Debug, Default)]
pub struct Requested {
    /// Files of light requests, by the request's id.
    light: Vec<(String, BTreeSet<String>)>,
    /// The same of heavy requests.
    heavy: Vec<(String, BTreeSet<String>)>,
    /// Records in the dead letters.
    dead: Vec<(i32, i64)>,
}

impl Requested {
    pub async fn read(pipeline: &Pipeline<'_>) -> Self {
        let (kafka, topic) = (pipeline.kafka, pipeline.events.as_str());
        let requests = async |topic: &str| kafka.records(topic).await.iter().map(request).collect::<Vec<_>>();
        let dead = kafka.records(&pipeline.dead).await;
        Self {
            light: requests(&pipeline.light).await,
            heavy: requests(&pipeline.heavy).await,
            dead: dead.iter().map(|record| origin(record, topic)).collect(),
        }
    }

    /// The files of a request.
    pub fn files_of(&self, id: &str) -> BTreeSet<&str> {
        let requests = self.light.iter().chain(&self.heavy).filter(|(other, _)| other == id);
        requests.flat_map(|(_, files)| files.iter().map(String::as_str)).collect()
    }

    /// Waits until each light request is answered.
    pub async fn answered(&self, pipeline: &Pipeline<'_>) {
        let mut waiting: BTreeSet<&str> = self.light.iter().map(|(id, _)| id.as_str()).collect();
        let answered = |records: &[Received]| {
            if let Some(last) = records.last() {
                let answer: Value = serde_json::from_slice(&last.value).unwrap();
                waiting.remove(answer["request_id"].as_str().unwrap());
            }
            waiting.is_empty()
        };
        pipeline.kafka.consume_until(&pipeline.results, WITHIN, answered).await;
    }

    /// Records that have not led to what they have to lead to.
    pub fn skipped<'a>(&self, announced: &'a Announced) -> Vec<(&'a (i32, i64), &'a Wanted)> {
        let (light, heavy) = (files(&self.light), files(&self.heavy));
        let dead: BTreeSet<_> = self.dead.iter().collect();
        let skipped = announced.iter().filter(|(place, wanted)| match wanted {
            Wanted::Light(file) => !light.contains(file.as_str()),
            Wanted::Heavy(file) => !heavy.contains(file.as_str()),
            Wanted::DeadLetter => !dead.contains(place),
        });
        skipped.collect()
    }

    /// Asserts that no record was skipped.
    pub fn assert_all_of(&self, announced: &Announced) {
        let skipped = self.skipped(announced);
        let (count, all) = (skipped.len(), announced.len());
        assert!(skipped.is_empty(), "{count} of {all} records were skipped: {skipped:?}");
    }

    /// How often files were requested again that were announced once, and how many files that is of.
    pub fn again(&self, announced: &Announced) -> (usize, usize) {
        let mut announcements: BTreeMap<&str, usize> = BTreeMap::new();
        for wanted in announced.values() {
            if let Wanted::Light(file) | Wanted::Heavy(file) = wanted {
                *announcements.entry(file).or_default() += 1;
            }
        }
        announcements.retain(|_, times| *times == 1);
        let requested = self.light.iter().chain(&self.heavy).flat_map(|(_, files)| files);
        let requested = requested.filter(|file| announcements.contains_key(file.as_str())).count();
        (requested.saturating_sub(announcements.len()), announcements.len())
    }
}

fn files(requests: &[(String, BTreeSet<String>)]) -> BTreeSet<&str> {
    requests.iter().flat_map(|(_, files)| files.iter().map(String::as_str)).collect()
}

fn request(record: &Received) -> (String, BTreeSet<String>) {
    let body: Value = serde_json::from_slice(&record.value).unwrap();
    let files = body["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap().to_owned());
    (body["request_id"].as_str().unwrap().to_owned(), files.collect())
}

/// Where a dead letter came from.
fn origin(record: &Received, topic: &str) -> (i32, i64) {
    let header = |name| record.header(name).unwrap_or_else(|| panic!("no {name}: {record:?}"));
    assert_eq!(header("dead-letter-topic"), topic);
    (header("dead-letter-partition").parse().unwrap(), header("dead-letter-offset").parse().unwrap())
}
