//! What happens on the way into a table is told to whoever counts it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use iceberg::table::Table;
use lake::catalog::{Commit, CommitPort, Outcome};
use lake::commit::protocol::Answer;
use lake::observe::{Committed, LedgerSize, Observer, Stage};

use crate::fixture::{Fixture, TABLE, file, request};

/// What is told of a commit, with its table's name.
type Told = (String, usize, Vec<DateTime<Utc>>, Vec<u64>, LedgerSize);

/// Writes down what it hears.
#[derive(Debug, Default)]
struct Heard {
    stages: Mutex<Vec<Stage>>,
    answers: Mutex<Vec<Answer>>,
    committed: Mutex<Vec<Told>>,
}

impl Observer for Heard {
    fn took(&self, stage: Stage, _time: Duration) {
        self.stages.lock().unwrap().push(stage);
    }

    fn answered(&self, answer: Answer) {
        self.answers.lock().unwrap().push(answer);
    }

    fn committed(&self, commit: &Committed<'_>) {
        let Committed { table, objects, event_times, sizes, ledger } = commit.clone();
        self.committed.lock().unwrap().push((table.to_string(), objects, event_times, sizes, ledger));
    }
}

/// Says of the first commit with objects that it met a conflict, though nobody else was there.
#[derive(Debug)]
struct Doubting(Arc<dyn CommitPort>, Mutex<usize>);

#[async_trait]
impl CommitPort for Doubting {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let before = {
            let mut sent = self.1.lock().unwrap();
            *sent += 1;
            *sent
        };
        // The first is the beginning of the ledger, which is nobody's request.
        if before == 2 { Outcome::Conflict } else { self.0.commit(base, commit).await }
    }
}

#[tokio::test]
async fn stages_answers_and_commits_are_told_as_they_come() {
    let fixture = Fixture::new().await;
    let lake = fixture.another(|port| Arc::new(Doubting(port, Mutex::new(0)))).await;
    let heard = Arc::new(Heard::default());
    lake.observe(heard.clone());
    let files = [file(0..3), file(3..60)];
    let sizes = files.each_ref().map(|file| file.len() as u64);
    let [a, b] = files;
    fixture.put("a", a).await;
    fixture.put("b", b).await;
    let arrived: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
    let mut first = request(&["a", "b"]);
    first.objects[1].hint.event_time = Some(arrived);
    lake.ingest(&first).await.unwrap();
    // It is there: nothing is written or committed for it.
    lake.ingest(&request(&["a"])).await.unwrap();

    use Stage::{Commit, Plan, Resolve, Wait, Write};
    // The table is made by the first plan.
    let making = [Resolve, Wait, Wait, Plan];
    let writing = [Wait, Plan, Write, Commit];
    let skipping = [Resolve, Wait, Wait, Plan];
    assert_eq!(*heard.stages.lock().unwrap(), [making, writing, skipping].concat());
    assert_eq!(*heard.answers.lock().unwrap(), [Answer::Conflict, Answer::Committed]);
    let size = LedgerSize { entries: 2, runs: 1 };
    assert_eq!(
        *heard.committed.lock().unwrap(),
        [(TABLE.to_owned(), 2, vec![arrived], sizes.to_vec(), size)]
    );
}

#[tokio::test]
async fn the_sizes_of_what_a_stage_brings_in_are_those_that_its_job_saw() {
    let fixture = Fixture::new().await;
    fixture.put("seed", file(0..10)).await;
    fixture.ingest(&["seed"]).await;
    let lake = fixture.another(|port| port).await;
    let heard = Arc::new(Heard::default());
    lake.observe(heard.clone());
    let files = [file(10..15), file(15..200)];
    let sizes = files.each_ref().map(|file| file.len() as u64);
    let [a, b] = files;
    fixture.put("a", a).await;
    fixture.put("b", b).await;
    let staged = fixture.stage(&[("a", 5), ("b", 185)], 10..200).await;
    lake.publish_staged(&staged).await.unwrap();
    let told: Vec<_> = heard.committed.lock().unwrap().iter().map(|told| (told.1, told.3.clone())).collect();
    assert_eq!(told, [(2, sizes.to_vec())]);
}
