//! Where reading begins, where it was reset to, and going back: what has to be asked of the broker.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::context::Context;
use crate::positions::{Cause, Note};

/// How long the broker is asked in one go. Nothing else is done meanwhile; what is not answered is not told.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

/// Learns what earlier owners of new partitions noted, and tells of partitions without a position.
pub(crate) fn look(context: &Context, consumer: &BaseConsumer<Context>, assigned: &TopicPartitionList) {
    if assigned.count() == 0 {
        return;
    }
    let end = Instant::now() + ASK_TIMEOUT;
    let committed = match consumer.committed_offsets(assigned.clone(), ASK_TIMEOUT) {
        Ok(committed) => committed,
        Err(error) => {
            tracing::warn!(%error, topic = context.topic, "positions of the group not looked up yet");
            let partitions =
                assigned.elements().iter().map(|element| element.partition()).collect::<Vec<_>>();
            return context.engine().source_topic.look_later(partitions);
        }
    };
    let mut without = Vec::new();
    for element in committed.elements() {
        match (element.offset(), Note::parse(element.metadata())) {
            (Offset::Offset(_), None) => {}
            (Offset::Offset(_), note) => context.engine().source_topic.assigned(element.partition(), note),
            _ => without.push(element.partition()),
        }
    }
    let misplaced = context.engine().source_topic.misplaced();
    if !misplaced.is_empty() {
        context.engine().replaced(&misplaced);
    }
    without.retain(|partition| {
        let left = end.saturating_duration_since(Instant::now());
        let watermarks = consumer.fetch_watermarks(&context.topic, *partition, left);
        watermarks.is_ok_and(|(first, end)| end > first)
    });
    // Kafka deletes positions with their topic; that was told already.
    if !without.is_empty() && !context.engine().source_topic.was_replaced() {
        let others = any_position(context, consumer, end.saturating_duration_since(Instant::now()));
        context.metrics.reset(others.map_or(Cause::Unclear, Cause::of_none), &without);
    }
}

/// Looks up what could not be looked up before.
pub(crate) fn look_again(context: &Context, consumer: &BaseConsumer<Context>) {
    let unknown = context.engine().source_topic.take_unknown();
    let mut list = TopicPartitionList::with_capacity(unknown.len());
    for partition in unknown {
        list.add_partition(&context.topic, partition);
    }
    look(context, consumer, &list);
}

/// Whether the group has a position in any partition of the topic.
fn any_position(context: &Context, consumer: &BaseConsumer<Context>, time: Duration) -> KafkaResult<bool> {
    let metadata = consumer.fetch_metadata(Some(&context.topic), time)?;
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        list.add_partition(&context.topic, partition.id());
    }
    let committed = consumer.committed_offsets(list, time)?;
    Ok(committed.elements().iter().any(|element| matches!(element.offset(), Offset::Offset(_))))
}

/// Tells why the client had to reset positions.
pub(crate) fn look_into_resets(context: &Context, consumer: &BaseConsumer<Context>) {
    let resets = context.engine().source_topic.take_resets();
    for (partition, position) in resets {
        let watermarks = consumer.fetch_watermarks(&context.topic, partition, ASK_TIMEOUT);
        let cause = watermarks.as_ref().map_or(Cause::Unclear, |range| Cause::of_reset(position, *range));
        context.metrics.reset(cause, &[partition]);
        if let (Cause::Overtaken, Ok((first, _))) = (cause, watermarks) {
            let skipped = u64::try_from(first - position).unwrap_or(0);
            context.metrics.skipped.inc_by(skipped);
            tracing::error!(
                partition,
                position,
                first,
                skipped,
                "records were deleted before they were read"
            );
        }
    }
}

/// Goes back to what was let go of. What fails is tried again the next time.
pub(crate) fn go_back(context: &Context, consumer: &BaseConsumer<Context>) {
    let places = context.engine().going_back();
    if places.iter().any(|(_, offset)| *offset == 0) {
        // That may be another topic's beginning: what was read of the old one until now cannot be read again.
        context.engine().source_gone();
    }
    for (partition, offset) in places {
        match consumer.seek(&context.topic, partition, Offset::Offset(offset), ASK_TIMEOUT) {
            Ok(()) => {
                context.engine().went_back(partition);
                tracing::info!(partition, offset, "gone back to what was let go of");
            }
            Err(error) => tracing::warn!(%error, partition, offset, "not gone back yet"),
        }
    }
}
