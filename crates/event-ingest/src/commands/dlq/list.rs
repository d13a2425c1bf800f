//! `event-ingest dlq list`: the newest dead letters. What is held is twice the limit.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use rdkafka::message::{Message, OwnedMessage};
use serde::Serialize;
use service_kit::config::number_from_one_to;
use service_kit::kafka::ClientProperties;

use super::Place;
use super::filter::Filter;
use super::letter::{Letter, Source};
use super::reader::{Extent, Reader};
use crate::commands::print::{OutputArgs, Table, time};

/// Most lines that can be asked for.
const MAX_LIMIT: usize = 100_000;

/// What to list.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// Only those that were not redriven
    #[arg(long)]
    waiting: bool,
    /// At most so many, the newest
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = number_from_one_to(MAX_LIMIT))]
    limit: usize,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where they are.
    #[command(flatten)]
    pub(super) place: Place,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    /// When it was set aside, by Kafka's time.
    time: Option<DateTime<Utc>>,
    partition: i32,
    offset: i64,
    /// Whether it was sent back since.
    redriven: bool,
    /// How often it had been redriven before it came here this time.
    times: u32,
    source: String,
    /// When the record was written where it came from.
    source_time: Option<String>,
    reason: String,
}

impl Line {
    fn new(record: &OwnedMessage, letter: Letter, redriven: bool) -> Self {
        let source = letter.source.to_string();
        let source_time = match letter.source {
            Source::Record { time, .. } => time,
            Source::Undelivered { .. } | Source::Unknown => None,
        };
        Self {
            time: record.timestamp().to_millis().and_then(DateTime::from_timestamp_millis),
            partition: record.partition(),
            offset: record.offset(),
            redriven,
            times: letter.times,
            source,
            source_time,
            reason: letter.reason,
        }
    }

    fn rank(&self) -> (Option<DateTime<Utc>>, i32, i64) {
        (self.time, self.partition, self.offset)
    }
}

pub(super) async fn list(kafka: &ClientProperties, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut reader = Reader::open(kafka, &args.place.dead_letter_topic, &args.place.redrive_group).await?;
    let progress = reader.progress().await?;
    let parts = parts(&reader, args).await?;
    reader.start(&parts)?;
    let mut lines = Vec::new();
    while let Some(record) = reader.next().await? {
        let redriven = progress.get(&record.partition()).is_some_and(|done| done.has(record.offset()));
        let letter = Letter::read(&record);
        if (redriven && args.waiting) || !args.filter.wants(&letter) {
            continue;
        }
        lines.push(Line::new(&record, letter, redriven));
        if lines.len() >= 2 * args.limit {
            newest(&mut lines, args.limit);
        }
    }
    newest(&mut lines, args.limit);
    print(&mut io::stdout().lock(), &lines, args.output.is_json())?;
    Ok(ExitCode::SUCCESS)
}

/// The parts of the partitions that the lines can come from.
async fn parts(reader: &Reader, args: &ListArgs) -> anyhow::Result<Extent> {
    let since = match args.filter.since {
        Some(time) => reader.since(time).await?,
        None => BTreeMap::new(),
    };
    let limit = i64::try_from(args.limit).unwrap_or(i64::MAX);
    let newest_alone = args.filter.by_place_alone() && !args.waiting;
    let part = |(&partition, &(low, high)): (&i32, &(i64, i64))| {
        let low = since.get(&partition).map_or(low, |first| low.max(*first));
        let (from, to) = args.filter.bounds(partition, (low, high))?;
        let from = if newest_alone { from.max(to.saturating_sub(limit)) } else { from };
        Some((partition, (from, to)))
    };
    Ok(reader.extent.iter().filter_map(part).collect())
}

fn newest(lines: &mut Vec<Line>, limit: usize) {
    lines.sort_by_key(|line| std::cmp::Reverse(line.rank()));
    lines.truncate(limit);
}

fn print(out: &mut impl Write, lines: &[Line], json: bool) -> anyhow::Result<()> {
    if json {
        for line in lines {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        }
        return Ok(());
    }
    let mut table = Table::new(["TIME", ">PLACE", "STATE", ">TIMES", "SOURCE", "REASON"]);
    for line in lines {
        table.row([
            time(line.time),
            format!("{}/{}", line.partition, line.offset),
            if line.redriven { "redriven" } else { "waiting" }.to_owned(),
            line.times.to_string(),
            line.source.clone(),
            line.reason.clone(),
        ]);
    }
    Ok(table.write(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64) -> Line {
        Line {
            time: DateTime::from_timestamp(second, 0),
            partition: 0,
            offset: second,
            redriven: false,
            times: 0,
            source: "s3-events/1/7".to_owned(),
            source_time: None,
            reason: "no\tJSON\u{1b}[2J".to_owned(),
        }
    }

    #[test]
    fn the_newest_come_first() {
        let mut lines = [3, 9, 1, 7].map(line).to_vec();
        newest(&mut lines, 2);
        assert_eq!(lines, [line(9), line(7)]);
    }

    #[test]
    fn a_reason_cannot_take_over_the_terminal() {
        let mut out = Vec::new();
        print(&mut out, &[line(1)], false).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("0/1") && text.contains("no JSON [2J"), "{text}");
        assert_eq!(text.matches(|c: char| c.is_control() && c != '\n').count(), 0, "{text:?}");
    }
}
