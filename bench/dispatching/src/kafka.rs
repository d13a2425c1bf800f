//! Clients, topics, and where these begin and end.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The broker is on this machine: what takes longer is broken.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Makes topics whose records bear the broker's clock
#[derive(Args)]
pub struct Topics {
    /// Partitions of each
    #[arg(long, default_value_t = 3)]
    partitions: i32,
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
}

impl Topics {
    pub fn run(self, brokers: &str) -> anyhow::Result<()> {
        let client: AdminClient<DefaultClientContext> = client(brokers).create()?;
        let topic = |name| {
            NewTopic::new(name, self.partitions, TopicReplication::Fixed(1))
                .set("message.timestamp.type", "LogAppendTime")
        };
        let topics: Vec<_> = self.names.iter().map(|name| topic(name)).collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for made in block_on(client.create_topics(&topics, &options))? {
            made.map_err(|(topic, code)| anyhow!("topic {topic}: {code}"))?;
        }
        Ok(())
    }
}

/// What every client begins with.
pub fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

/// A consumer that is in no group: it reads what it is assigned.
pub fn reader(brokers: &str) -> anyhow::Result<BaseConsumer> {
    let mut config = client(brokers);
    // A consumer needs the name, though it never joins.
    config.set("group.id", "reader").set("enable.auto.commit", "false").set("fetch.queue.backoff.ms", "10");
    Ok(config.create()?)
}

/// One partition and where it begins and ends.
pub struct Extent {
    pub topic: String,
    pub partition: i32,
    pub begin: i64,
    pub end: i64,
}

/// The extents of all partitions of some topics.
pub fn extents(reader: &BaseConsumer, topics: &[String]) -> anyhow::Result<Vec<Extent>> {
    let mut found = Vec::new();
    for topic in topics {
        let metadata = reader.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics().first().context("an answer without the topic")?.partitions();
        anyhow::ensure!(!partitions.is_empty(), "topic {topic} does not exist");
        for partition in partitions.iter().map(|partition| partition.id()) {
            let (begin, end) = reader.fetch_watermarks(topic, partition, PATIENCE)?;
            found.push(Extent { topic: topic.clone(), partition, begin, end });
        }
    }
    Ok(found)
}

/// Assigns all these partitions, each from `at`.
pub fn assign(reader: &BaseConsumer, extents: &[Extent], at: impl Fn(&Extent) -> i64) -> anyhow::Result<()> {
    let mut list = TopicPartitionList::new();
    for extent in extents {
        list.add_partition_offset(&extent.topic, extent.partition, Offset::Offset(at(extent)))?;
    }
    Ok(reader.assign(&list)?)
}
