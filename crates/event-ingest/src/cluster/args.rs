//! Which cluster, and which of its tables.

use std::path::PathBuf;

use clap::Args;
use ingest_core::TableName;
use service_kit::config::variables;
use service_kit::kafka::{ClientProperties, KafkaArgs, PropertyError};

use crate::commands::topics::TopicArgs;

/// The flags that say which cluster is meant.
#[derive(Args, Debug, Clone)]
pub struct ClusterArgs {
    /// The dispatcher's YAML file of rules: the tables that it names are watched; read again each time
    #[arg(long, env = "RULES", value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Further tables to watch, as namespace.name; repeatable, or separated by commas
    #[arg(long = "table", env = "TABLE", value_name = "NAME", value_delimiter = ',')]
    pub tables: Vec<TableName>,
    /// Kafka consumer group under which it is kept which dead letters were redriven
    #[arg(long, env = "REDRIVE_GROUP", default_value = "ingest-dlq-redrive", value_name = "NAME")]
    pub redrive_group: String,
    /// The topics.
    #[command(flatten)]
    pub topics: TopicArgs,
    /// librdkafka's own properties.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

impl ClusterArgs {
    /// How to reach the brokers.
    ///
    /// # Errors
    /// A property that cannot be used, or no broker is named.
    pub fn properties(&self) -> Result<ClientProperties, PropertyError> {
        let properties = ClientProperties::new(variables(), &self.kafka.properties)?;
        match properties.brokers() {
            Some(_) => Ok(properties),
            None => Err(PropertyError::NoBrokers),
        }
    }
}
