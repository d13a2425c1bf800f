//! What the shell around a machine does: read, send, hear what became of it, commit, go back.

use std::collections::BTreeSet;
use std::ops::Range;

use ingest_core::Lane;
use ingest_core::batching::{Action, ActionId, Outlet, Partition, Position};
use rand::Rng;

use super::broker::{Broker, LETTER, Part, RecordId};
use super::flaw::Flaw;
use super::instance::at;
use super::world::{Report, Sent, World};

impl World {
    pub fn read(&mut self) {
        let (instance, partition) = (self.any_instance(), self.any_partition());
        let records = self.rng.random_range(1..6);
        self.poll(instance, partition, records);
    }

    /// Hands some records of a partition to the machine, as long as it takes them.
    pub fn poll(&mut self, instance: usize, partition: Partition, records: usize) {
        self.notice_replacement(instance);
        for _ in 0..records {
            let mine = &self.instances[instance];
            let Some(&from) = mine.reading.get(&partition).filter(|_| mine.batcher.accepting()) else {
                return;
            };
            if mine.expired {
                self.met("rebalance: read on after the loss");
            }
            let oldest = self.broker.log(partition).entries.first_key_value().map(|(offset, _)| *offset);
            if oldest.is_some_and(|oldest| from > 0 && from < oldest) {
                self.met("source: retention overtook the reader");
            }
            let Some((id, record)) = self.broker.read(partition, from) else { return };
            let now = at(self.now);
            self.tell(|| {
                format!("instance {instance} reads record {id} of {partition} at {}", record.offset)
            });
            let mine = &mut self.instances[instance];
            mine.reading.insert(partition, record.offset + 1);
            mine.read.entry(partition).or_default().push((record.offset, id));
            let (routes, poison) = (record.objects.len(), record.dead_letter.is_some());
            let before = mine.batcher.let_go();
            let actions = mine.batcher.take_in(record, now);
            let letters = actions.iter().filter(|action| matches!(action, Action::DeadLetter(_))).count();
            if mine.batcher.let_go() > before {
                self.met("batch: let go of");
            }
            if poison && letters == 0 {
                self.met("dead letter: let go of");
            }
            if routes > 1 && actions.len() > letters + 1 {
                self.met("batch: several for one record");
            }
            for action in &actions {
                if let Action::DeadLetter(letter) = action {
                    self.instances[instance].letters.insert(letter.id, id);
                }
            }
            self.send(instance, actions);
        }
    }

    /// Hands what the machine asks for to the producer.
    pub fn send(&mut self, instance: usize, actions: Vec<Action>) {
        for action in actions {
            match &action {
                Action::Produce(batch) => {
                    self.met(if batch.lane == Lane::Light { "batch: light" } else { "batch: heavy" });
                }
                Action::DeadLetter(_) => self.met("dead letter: sent"),
            }
            self.check_ownership(instance, &action);
            self.post(instance, &action);
            if self.flawed(Flaw::CommittedBeforeAcknowledged) {
                self.instances[instance].batcher.acknowledged(action.id());
            }
        }
        self.look(instance);
    }

    fn post(&mut self, instance: usize, action: &Action) {
        let mine = &self.instances[instance];
        let parts = parts(action, |id| mine.letters[&id]);
        self.tell(|| format!("instance {instance} sends {:?}: {parts:?}", action.id()));
        self.sent.push(Sent { instance, life: mine.life, id: action.id(), outlet: action.outlet(), parts });
    }

    /// A batch is made of records that are ours, or that nobody can read any more.
    fn check_ownership(&mut self, instance: usize, action: &Action) {
        let mine = &self.instances[instance];
        let ours = |record| mine.has(record) || mine.orphans.contains(&record) || mine.gone.contains(&record);
        let records = parts(action, |id| mine.letters[&id]);
        if !records.iter().all(|(record, _)| ours(*record)) {
            self.broken =
                Some("ownership: a request with records of a partition that was given up".to_owned());
        }
        let partitions: BTreeSet<_> = (mine.read.iter())
            .filter(|(_, read)| read.iter().any(|(_, id)| records.iter().any(|(record, _)| record == id)))
            .map(|(partition, _)| *partition)
            .collect();
        if partitions.len() > 1 {
            self.met("batch: of several partitions");
        }
    }

