//! Which dead letters are meant.

use chrono::{DateTime, Utc};
use clap::Args;

use super::letter::Letter;
use crate::commands::since::since;

/// Which dead letters are meant: those to which all of this applies.
#[derive(Args, Debug, Clone)]
pub(super) struct Filter {
    /// Only those whose reason has this text in it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// Only those that came from a place with this text in it: a topic, or the address that Knative could not deliver to
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub source: String,
    /// Only what came since then: a time (2026-01-02T03:04:05Z) or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<DateTime<Utc>>,
    /// Only this partition of the dead-letter topic
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Only from this offset of the partition on
    #[arg(long, value_name = "OFFSET", requires = "partition", value_parser = clap::value_parser!(i64).range(0..))]
    pub from: Option<i64>,
    /// Only to this offset of the partition, itself included
    #[arg(long, value_name = "OFFSET", requires = "partition", value_parser = clap::value_parser!(i64).range(0..))]
    pub to: Option<i64>,
}

impl Filter {
    /// Whether every letter of the places asked for is meant.
    pub fn by_place_alone(&self) -> bool {
        self.reason.is_empty() && self.source.is_empty()
    }

    /// Whether a letter in such a place is meant.
    pub fn wants(&self, letter: &Letter) -> bool {
        letter.reason.contains(&self.reason) && letter.source.to_string().contains(&self.source)
    }

    /// The part of a partition's records, from the first to before the second, that may be meant.
    pub fn bounds(&self, partition: i32, (low, high): (i64, i64)) -> Option<(i64, i64)> {
        if self.partition.is_some_and(|wanted| wanted != partition) {
            return None;
        }
        let from = self.from.map_or(low, |from| from.max(low));
        let to = self.to.map_or(high, |to| to.saturating_add(1).min(high));
        (from < to).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn bounds(line: &[&str], partition: i32, held: (i64, i64)) -> Option<(i64, i64)> {
        Line::parse_from([&["x"], line].concat()).filter.bounds(partition, held)
    }

    #[test]
    fn places_are_cut_to_what_is_there() {
        assert_eq!(bounds(&[], 3, (10, 20)), Some((10, 20)));
        assert_eq!(bounds(&[], 3, (10, 10)), None);
        let line = ["--partition", "3", "--from", "5", "--to", "12"];
        assert_eq!(bounds(&line, 3, (10, 20)), Some((10, 13)));
        assert_eq!(bounds(&line, 2, (10, 20)), None);
        assert_eq!(bounds(&line, 3, (13, 20)), None);
        assert!(Line::try_parse_from(["x", "--from", "1"]).is_err(), "of which partition?");
    }
}
