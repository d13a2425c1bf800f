//! Fills a topic with notifications.

use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::kafka::{self, PATIENCE, extents, reader};
use crate::notification::{BYTES, notification};

/// How long to wait for room in the producer's queue: it waits that long even if there is some before.
const ROOM: Duration = Duration::from_millis(5);

/// Fills a topic with notifications, the same number for each partition
#[derive(Args)]
pub struct Fill {
    /// The topic
    #[arg(long)]
    topic: String,
    /// How many
    #[arg(long)]
    records: u64,
}

impl Fill {
    pub fn run(self, brokers: &str) -> anyhow::Result<()> {
        let partitions = extents(&reader(brokers)?, std::slice::from_ref(&self.topic))?.len() as u64;
        let mut config = kafka::client(brokers);
        config.set("linger.ms", "20").set("batch.size", "900000");
        let producer: BaseProducer = config.create()?;
        let began = Instant::now();
        for number in 0..self.records {
            let payload = notification(number);
            let partition = i32::try_from(number % partitions)?;
            let mut record = BaseRecord::<(), str>::to(&self.topic).partition(partition).payload(&payload);
            loop {
                match producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                        producer.poll(ROOM);
                        record = again;
                    }
                    Err((error, _)) => return Err(error.into()),
                }
            }
        }
        producer.flush(6 * PATIENCE)?;
        let there: i64 = extents(&reader(brokers)?, std::slice::from_ref(&self.topic))?
            .iter()
            .map(|extent| extent.end - extent.begin)
            .sum();
        anyhow::ensure!(
            there == i64::try_from(self.records)?,
            "{there} of {} records are there",
            self.records
        );
        let seconds = began.elapsed().as_secs_f64();
        println!("{}", serde_json::json!({"records": self.records, "bytes": BYTES, "seconds": seconds}));
        Ok(())
    }
}
