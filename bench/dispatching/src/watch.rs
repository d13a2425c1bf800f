//! Tells when so many records are in some topics.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;

use crate::kafka::{extents, reader};

/// Between two looks. When exactly the last record came is told by its time stamp.
const INTERVAL: Duration = Duration::from_millis(100);

/// Waits until some topics hold so many records
#[derive(Args)]
pub struct Watch {
    /// A topic; repeatable
    #[arg(long = "topic", required = true)]
    topics: Vec<String>,
    /// How many records, in all of them together
    #[arg(long)]
    records: i64,
    /// Seconds after which it fails
    #[arg(long, default_value_t = 180)]
    seconds: u64,
}

impl Watch {
    pub fn run(self, brokers: &str) -> anyhow::Result<()> {
        let reader = reader(brokers)?;
        let end = Instant::now() + Duration::from_secs(self.seconds);
        loop {
            let records: i64 =
                extents(&reader, &self.topics)?.iter().map(|extent| extent.end - extent.begin).sum();
            if records >= self.records {
                println!("{}", serde_json::json!({ "records": records }));
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < end, "only {records} records after {} s", self.seconds);
            #[expect(
                clippy::disallowed_methods,
                reason = "there is no runtime, and nothing that tells of new records"
            )]
            sleep(INTERVAL);
        }
    }
}
