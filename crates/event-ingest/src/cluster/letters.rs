//! Dead letters: a page of them, and some of them sent back.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use operations::PlantError;
use operations::model::{Changed, DeadLetter, Outcome, Page};
use operations::plant::ListQuery;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use service_kit::kafka::ClientProperties;

use super::ClusterArgs;
use crate::commands::dlq::letter::{Letter, Ours};
use crate::commands::dlq::progress::Progress;
use crate::commands::dlq::reader::Reader;

/// Characters of a letter that are shown.
const SHOWN: usize = 2_000;
/// How long Kafka's queue may be full.
const QUEUED_WITHIN: Duration = Duration::from_secs(5);

/// The newest letters before a place: `0:41,1:7`, the first offset of each partition that was shown before.
pub(super) async fn page(
    kafka: &ClientProperties,
    args: &ClusterArgs,
    query: &ListQuery,
) -> Result<Page<DeadLetter>, PlantError> {
    let bounds = query.after.as_deref().map(parse).transpose()?.unwrap_or_default();
    let (mut reader, progress) = open(kafka, args).await?;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let parts: BTreeMap<i32, (i64, i64)> = reader
        .extent
        .iter()
        .map(|(partition, (low, high))| {
            let high = bounds.get(partition).copied().unwrap_or(*high).clamp(*low, *high);
            (*partition, (high.saturating_sub(limit).max(*low), high))
        })
        .collect();
    let read = parts.iter().filter(|(_, (from, to))| from < to).map(|(partition, part)| (*partition, *part));
    reader.start(&read.collect()).map_err(|error| unavailable(&error))?;
    let mut found = Vec::new();
    while let Some(record) = reader.next().await.map_err(|error| unavailable(&error))? {
        let redriven = progress.get(&record.partition()).is_some_and(|done| done.has(record.offset()));
        found.push(((record.partition(), record.offset()), line(&record, redriven)));
    }
    found.sort_by_key(|((partition, offset), line)| std::cmp::Reverse((line.time, *partition, *offset)));
    found.truncate(query.limit);
    let mut next: BTreeMap<i32, i64> = parts.iter().map(|(partition, (_, to))| (*partition, *to)).collect();
    for ((partition, offset), _) in &found {
        let bound = next.entry(*partition).or_insert(*offset);
        *bound = (*bound).min(*offset);
    }
    let more = next
        .iter()
        .any(|(partition, bound)| reader.extent.get(partition).is_some_and(|(low, _)| low < bound));
    let items: Vec<DeadLetter> = found.into_iter().map(|(_, line)| line).collect();
    Ok(Page { next: (more && !items.is_empty()).then(|| text(&next)), items })
}

fn text(bounds: &BTreeMap<i32, i64>) -> String {
    bounds.iter().map(|(partition, bound)| format!("{partition}:{bound}")).collect::<Vec<_>>().join(",")
}

fn parse(text: &str) -> Result<BTreeMap<i32, i64>, PlantError> {
    let bound = |part: &str| {
        let (partition, bound) = part.split_once(':')?;
        Some((partition.parse().ok()?, bound.parse().ok()?))
    };
    let bounds = text.split(',').map(bound).collect::<Option<_>>();
    bounds.ok_or_else(|| PlantError::invalid("no page begins there: begin anew"))
}

fn line(record: &OwnedMessage, redriven: bool) -> DeadLetter {
    let letter = Letter::read(record);
    let payload = record.payload().unwrap_or_default();
    // A character takes four bytes at most.
    let beginning = String::from_utf8_lossy(&payload[..payload.len().min(SHOWN * 4)]);
    DeadLetter {
        id: format!("{}/{}", record.partition(), record.offset()),
        source: letter.source.to_string(),
        time: record.timestamp().to_millis().and_then(DateTime::from_timestamp_millis),
        stays: letter.way().err().map(str::to_owned),
        reason: letter.reason,
        text: beginning.chars().take(SHOWN).collect(),
        bytes: payload.len() as u64,
        redriven,
    }
}

