//! Kafka: client properties, the intake that consumes a topic, dead letters.

mod attempt;
mod backoff;
mod dead_letter;
mod headers;
mod intake;
mod offsets;
mod ownership;
mod properties;

pub use backoff::BackoffLimits;
pub use dead_letter::{
    OFFSET_HEADER, OMITTED_HEADER, PARTITION_HEADER, REASON_HEADER, TOPIC_HEADER, dead_letter_headers,
};
pub use headers::cloud_event_headers;
pub use intake::{KafkaIntake, KafkaIntakeConfig, KafkaIntakeError, KafkaProbe};
pub use offsets::{OffsetTracker, Ticket};
pub use properties::{ClientProperties, KafkaArgs, PropertyError};
