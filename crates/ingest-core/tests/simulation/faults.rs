//! What happens to instances, partitions, outlets and the source.

use ingest_core::batching::Partition;
use rand::Rng;

use super::broker::Log;
use super::flaw::Flaw;
use super::instance::{Instance, at};
use super::world::World;

impl World {
    pub fn toggle_outlet(&mut self) {
        let outlet = self.rng.random_range(0..3);
        self.down[outlet] = !self.down[outlet];
        self.met(if self.down[outlet] { "outlet: down" } else { "outlet: up again" });
    }

    pub fn assign_some(&mut self) {
        let partition = self.any_partition();
        self.assign(partition);
    }

    /// Gives a partition that nobody has to somebody, who begins where the group's position is.
    pub fn assign(&mut self, partition: Partition) {
        let slot = usize::try_from(partition).unwrap();
        if self.owners[slot].is_some() {
            return;
        }
        let instance = self.any_instance();
        if self.instances[instance].expired {
            return;
        }
        self.notice_replacement(instance);
        self.owners[slot] = Some(instance);
        self.met("rebalance: assigned");
        self.tell(|| format!("instance {instance} gets {partition}"));
        let topic = self.broker.topic;
        let believes = self.flawed(Flaw::PositionOfAnotherTopic);
        let committed = self.broker.committed(partition).filter(|known| known.topic == topic || believes);
        if committed.is_none() {
            self.met("source: no position");
        }
        let mine = &mut self.instances[instance];
        if mine.reading.insert(partition, committed.map_or(0, |known| known.position.offset)).is_none() {
            mine.read.remove(&partition);
            mine.batcher.assigned(&[partition]);
        }
    }

    pub fn revoke_some(&mut self) {
        let partition = self.any_partition();
        let slot = usize::try_from(partition).unwrap();
        let Some(instance) = self.owners[slot] else { return };
        self.owners[slot] = None;
        self.notice_replacement(instance);
        if self.flawed(Flaw::KeptAfterRevocation) {
            let mine = &mut self.instances[instance];
            mine.reading.remove(&partition);
            mine.read.remove(&partition);
            return;
        }
        if self.instances[instance].batcher.open_batches() > 0 {
            self.met("rebalance: revoked with open batches");
        }
        if self.instances[instance].lets_go() {
            self.met("rebalance: revoked while records are let go of");
        }
        self.instances[instance].batcher.revoked(&[partition]);
        for _ in 0..self.rng.random_range(0..12) {
            self.arrive();
            self.report();
        }
        let in_flight = self.instances[instance].batcher.awaiting(&[partition]);
        self.met(match in_flight {
            true => "rebalance: revoked with requests in flight",
            false => "rebalance: revoked, all of it acknowledged in time",
        });
        if self.rng.random_bool(0.1) {
            self.met("crash: between revocation and commit");
            return self.die(instance);
        }
        self.commit(instance);
        self.commits_arrive(instance);
        self.instances[instance].forget(&[partition]);
    }

    /// An instance is out of touch for so long that its partitions go to others, and it does not know.
    pub fn expire(&mut self) {
        let instance = self.any_instance();
        self.instances[instance].expired = true;
        self.disown(instance);
    }

    pub fn hear_of_expiry(&mut self) {
        let instance = self.any_instance();
        self.give_up_expired(instance);
    }

    /// It hears that its partitions are lost.
    pub fn give_up_expired(&mut self, instance: usize) {
        if self.instances[instance].expired {
            self.met("rebalance: lost");
            self.commits_arrive(instance);
            let partitions: Vec<_> = self.instances[instance].reading.keys().copied().collect();
            self.instances[instance].forget(&partitions);
            self.instances[instance].expired = false;
        }
    }

    pub fn crash(&mut self) {
        let instance = self.any_instance();
        self.tell(|| format!("instance {instance} dies"));
        let batcher = &self.instances[instance].batcher;
        let doing = match (batcher.open_batches(), batcher.unacknowledged()) {
            _ if self.instances[instance].lets_go() => "while records are let go of",
            (0, 0) => "idle",
            (_, 0) => "with open batches",
            _ => "with unacknowledged requests",
        };
        self.met(format!("crash: {doing}"));
        self.die(instance);
    }

