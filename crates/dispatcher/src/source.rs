//! What this process knows of the source topic beyond its records. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ingest_core::batching::{Offset, Partition, Position};

use crate::positions::Note;

/// A partition that is ours.
#[derive(Debug, Default)]
struct Known {
    /// The id of the topic that its position is of.
    topic: Option<String>,
    /// Behind the last record that an earlier owner had read.
    read_before: Option<Offset>,
}

/// The source topic, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Source {
    topic: Option<String>,
    /// Whether that was seen to change: the group's positions went with the old topic.
    replaced: bool,
    partitions: BTreeMap<Partition, Known>,
    /// Positions that the client had to reset, to be looked into.
    resets: Vec<(Partition, Offset)>,
    /// Partitions that the client has said to go back.
    announced: BTreeSet<Partition>,
    /// Partitions whose notes could not be looked up yet: of which topic their positions are is not known.
    unknown: BTreeSet<Partition>,
}

impl Source {
    /// A partition that is ours from now on, and the note beside its position.
    pub fn assigned(&mut self, partition: Partition, note: Option<Note>) {
        let (head, topic) = note.map(|note| (note.head, note.topic)).unzip();
        let known = Known { topic: topic.flatten().or_else(|| self.topic.clone()), read_before: head };
        self.partitions.insert(partition, known);
    }

    pub fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.partitions.remove(partition);
            self.unknown.remove(partition);
            self.announced.remove(partition);
        }
    }

    /// The notes of these partitions are to be looked up later.
    pub fn look_later(&mut self, partitions: impl IntoIterator<Item = Partition>) {
        self.unknown.extend(partitions);
    }

    /// Partitions whose notes are still to be looked up. Named once.
    pub fn take_unknown(&mut self) -> BTreeSet<Partition> {
        std::mem::take(&mut self.unknown)
    }

    /// Whether it is known of which topic the position of a partition is.
    pub fn is_known(&self, partition: Partition) -> bool {
        !self.unknown.contains(&partition)
    }

    /// The id of the topic is this. Says whether it was another one before.
    pub fn identified(&mut self, id: String) -> bool {
        let before = self.topic.replace(id.clone());
        let replaced = before.is_some_and(|before| before != id);
        self.replaced |= replaced;
        replaced
    }

    /// Whether the topic was made anew while this process ran.
    pub fn was_replaced(&self) -> bool {
        self.replaced
    }

    /// The partitions whose positions are of another topic than the one that is there. Named once.
    pub fn misplaced(&mut self) -> Vec<Partition> {
        let Some(topic) = &self.topic else { return Vec::new() };
        let mut misplaced = Vec::new();
        for (partition, known) in &mut self.partitions {
            if known.topic.replace(topic.clone()).is_some_and(|of| of != *topic) {
                known.read_before = None;
                misplaced.push(*partition);
            }
        }
        misplaced
    }

    /// Whether an earlier owner had read this record.
    pub fn was_read_before(&self, partition: Partition, offset: Offset) -> bool {
        let known = self.partitions.get(&partition);
        known.and_then(|known| known.read_before).is_some_and(|head| offset < head)
    }

    /// What to commit beside a position.
    pub fn note(&self, position: Position) -> Note {
        let known = self.partitions.get(&position.partition);
        Note { head: position.head, topic: known.and_then(|known| known.topic.clone()) }
    }

    /// The client had to reset a position.
    pub fn was_reset(&mut self, partition: Partition, position: Offset) {
        self.announced.insert(partition);
        self.resets.push((partition, position));
    }

    /// Resets that nobody has looked into.
    pub fn take_resets(&mut self) -> Vec<(Partition, Offset)> {
        std::mem::take(&mut self.resets)
    }

    /// Whether the client had said that a partition goes back. Asked once.
    pub fn announced(&mut self, partition: Partition) -> bool {
        self.announced.remove(&partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(head: Offset, topic: &str) -> Option<Note> {
        Some(Note { head, topic: Some(topic.to_owned()) })
    }

    #[test]
    fn records_below_the_noted_head_were_read_before() {
        let mut source = Source::default();
        source.assigned(0, note(10, "a"));
        source.assigned(1, None);
        assert!(source.was_read_before(0, 9) && !source.was_read_before(0, 10));
        assert!(!source.was_read_before(1, 0) && !source.was_read_before(2, 0));
    }

    #[test]
    fn positions_of_another_topic_are_named_once_whichever_is_known_first() {
        let mut source = Source::default();
        source.assigned(0, note(10, "old"));
        source.assigned(1, None);
        assert!(source.misplaced().is_empty());
        assert!(!source.identified("new".into()));
        assert_eq!(source.misplaced(), [0]);
        assert!(source.misplaced().is_empty());
        assert!(!source.was_read_before(0, 9));

        source.assigned(2, note(10, "old"));
        assert_eq!(source.misplaced(), [2]);
        assert!(!source.identified("new".into()) && source.identified("newest".into()));
        assert_eq!(source.misplaced(), [0, 1, 2]);
        let position = Position { partition: 1, offset: 3, head: 5 };
        assert_eq!(source.note(position), Note { head: 5, topic: Some("newest".into()) });
        source.forget(&[1]);
        assert_eq!(source.note(position).topic, None);
    }
}
