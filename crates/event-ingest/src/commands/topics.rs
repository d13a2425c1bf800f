//! The topics and groups that the services share, for commands that look at more than one of them.

use clap::Args;

/// Kafka's topics and groups, by the names and variables that the services have for them.
#[derive(Args, Debug, Clone)]
pub struct TopicArgs {
    /// Kafka topic of the announcements
    #[arg(long, env = "TOPIC", default_value = "s3-events", value_name = "NAME")]
    pub topic: String,
    /// Kafka consumer group of the dispatcher
    #[arg(long, env = "GROUP", default_value = "dispatcher-group", value_name = "NAME")]
    pub group: String,
    /// Kafka topic of light requests
    #[arg(long, env = "LIGHT_TOPIC", default_value = "light-ingest", value_name = "NAME")]
    pub light_topic: String,
    /// Kafka consumer group of those who take light requests: the worker's, or that of its KafkaSource
    #[arg(long, env = "LIGHT_GROUP", default_value = "light-worker", value_name = "NAME")]
    pub light_group: String,
    /// Kafka topic of heavy requests
    #[arg(long, env = "HEAVY_TOPIC", default_value = "heavy-ingest", value_name = "NAME")]
    pub heavy_topic: String,
    /// Kafka consumer group of those who take heavy requests: the launcher's, or that of its KafkaSource
    #[arg(long, env = "HEAVY_GROUP", default_value = "spark-launcher", value_name = "NAME")]
    pub heavy_group: String,
    /// Kafka topic of the dead letters
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "ingest-dlq", value_name = "NAME")]
    pub dead_letter_topic: String,
}