    /// The process ends; what it had sent may arrive all the same. Another takes its place.
    fn die(&mut self, instance: usize) {
        if self.rng.random() {
            self.instances[instance].commits.clear();
        }
        self.commits_arrive(instance);
        self.disown(instance);
        let life = self.instances[instance].life + 1;
        self.instances[instance] = Instance::new(&self.config, life, self.broker.topic);
        if self.rng.random() {
            self.sent.retain(|sent| (sent.instance, sent.life) != (instance, life - 1));
        }
    }

    fn disown(&mut self, instance: usize) {
        for owner in self.owners.iter_mut().filter(|owner| **owner == Some(instance)) {
            *owner = None;
        }
    }

    /// A shutdown: open batches go out, for as long as there is time.
    pub fn stop(&mut self) {
        let instance = self.any_instance();
        let actions = self.instances[instance].batcher.drain(at(self.now));
        self.send(instance, actions);
        for _ in 0..self.rng.random_range(0..60) {
            self.arrive();
            self.report();
        }
        self.met(match self.instances[instance].batcher.unacknowledged() {
            0 => "stop: all of it out in time",
            _ => "stop: not all of it out in time",
        });
        self.commit(instance);
        self.commits_arrive(instance);
        self.die(instance);
    }

    /// The client's position is reset, as when it was out of range.
    pub fn reset(&mut self) {
        let (instance, partition) = (self.any_instance(), self.any_partition());
        let Some(&next) = self.instances[instance].reading.get(&partition) else { return };
        let back = self.rng.random_range(0..=next);
        if back < next {
            self.met("source: position reset");
            self.instances[instance].reading.insert(partition, back);
        }
    }

    /// The oldest records go.
    pub fn retain(&mut self) {
        let partition = self.any_partition();
        let records = self.rng.random_range(1..8);
        let log = self.broker.log_mut(partition);
        for _ in 0..records {
            log.entries.pop_first();
        }
    }

    /// The topic is deleted and made anew; whoever reads it has not noticed yet.
    pub fn replace(&mut self) {
        self.met("source: replaced");
        self.broker.replace();
        for _ in 0..self.rng.random_range(0..8) {
            let partition = self.any_partition();
            let objects = vec![(self.rng.random_range(0..3), self.rng.random_range(0..120))];
            self.broker.append(partition, objects, false, 0);
        }
        if self.rng.random() {
            let instance = self.any_instance();
            self.commit(instance);
            self.met("source: replaced, old position committed");
        }
    }

    /// An instance sees that its topic is another one than it was.
    pub fn notice_replacement(&mut self, instance: usize) {
        let topic = self.broker.topic;
        // It may read on for a while before it sees that.
        if self.instances[instance].topic == topic || (self.faults && self.rng.random_bool(0.3)) {
            return;
        }
        self.instances[instance].topic = topic;
        if self.flawed(Flaw::ReplacementUnnoticed) {
            return;
        }
        if self.instances[instance].batcher.open_batches() > 0 {
            self.met("source: replaced with open batches");
        }
        let now = at(self.now);
        let mine = &mut self.instances[instance];
        let read: Vec<_> = std::mem::take(&mut mine.read).into_values().flatten().map(|(_, id)| id).collect();
        // What was let go of before is lost with the topic; what is held is not.
        if mine.batcher.let_go() == 0 {
            let missing = |id: &usize| !self.broker.written[*id].missing.is_empty();
            mine.orphans.extend(read.iter().copied().filter(missing));
        }
        mine.gone.extend(read);
        let partitions: Vec<_> = mine.reading.keys().copied().collect();
        let orphans = mine.orphans.clone();
        let actions = mine.batcher.replaced(&partitions, now);
        self.tell(|| {
            format!("instance {instance} sees that the topic is another: {orphans:?} must not be lost")
        });
        self.send(instance, actions);
    }

    pub fn add_partition(&mut self) {
        if self.broker.logs.len() < 4 {
            self.met("source: partition added");
            self.broker.logs.push(Log::default());
            self.broker.committed.push(None);
            self.owners.push(None);
        }
    }
}
