//! What the requests say, when all is done: whether every object is in one, and when the last one came.

use std::borrow::Cow;

use clap::Args;
use rdkafka::Message;
use serde::Deserialize;

use crate::kafka::{PATIENCE, assign, extents, reader};
use crate::notification::number;

/// Reads all requests and counts their files
#[derive(Args)]
pub struct Tally {
    /// A topic of requests; repeatable
    #[arg(long = "topic", required = true)]
    topics: Vec<String>,
    /// How many objects were announced
    #[arg(long)]
    records: u64,
    /// So many files may be missing when all is said to be done: those of open batches
    #[arg(long, default_value_t = 0)]
    open: u64,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    files: Vec<Cow<'a, str>>,
}

impl Tally {
    pub fn run(self, brokers: &str) -> anyhow::Result<()> {
        let reader = reader(brokers)?;
        let extents = extents(&reader, &self.topics)?;
        assign(&reader, &extents, |extent| extent.begin)?;
        let there: i64 = extents.iter().map(|extent| extent.end - extent.begin).sum();

        let mut seen = vec![false; usize::try_from(self.records)?];
        let (mut files, mut bytes, mut arrivals) = (0, 0, Vec::new());
        while i64::try_from(arrivals.len())? < there {
            let Some(message) = reader.poll(PATIENCE) else {
                anyhow::bail!("only {} of {there} requests could be read", arrivals.len())
            };
            let message = message?;
            let payload = message.payload().unwrap_or_default();
            let request: Request<'_> = serde_json::from_slice(payload)?;
            arrivals.push((message.timestamp().to_millis().unwrap_or(0), request.files.len() as u64));
            files += request.files.len() as u64;
            bytes += payload.len() as u64;
            for file in request.files {
                seen[usize::try_from(number(file)?)?] = true;
            }
        }
        arrivals.sort_unstable();
        let mut so_far = 0;
        let done = arrivals.iter().find(|(_, files)| {
            so_far += files;
            so_far + self.open >= self.records
        });
        let said = serde_json::json!({
            "requests": arrivals.len(),
            "files": files,
            "distinct": seen.iter().filter(|seen| **seen).count(),
            "bytes": bytes,
            "first_millis": arrivals.first().map(|(millis, _)| millis),
            "done_millis": done.map(|(millis, _)| millis),
        });
        println!("{said}");
        Ok(())
    }
}