    /// Something that was sent gets to the broker, or does not.
    pub fn arrive(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let sent = self.sent.swap_remove(self.rng.random_range(0..self.sent.len()));
        let outlet = Outlet::ALL.iter().position(|outlet| *outlet == sent.outlet).unwrap();
        let fate = if self.faults { self.rng.random_range(0..10) } else { 0 };
        let (stored, reported) = match fate {
            _ if self.down[outlet] && fate < 7 => return self.sent.push(sent),
            _ if self.down[outlet] => (false, false),
            0..8 => (true, true),
            8 => (true, false),
            _ => (false, false),
        };
        if stored {
            self.broker.store(&sent.parts);
        }
        self.met(match (stored, reported) {
            (true, true) => "network: stored and reported",
            (true, false) => "network: stored, reported as failed",
            _ => "network: not stored, reported as failed",
        });
        let Sent { instance, life, id, .. } = sent;
        self.reports.push(Report { instance, life, id, stored: reported });
    }

    /// A report gets to whom it is for.
    pub fn report(&mut self) {
        if self.reports.is_empty() {
            return;
        }
        let report = self.reports.swap_remove(self.rng.random_range(0..self.reports.len()));
        let Report { instance, life, id, stored } = report;
        if self.instances[instance].life != life {
            self.met("network: report of a dead process");
            if !self.flawed(Flaw::ReportsOfAnotherLife) {
                return;
            }
        }
        self.tell(|| format!("instance {instance} hears of {id:?}: {stored}"));
        let lies = self.flawed(Flaw::FailureIsSuccess);
        let mine = &mut self.instances[instance];
        if stored || lies {
            let letter = mine.letters.remove(&id);
            if let Some(action) = mine.batcher.acknowledged(id) {
                let records = parts(&action, |_| letter.unwrap());
                if !records.iter().all(|(record, _)| mine.has(*record)) {
                    self.met("network: report after revocation");
                }
            }
        } else {
            mine.failed.push_back(id);
        }
        self.look(instance);
    }

    pub fn send_again(&mut self) {
        let instance = self.any_instance();
        self.retry_all(instance);
    }

    pub fn retry_all(&mut self, instance: usize) {
        while let Some(id) = self.instances[instance].failed.pop_front() {
            if let Some(action) = self.instances[instance].batcher.failed(id) {
                self.met("network: sent again");
                self.post(instance, &action);
            }
        }
    }

    /// Time goes by, and machines are woken when they wanted to be.
    pub fn pass_time(&mut self, millis: Range<u64>) {
        let end = self.now + self.rng.random_range(millis);
        loop {
            let wanted = |instance: usize| self.instances[instance].batcher.next_deadline();
            let due = |instance| wanted(instance).map(|due| (due.as_millis() as u64, instance));
            let next = (0..self.instances.len()).filter_map(due).min().filter(|(due, _)| *due <= end);
            let Some((due, instance)) = next else { break };
            self.now = self.now.max(due);
            self.tick(instance);
            if self.instances[instance]
                .batcher
                .next_deadline()
                .is_some_and(|next| next.as_millis() as u64 <= due)
            {
                self.broken = Some("progress: a deadline without effect makes the shell spin".to_owned());
                return;
            }
        }
        self.now = end;
    }

    fn tick(&mut self, instance: usize) {
        let now = at(self.now);
        let before = self.instances[instance].batcher.let_go();
        let actions = self.instances[instance].batcher.tick(now);
        if self.instances[instance].batcher.let_go() > before {
            self.met("batch: let go of");
        }
        self.send(instance, actions);
    }

    pub fn commit_some(&mut self) {
        let instance = self.any_instance();
        self.commit(instance);
    }

