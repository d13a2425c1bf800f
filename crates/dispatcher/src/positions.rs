//! The group's positions in the source topic: what is noted beside them, and why one cannot be kept. Pure.
//!
//! | seen | it is |
//! |---|---|
//! | a position that was committed for, or read of, a topic of another id | [`Cause::Replaced`] |
//! | no position, in a partition that holds records, while other partitions have one | [`Cause::NewPartition`] |
//! | no position, in a partition that holds records, nor in any other | [`Cause::NoPosition`] |
//! | out of range, before the first record that is left | [`Cause::Overtaken`] |
//! | out of range, behind the end | [`Cause::BeyondEnd`] |
//! | out of range a moment ago, and not any more | [`Cause::Unclear`] |
//! | the client went back, and said nothing | [`Cause::SetBack`] |

use ingest_core::batching::{Offset, Partition};

/// How a note begins: the first version of its format.
const NOTE: &str = "event-ingest/1";

/// The id of no topic, as librdkafka writes it.
const NO_TOPIC: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// What is committed beside a position, for whoever reads on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// Behind the last record that was read.
    pub head: Offset,
    /// The id of the topic that the position is of, if it was known.
    pub topic: Option<String>,
}

impl Note {
    /// As it is committed.
    pub fn text(&self) -> String {
        let topic = self.topic.as_ref().map(|id| format!(" topic={id}"));
        format!("{NOTE} head={}{}", self.head, topic.unwrap_or_default())
    }

    /// `None` for what others, or later versions, wrote beside a position.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next() != Some(NOTE) {
            return None;
        }
        let (mut head, mut topic) = (None, None);
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match name {
                "head" => head = value.parse().ok(),
                "topic" => topic = Some(value.to_owned()),
                _ => {}
            }
        }
        Some(Self { head: head?, topic })
    }
}

/// Behind the last record that the group has read of a partition, by what stands beside its position; `None` if that was
/// not written by a dispatcher. What lies between the two is in its open batches.
pub fn read_up_to(note: &str) -> Option<Offset> {
    Note::parse(note).map(|note| note.head)
}

/// Why a position could not be kept. The name is a label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Replaced,
    NewPartition,
    NoPosition,
    Overtaken,
    BeyondEnd,
    Unclear,
    SetBack,
}

impl Cause {
    #[cfg(test)]
    pub const ALL: [Self; 7] = [
        Self::Replaced,
        Self::NewPartition,
        Self::NoPosition,
        Self::Overtaken,
        Self::BeyondEnd,
        Self::Unclear,
        Self::SetBack,
    ];

    /// Of a partition without a position that holds records.
    pub fn of_none(others: bool) -> Self {
        if others { Self::NewPartition } else { Self::NoPosition }
    }

    /// Of a position that the broker found out of range, by the first offset and the end that the partition has now.
    pub fn of_reset(position: Offset, (first, end): (Offset, Offset)) -> Self {
        if position < first {
            Self::Overtaken
        } else if position > end {
            Self::BeyondEnd
        } else {
            Self::Unclear
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "topic-replaced",
            Self::NewPartition => "new-partition",
            Self::NoPosition => "no-position",
            Self::Overtaken => "overtaken-by-retention",
            Self::BeyondEnd => "beyond-end",
            Self::Unclear => "unclear",
            Self::SetBack => "set-back",
        }
    }

    /// What happened, and what follows from it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Replaced => "the topic was deleted and made anew: the new one is read from its beginning",
            Self::NewPartition => "the topic has a new partition: it is read from its beginning",
            Self::NoPosition => {
                "the group has no position: it is new, or its positions expired; all that is left is read"
            }
            Self::Overtaken => {
                "retention deleted records before they were read: reconcile the bucket with the table"
            }
            Self::BeyondEnd => {
                "the topic ends before the group's position: it lost records or was made anew, and is read from its beginning"
            }
            Self::Unclear => "the position was out of range when it was asked for: it was reset",
            Self::SetBack => "the source went back: it lost records that were read already",
        }
    }
}

/// The partition and the position of a line in which librdkafka says that it reset one:
/// `<topic> [<partition>]: offset reset (at offset <position> (leader epoch …`.
pub(crate) fn reset_in(line: &str, topic: &str) -> Option<(Partition, Offset)> {
    let (_, rest) = line.split_once(&format!("{topic} ["))?;
    let (partition, rest) = rest.split_once("]: offset reset (at offset ")?;
    let (position, _) = rest.split_once(' ')?;
    Some((partition.parse().ok()?, position.parse().ok()?))
}

/// The id in a line in which librdkafka says that a topic has one: `Topic <topic> changed id from <id> to <id>`.
pub(crate) fn topic_id_in(line: &str, topic: &str) -> Option<String> {
    let (_, ids) = line.split_once(&format!("Topic {topic} changed id from "))?;
    let (_, id) = ids.split_once(" to ")?;
    (id != NO_TOPIC).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn notes_are_read_as_they_are_written() {
        for topic in [None, Some("Wl8iRMVzQ2-MRFRF0V9I4g".to_owned())] {
            let note = Note { head: 4_711, topic };
            assert_eq!(Note::parse(&note.text()), Some(note));
        }
        let later = "event-ingest/1 head=7 mood=good topic=x";
        assert_eq!(Note::parse(later), Some(Note { head: 7, topic: Some("x".into()) }));
        for other in ["", "event-ingest/2 head=7", "event-ingest/1", "event-ingest/1 head=x", "ünï = 1"] {
            assert_eq!(Note::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_position_out_of_range_tells_why() {
        for (position, (first, end), cause) in [
            (4, (5, 10), Cause::Overtaken),
            (0, (5, 5), Cause::Overtaken),
            (5, (5, 10), Cause::Unclear),
            (10, (5, 10), Cause::Unclear),
            (11, (5, 10), Cause::BeyondEnd),
            (11, (0, 0), Cause::BeyondEnd),
        ] {
            assert_eq!(Cause::of_reset(position, (first, end)), cause, "{position} in {first}..{end}");
        }
        assert_eq!((Cause::of_none(true), Cause::of_none(false)), (Cause::NewPartition, Cause::NoPosition));
        let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        let meanings: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.meaning()).collect();
        assert_eq!((names.len(), meanings.len()), (Cause::ALL.len(), Cause::ALL.len()));
    }

    #[test]
    fn librdkafka_s_lines_are_understood() {
        let line = "[thrd:main]: s3-events [12]: offset reset (at offset 815 (leader epoch 0), broker 1) to offset \
                    BEGINNING (leader epoch -1): fetch failed due to requested offset not available on the broker: \
                    Broker: Offset out of range";
        assert_eq!(reset_in(line, "s3-events"), Some((12, 815)));
        assert_eq!(reset_in(line, "others"), None);
        assert_eq!(reset_in("s3-events [1]: something else", "s3-events"), None);

        let line =
            "[thrd:main]: Topic s3-events changed id from AAAAAAAAAAAAAAAAAAAAAA to Wl8iRMVzQ2-MRFRF0V9I4g";
        assert_eq!(topic_id_in(line, "s3-events").as_deref(), Some("Wl8iRMVzQ2-MRFRF0V9I4g"));
        assert_eq!(topic_id_in(line, "events"), None);
        let gone = "Topic t changed id from Wl8iRMVzQ2-MRFRF0V9I4g to AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(topic_id_in(gone, "t"), None);
    }
}
