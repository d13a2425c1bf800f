//! The bare poll loop: what any consumer of librdkafka pays.

use std::hint::black_box;
use std::io::{Read, stdin};
use std::time::Duration;

use clap::Args;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde::Deserialize;

use crate::kafka;

/// Memory is loaded by this many bytes: one byte of each has been seen when all of the payload was.
const CACHE_LINE: usize = 64;

/// Reads a topic to its end and does nothing with it, prints that it is done, and stays until standard input ends
#[derive(Args)]
pub struct Poll {
    /// The topic
    #[arg(long)]
    topic: String,
    /// Its consumer group
    #[arg(long)]
    group: String,
    /// How many records there are
    #[arg(long)]
    records: u64,
    /// Parse each payload, by serde_json into borrowed fields
    #[arg(long)]
    parse: bool,
    /// A librdkafka property as key=value; repeatable
    #[arg(long = "kafka", value_name = "KEY=VALUE")]
    properties: Vec<String>,
}

/// What of a notification a dispatcher looks at.
#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_source: &'a str,
    event_name: &'a str,
    event_time: &'a str,
    #[serde(borrow)]
    s3: Entity<'a>,
}

#[derive(Deserialize)]
struct Entity<'a> {
    #[serde(borrow)]
    bucket: Bucket<'a>,
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    name: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: &'a str,
    size: u64,
    e_tag: &'a str,
}

impl Poll {
    pub fn run(self, brokers: &str) -> anyhow::Result<()> {
        let mut config = kafka::client(brokers);
        config.set("group.id", &self.group).set("auto.offset.reset", "earliest");
        for property in &self.properties {
            let (name, value) = property.split_once('=').unwrap_or((property, ""));
            config.set(name, value);
        }
        let consumer: BaseConsumer = config.create()?;
        consumer.subscribe(&[&self.topic])?;
        let mut seen = 0;
        while seen < self.records {
            let Some(message) = consumer.poll(Duration::from_secs(1)) else { continue };
            let message = message?;
            let payload = message.payload().unwrap_or_default();
            match self.parse {
                true => parse(payload)?,
                false => touch(payload),
            }
            seen += 1;
        }
        println!("{}", serde_json::json!({"records": seen}));
        stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

fn touch(payload: &[u8]) {
    black_box(payload.iter().step_by(CACHE_LINE).fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
}

fn parse(payload: &[u8]) -> serde_json::Result<()> {
    let notification: Notification<'_> = serde_json::from_slice(payload)?;
    for Record { event_source, event_name, event_time, s3 } in &notification.records {
        let Object { key, size, e_tag } = &s3.object;
        black_box((event_source, event_name, event_time, s3.bucket.name, key, size, e_tag));
    }
    Ok(())
}