    /// Commits what has moved.
    pub fn commit(&mut self, instance: usize) {
        let skips = self.flawed(Flaw::PastOpenBatches);
        let mine = &mut self.instances[instance];
        let positions: Vec<Position> = (mine.batcher.commits().into_iter())
            .map(|position| if skips { Position { offset: position.head, ..position } } else { position })
            .collect();
        if positions.is_empty() {
            return;
        }
        if positions.iter().any(|position| !mine.reading.contains_key(&position.partition)) {
            self.broken = Some("ownership: a position of a partition that was given up".to_owned());
        }
        let topic = mine.topic;
        let fate = if self.faults { self.rng.random_range(0..8) } else { 0 };
        self.commits_arrive(instance);
        match fate {
            0..5 => self.store_positions(instance, &positions, topic, "commit: made"),
            5 => self.instances[instance].commits.push_back((positions, topic)),
            6 => {
                self.store_positions(instance, &positions, topic, "commit: made, answer lost");
                self.commit_failed(instance);
            }
            _ => {
                self.met("commit: failed");
                self.commit_failed(instance);
            }
        }
    }

    fn commit_failed(&mut self, instance: usize) {
        if !self.flawed(Flaw::FailedCommitForgotten) {
            self.instances[instance].batcher.commit_failed();
        }
    }

    fn store_positions(&mut self, instance: usize, positions: &[Position], topic: u32, how: &str) {
        if self.instances[instance].expired {
            self.met("commit: refused");
            return self.commit_failed(instance);
        }
        self.met(how);
        for position in positions {
            self.tell(|| format!("instance {instance} commits {position:?} of topic {topic}"));
            self.broker.commit(*position, topic);
        }
    }

    pub fn commit_arrives(&mut self) {
        let instance = self.any_instance();
        self.commits_arrive(instance);
    }

    /// Commits that were under way get to the broker, in order.
    pub fn commits_arrive(&mut self, instance: usize) {
        while let Some((positions, topic)) = self.instances[instance].commits.pop_front() {
            self.store_positions(instance, &positions, topic, "commit: late");
        }
    }

    pub fn go_back(&mut self) {
        let instance = self.any_instance();
        self.go_back_of(instance);
    }

    /// Goes back where the machine wants it.
    pub fn go_back_of(&mut self, instance: usize) {
        for (partition, offset) in self.instances[instance].batcher.going_back() {
            if self.flawed(Flaw::NeverGoesBack) {
                return;
            }
            if self.faults && self.rng.random_bool(0.3) {
                self.met("going back: failed");
                continue;
            }
            if self.instances[instance].batcher.open_batches() > 0 {
                self.met("going back: with open batches");
            }
            if !self.flawed(Flaw::WentBackInWordsOnly) {
                self.instances[instance].reading.insert(partition, offset);
            }
            self.met("going back: done");
            self.tell(|| format!("instance {instance} goes back to {offset} of {partition}"));
            let mine = &mut self.instances[instance];
            mine.batcher.went_back(partition);
            if let Some(read) = mine.read.get_mut(&partition) {
                read.retain(|(read, _)| *read < offset);
            }
        }
        self.look(instance);
    }

    /// Notes what the machine shows.
    fn look(&mut self, instance: usize) {
        let mine = &mut self.instances[instance];
        let accepting = mine.batcher.accepting();
        let stuck = Outlet::ALL.map(|outlet| mine.batcher.is_stuck(outlet));
        let before =
            (std::mem::replace(&mut mine.accepting, accepting), std::mem::replace(&mut mine.stuck, stuck));
        match (before.0, accepting) {
            (true, false) => self.met("reading: waits"),
            (false, true) => self.met("reading: waits no longer"),
            _ => {}
        }
        if stuck[0] && stuck[1] && !accepting {
            self.met("reading: waits for both lanes");
        }
        for (index, outlet) in Outlet::ALL.into_iter().enumerate() {
            match (before.1[index], stuck[index]) {
                (false, true) => self.met(format!("stuck: {}", outlet.as_str())),
                (true, false) => self.met(format!("free again: {}", outlet.as_str())),
                _ => {}
            }
        }
    }
}

/// What a request or dead letter holds.
fn parts(action: &Action, letter: impl Fn(ActionId) -> RecordId) -> Vec<Part> {
    match action {
        Action::Produce(batch) => batch.request.objects.iter().map(Broker::part).collect(),
        Action::DeadLetter(dead) => vec![(letter(dead.id), LETTER)],
    }
}