/// Sends letters back, one after the other, and keeps that they were.
pub(super) async fn redrive(
    kafka: &ClientProperties,
    args: &ClusterArgs,
    ids: &[String],
) -> Result<Changed, PlantError> {
    let (mut reader, mut progress) = open(kafka, args).await?;
    let config = kafka.producer().map_err(|error| PlantError::invalid(error.to_string()))?;
    let producer: FutureProducer = config.create().map_err(|error| unavailable(&error))?;
    let mut outcomes = Vec::with_capacity(ids.len());
    for id in ids {
        let (done, message) = match one(&mut reader, &producer, args, id).await? {
            Ok((partition, offset, topic)) => {
                progress.entry(partition).or_default().add(offset, offset + 1);
                (true, format!("it is in topic {topic} again"))
            }
            Err(reason) => (false, reason),
        };
        outcomes.push(Outcome { id: id.clone(), done, message });
    }
    // What is not kept is sent again by the next redrive, which the sink makes harmless.
    reader.commit(&progress).await.map_err(|error| unavailable(&error))?;
    Ok(Changed { outcomes })
}

/// Sends one letter back. The inner error says why it stays.
async fn one<'a>(
    reader: &mut Reader,
    producer: &FutureProducer,
    args: &'a ClusterArgs,
    id: &str,
) -> Result<Result<(i32, i64, &'a str), String>, PlantError> {
    let nothing = || Ok(Err("there is no such dead letter: Kafka may have deleted it".to_owned()));
    let Some((partition, offset)) = place(id) else { return nothing() };
    let held = reader.extent.get(&partition).is_some_and(|(low, high)| (*low..*high).contains(&offset));
    if !held {
        return nothing();
    }
    let part = BTreeMap::from([(partition, (offset, offset + 1))]);
    reader.start(&part).map_err(|error| unavailable(&error))?;
    let Some(record) = reader.next().await.map_err(|error| unavailable(&error))? else { return nothing() };
    let letter = Letter::read(&record);
    let topics = &args.topics;
    let ours = Ours { source: &topics.topic, light: &topics.light_topic, heavy: &topics.heavy_topic };
    let topic = match letter.target(ours) {
        Ok(topic) => topic,
        Err(reason) => return Ok(Err(reason)),
    };
    let (headers, payload) = match letter.original(&record) {
        Ok(original) => original,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut outgoing = FutureRecord::<[u8], [u8]>::to(topic).headers(headers);
    outgoing.key = record.key();
    outgoing.payload = payload.as_deref();
    match producer.send(outgoing, QUEUED_WITHIN).await {
        Ok(_) => Ok(Ok((partition, offset, topic))),
        Err((error, _)) => Ok(Err(format!("topic {topic} did not take it: {error}"))),
    }
}

async fn open(
    kafka: &ClientProperties,
    args: &ClusterArgs,
) -> Result<(Reader, BTreeMap<i32, Progress>), PlantError> {
    let opened = async {
        let reader = Reader::open(kafka, &args.topics.dead_letter_topic, &args.redrive_group).await?;
        let progress = reader.progress().await?;
        anyhow::Ok((reader, progress))
    };
    opened.await.map_err(|error| unavailable(&format!("{error:#}")))
}

/// A partition and an offset in it.
fn place(id: &str) -> Option<(i32, i64)> {
    let (partition, offset) = id.split_once('/')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

fn unavailable(error: &impl ToString) -> PlantError {
    PlantError::unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_and_nonsense_is_said() {
        let bounds = BTreeMap::from([(0, 41), (7, 0)]);
        assert_eq!(parse(&text(&bounds)), Ok(bounds));
        for wrong in ["", "0", "0:", ":1", "0:1,", "a:b"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!((place("2/41"), place("2"), place("a/b")), (Some((2, 41)), None, None));
    }
}
