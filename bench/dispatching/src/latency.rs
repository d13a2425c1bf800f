//! From a notification to its request, both told by the broker's clock.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde::Deserialize;

use crate::kafka::{self, PATIENCE, assign, extents, reader};
use crate::notification::{notification, number};

/// Sends notifications one by one, and measures how long after each its request is there
#[derive(Args)]
pub struct Latency {
    /// The topic of notifications, with the broker's time stamps
    #[arg(long)]
    from: String,
    /// A topic of requests, with the broker's time stamps; repeatable
    #[arg(long = "to", required = true)]
    to: Vec<String>,
    /// How many
    #[arg(long)]
    count: u64,
    /// Milliseconds between two of them; longer than the window
    #[arg(long)]
    every: u64,
    /// Milliseconds that a batch stays open, which do not count
    #[arg(long, default_value_t = 0)]
    window: i64,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    files: Vec<Cow<'a, str>>,
}

/// When a notification and its request got their time stamps.
#[derive(Default)]
struct Pair {
    announced: Option<i64>,
    requested: Option<i64>,
}

impl Latency {
    pub fn run(self, brokers: &str) -> anyhow::Result<()> {
        let reader = reader(brokers)?;
        let topics: Vec<String> = [&self.from].into_iter().chain(&self.to).cloned().collect();
        assign(&reader, &extents(&reader, &topics)?, |extent| extent.end)?;
        let mut config = kafka::client(brokers);
        config.set("linger.ms", "0");
        let producer: BaseProducer = config.create()?;

        let mut pairs: HashMap<u64, Pair> = HashMap::new();
        let mut latencies = Vec::new();
        let (mut sent, mut due, mut heard) = (0, Instant::now(), Instant::now());
        while (latencies.len() as u64) < self.count {
            if sent < self.count && due <= Instant::now() {
                let payload = notification(sent);
                let record = BaseRecord::<(), str>::to(&self.from).payload(&payload);
                producer.send(record).map_err(|(error, _)| error)?;
                sent += 1;
                due += Duration::from_millis(self.every);
            }
            producer.poll(Duration::ZERO);
            let wait =
                if sent < self.count { due.saturating_duration_since(Instant::now()) } else { PATIENCE };
            let Some(message) = reader.poll(wait) else {
                anyhow::ensure!(
                    heard.elapsed() < 2 * PATIENCE,
                    "only {} of {} requests came",
                    latencies.len(),
                    self.count
                );
                continue;
            };
            let message = message?;
            heard = Instant::now();
            let millis = message.timestamp().to_millis();
            let payload = message.payload().unwrap_or_default();
            let announced = message.topic() == self.from;
            let numbers = if announced { announced_by(payload)? } else { requested_by(payload)? };
            for number in numbers {
                let pair = pairs.entry(number).or_default();
                *(if announced { &mut pair.announced } else { &mut pair.requested }) = millis;
                if let Pair { announced: Some(announced), requested: Some(requested) } = *pair {
                    latencies.push(requested - announced - self.window);
                }
            }
        }
        producer.flush(PATIENCE)?;
        latencies.sort_unstable();
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share).round() as usize];
        let said = serde_json::json!({
            "count": latencies.len(), "window_millis": self.window,
            "median_millis": at(0.5), "p99_millis": at(0.99), "max_millis": at(1.0),
        });
        println!("{said}");
        Ok(())
    }
}

fn requested_by(payload: &[u8]) -> anyhow::Result<Vec<u64>> {
    let request: Request<'_> = serde_json::from_slice(payload)?;
    request.files.into_iter().map(number).collect()
}

fn announced_by(payload: &[u8]) -> anyhow::Result<Vec<u64>> {
    let value: serde_json::Value = serde_json::from_slice(payload)?;
    let object = &value["Records"][0]["s3"]["object"];
    let etag = object["eTag"].as_str().unwrap_or_default();
    Ok(vec![u64::from_str_radix(etag.get(16..).unwrap_or_default(), 16)?])
}
