//! Kafka: client properties, the intake that consumes a topic, dead letters.

mod attempt;
mod backoff;
pub mod client_log;
mod dead_letter;
mod headers;
mod intake;
mod lag;
mod layer;
mod offsets;
mod outgoing;
mod ownership;
mod policy;
mod properties;
mod reach;

pub use backoff::BackoffLimits;
pub use dead_letter::{
    BARE_HEADER, DEAD_LETTER_PREFIX, OFFSET_HEADER, OMITTED_HEADER, PARTITION_HEADER, REASON_HEADER,
    REDRIVEN_HEADER, TIME_HEADER, TOPIC_HEADER, dead_letter_headers,
};
pub use headers::{HeaderList, cloud_event_headers, header_list};
pub use intake::{INTAKE_DEFAULTS, KafkaIntake, KafkaIntakeConfig, KafkaIntakeError, KafkaProbe};
pub use lag::{LAG_STATISTICS, Lag, MAX_PARTITIONS, OTHER_PARTITIONS};
pub use offsets::{OffsetTracker, Ticket};
pub use outgoing::Outgoing;
pub use properties::{ClientProperties, KafkaArgs, PropertyError};
pub use reach::{LastFailure, check_topics};
