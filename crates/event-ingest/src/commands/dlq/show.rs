//! `event-ingest dlq show`: one dead letter, whole.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use rdkafka::message::{Message, OwnedMessage};
use serde_json::{Value, json};
use service_kit::kafka::ClientProperties;

use super::Place;
use super::letter::{Letter, Way};
use super::reader::Reader;
use crate::commands::print::{OutputArgs, one_line, printable};

/// Which to show.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// Its place in the dead-letter topic, as `list` says it
    #[arg(value_name = "PARTITION/OFFSET", value_parser = at)]
    at: (i32, i64),
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where it is.
    #[command(flatten)]
    pub(super) place: Place,
}

fn at(text: &str) -> Result<(i32, i64), String> {
    let parsed = text.split_once('/').and_then(|(partition, offset)| {
        let place: (i32, i64) = (partition.parse().ok()?, offset.parse().ok()?);
        (place.0 >= 0 && place.1 >= 0).then_some(place)
    });
    parsed.ok_or_else(|| "expected a partition and an offset, as in 0/41".to_owned())
}

pub(super) async fn show(kafka: &ClientProperties, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let topic = &args.place.dead_letter_topic;
    let mut reader = Reader::open(kafka, topic, &args.place.redrive_group).await?;
    let (partition, offset) = args.at;
    let held =
        reader.extent.get(&partition).with_context(|| format!("{topic} has no partition {partition}"))?;
    let (low, high) = *held;
    anyhow::ensure!(
        (low..high).contains(&offset),
        "partition {partition} of {topic} holds the offsets from {low} to before {high}, not {offset}"
    );
    reader.start(&BTreeMap::from([(partition, (offset, offset + 1))]))?;
    let record = reader.next().await?;
    let record = record.with_context(|| format!("there is no record {partition}/{offset} in {topic}"))?;
    let mut out = io::stdout().lock();
    if args.output.is_json() {
        writeln!(out, "{}", as_json(&record))?;
    } else {
        print(&mut out, &record)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, record: &OwnedMessage) -> io::Result<()> {
    let letter = Letter::read(record);
    writeln!(out, "reason   {}", one_line(&letter.reason))?;
    writeln!(out, "source   {}", one_line(&letter.source.to_string()))?;
    writeln!(out, "redrive  {}", one_line(&way(&letter)))?;
    if let Some(key) = record.key() {
        writeln!(out, "key      {}", one_line(&String::from_utf8_lossy(key)))?;
    }
    for (name, value) in &letter.headers {
        let value = value.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        writeln!(out, "header   {}: {}", one_line(name), one_line(&value))?;
    }
    let payload = record.payload().unwrap_or_default();
    writeln!(out, "payload  {} bytes\n", payload.len())?;
    match std::str::from_utf8(payload) {
        Ok(text) => writeln!(out, "{}", printable(text)),
        Err(_) => writeln!(out, "{} (base64: it is no text)", BASE64_STANDARD.encode(payload)),
    }
}

fn way(letter: &Letter) -> String {
    match letter.way() {
        Ok(Way::Topic(topic)) => format!("to {topic}"),
        Ok(Way::Lane(lane)) => format!("to the {} lane", lane.as_str()),
        Err(reason) => format!("no: {reason}"),
    }
}

fn as_json(record: &OwnedMessage) -> Value {
    let letter = Letter::read(record);
    let headers: Vec<Value> = letter
        .headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value.as_deref().map(String::from_utf8_lossy)}))
        .collect();
    let mut shown = json!({
        "partition": record.partition(),
        "offset": record.offset(),
        "reason": letter.reason,
        "source": letter.source.to_string(),
        "redrive": way(&letter),
        "times": letter.times,
        "key": record.key().map(String::from_utf8_lossy),
        "headers": headers,
    });
    match record.payload().map(std::str::from_utf8) {
        Some(Err(_)) => {
            shown["payload_base64"] = json!(BASE64_STANDARD.encode(record.payload().unwrap_or_default()));
        }
        text => shown["payload"] = json!(text.and_then(Result::ok)),
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_partition_and_an_offset() {
        assert_eq!(at("2/41"), Ok((2, 41)));
        for wrong in ["2", "2/", "/1", "-1/2", "1/-2", "a/b"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
