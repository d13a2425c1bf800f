//! Positions of a consumer group, asked of a coordinator that may be on its way to another broker.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};

/// Between two questions while there is no coordinator.
const PAUSE: Duration = Duration::from_millis(100);

/// What the consumer's group has committed in some partitions. A coordinator that is elected or still loads, as after a
/// broker's start, is waited for until `end`. Blocks.
#[allow(
    clippy::disallowed_methods,
    reason = "callers give it a thread of its own, and no event tells of a coordinator"
)]
pub(crate) fn positions<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    end: Instant,
) -> KafkaResult<TopicPartitionList> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let found = consumer.committed_offsets(partitions.clone(), left.max(Duration::from_millis(1)));
        let code = found.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let passing =
            matches!(code, Some(NotCoordinator | CoordinatorLoadInProgress | CoordinatorNotAvailable));
        if !passing || left <= PAUSE {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
}
