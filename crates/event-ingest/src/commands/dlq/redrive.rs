//! `event-ingest dlq redrive`: dead letters go back to where they came from. What was acknowledged there is committed in
//! a consumer group, so that a second run sends only the others; between the two a kill repeats what was sent within a
//! second or so, which the sink makes harmless. It ends where the topic ended when it began: a record that fails again
//! waits for the next run.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use serde_json::json;
use service_kit::config::number_from_one_to;
use service_kit::kafka::ClientProperties;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use super::Place;
use super::filter::Filter;
use super::letter::{Letter, Ours};
use super::progress::Progress;
use super::reader::{Extent, Reader, SCATTERED};
use crate::commands::exit::{self, Interrupted};
use crate::commands::print::{OutputArgs, bar, one_line};

/// How late a turn may be: that much of what was missed is made up for.
const LATE: Duration = Duration::from_secs(1);

/// Records, their bytes, and the time until what was sent is awaited and committed.
const MAX_UNCOMMITTED: (usize, usize, Duration) = (500, 8 << 20, Duration::from_secs(1));
/// Most records a second that can be asked for.
const MAX_RATE: usize = 1_000_000;

/// What to send back.
#[derive(Args, Debug)]
pub(super) struct RedriveArgs {
    #[command(flatten)]
    filter: Filter,
    /// Also those that were redriven before
    #[arg(long)]
    again: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// At most so many records a second
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = number_from_one_to(MAX_RATE))]
    rate: usize,
    /// Kafka topic of the announcements
    #[arg(long, env = "TOPIC", default_value = "s3-events", value_name = "NAME")]
    topic: String,
    /// Kafka topic for light requests
    #[arg(long, env = "LIGHT_TOPIC", default_value = "light-ingest", value_name = "NAME")]
    light_topic: String,
    /// Kafka topic for heavy requests
    #[arg(long, env = "HEAVY_TOPIC", default_value = "heavy-ingest", value_name = "NAME")]
    heavy_topic: String,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the dead letters are.
    #[command(flatten)]
    pub(super) place: Place,
}

impl RedriveArgs {
    /// The topic that a letter goes back to. Whatever its headers say, it is one of the three.
    fn target<'a>(&'a self, letter: &Letter) -> Result<&'a str, String> {
        let ours = Ours { source: &self.topic, light: &self.light_topic, heavy: &self.heavy_topic };
        letter.target(ours)
    }
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    redriven: u64,
    already: u64,
    stuck: u64,
}

/// A record that was handed to the producer.
struct Sent {
    partition: i32,
    offset: i64,
    delivery: DeliveryFuture,
}

/// The work of one call.
struct Redrive<'a> {
    args: &'a RedriveArgs,
    stop: &'a CancellationToken,
    reader: Reader,
    producer: FutureProducer,
    progress: BTreeMap<i32, Progress>,
    /// The offset behind the last record that was read, by partition: what is skipped between two reads is not there.
    positions: BTreeMap<i32, i64>,
    turns: Interval,
    sent: Vec<Sent>,
    sent_bytes: usize,
    settled: Instant,
    summary: Summary,
    bar: ProgressBar,
    out: io::Stdout,
}

pub(super) async fn redrive(
    kafka: &ClientProperties,
    args: &RedriveArgs,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let opened = stop.run_until_cancelled(async {
        let reader = Reader::open(kafka, &args.place.dead_letter_topic, &args.place.redrive_group).await?;
        let progress = reader.progress().await?;
        let since = match args.filter.since {
            Some(time) => reader.since(time).await?,
            None => BTreeMap::new(),
        };
        anyhow::Ok((reader, progress, since))
    });
    let (reader, progress, since) = opened.await.ok_or_else(|| Interrupted::but("nothing was sent"))??;
    let rate = u32::try_from(args.rate).expect("its bound is below");
    let redrive = Redrive {
        args,
        stop,
        reader,
        producer: kafka.producer()?.create()?,
        progress,
        positions: BTreeMap::new(),
        turns: tokio::time::interval(Duration::from_secs(1) / rate),
        sent: Vec::new(),
        sent_bytes: 0,
        settled: Instant::now(),
        summary: Summary::default(),
        bar: ProgressBar::hidden(),
        out: io::stdout(),
    };
    redrive.run(&since).await
}

impl Redrive<'_> {
    async fn run(mut self, since: &BTreeMap<i32, i64>) -> anyhow::Result<ExitCode> {
        let parts = self.parts(since);
        self.positions = parts.iter().map(|(partition, (from, _))| (*partition, *from)).collect();
        self.bar = bar(parts.values().map(|(from, to)| to.abs_diff(*from)).sum(), "records");
        self.reader.start(&parts)?;
        let walked = self.walk().await;
        // Whatever ended it: what is on its way is awaited and kept.
        let settled = self.settle().await;
        self.bar.finish_and_clear();
        self.print_summary()?;
        settled?;
        if !walked? {
            let next = if self.args.again {
                "with --again the same command begins anew"
            } else {
                "the same command goes on from here"
            };
            return Err(Interrupted::but(next).into());
        }
        Ok(exit::done(self.summary.stuck == 0))
    }

    /// The parts of the partitions that may hold what is to be sent.
    fn parts(&self, since: &BTreeMap<i32, i64>) -> Extent {
        let part = |(&partition, &(low, high)): (&i32, &(i64, i64))| {
            let low = since.get(&partition).map_or(low, |first| low.max(*first));
            let (from, to) = self.args.filter.bounds(partition, (low, high))?;
            let next = self.progress.get(&partition).map_or(0, Progress::next);
            let from = if self.args.again { from } else { from.max(next) };
            (from < to).then_some((partition, (from, to)))
        };
        self.reader.extent.iter().filter_map(part).collect()
    }

    /// Goes through the records. Whether it came to their end.
    async fn walk(&mut self) -> anyhow::Result<bool> {
        let stop = self.stop;
        loop {
            let Some(record) = stop.run_until_cancelled(self.reader.next()).await else { return Ok(false) };
            let Some(record) = record? else { return Ok(true) };
            let (partition, offset) = (record.partition(), record.offset());
            let position = self.positions.insert(partition, offset + 1).unwrap_or(offset);
            let done = self.progress.entry(partition).or_default();
            done.add(position, offset);
            self.bar.inc(offset.abs_diff(position) + 1);
            if done.has(offset) && !self.args.again {
                self.summary.already += 1;
                continue;
            }
            let letter = Letter::read(&record);
            if !self.args.filter.wants(&letter) {
                continue;
            }
            match self.args.target(&letter) {
                Err(reason) => {
                    self.summary.stuck += 1;
                    self.say(partition, offset, "stays", &reason)?;
                }
                Ok(topic) if self.args.dry_run => {
                    self.summary.redriven += 1;
                    self.say(partition, offset, "would go", &format!("to {topic}  {}", letter.reason))?;
                }
                Ok(topic) => {
                    let (records, bytes, time) = MAX_UNCOMMITTED;
                    let full = self.sent.len() >= records || self.sent_bytes >= bytes;
                    if full || self.settled.elapsed() >= time {
                        self.settle().await?;
                    }
                    let Some(due) = stop.run_until_cancelled(self.turns.tick()).await else {
                        return Ok(false);
                    };
                    // Turns that nobody took are not made up for: the rate is a bound.
                    if due.elapsed() >= LATE {
                        self.turns.reset();
                    }
                    self.send(&record, &letter, topic).await?;
                }
            }
        }
    }

    async fn send(&mut self, record: &OwnedMessage, letter: &Letter, topic: &str) -> anyhow::Result<()> {
        let (partition, offset) = (record.partition(), record.offset());
        anyhow::ensure!(self.can_be_kept(partition, offset), SCATTERED);
        let (headers, payload) = letter.original(record)?;
        let outgoing = || {
            let mut outgoing = FutureRecord::<[u8], [u8]>::to(topic).headers(headers.clone());
            outgoing.key = record.key();
            outgoing.payload = payload.as_deref();
            outgoing
        };
        let delivery = match self.producer.send_result(outgoing()) {
            Ok(delivery) => delivery,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                self.settle().await?;
                self.producer.send_result(outgoing()).map_err(|(error, _)| error)?
            }
            Err((error, _)) if is_final(&error) => {
                self.summary.stuck += 1;
                return Ok(self.say(partition, offset, "stays", &error.to_string())?);
            }
            Err((error, _)) => return Err(error).with_context(|| format!("topic {topic}")),
        };
        self.sent.push(Sent { partition, offset, delivery });
        self.sent_bytes += payload.map_or(0, |payload| payload.len());
        Ok(())
    }

    /// Whether it can be kept that this one was sent, beside what is on its way.
    fn can_be_kept(&self, partition: i32, offset: i64) -> bool {
        let mut after = self.progress.get(&partition).cloned().unwrap_or_default();
        for sent in self.sent.iter().filter(|sent| sent.partition == partition) {
            after.add(sent.offset, sent.offset + 1);
        }
        after.add(offset, offset + 1);
        after.metadata().is_some()
    }

    /// Waits for what is on its way and keeps what arrived.
    async fn settle(&mut self) -> anyhow::Result<()> {
        self.settled = Instant::now();
        self.sent_bytes = 0;
        if self.args.dry_run {
            return Ok(());
        }
        let mut failed = None;
        for Sent { partition, offset, delivery } in std::mem::take(&mut self.sent) {
            match delivery.await {
                Ok(Ok(_)) => {
                    self.progress.entry(partition).or_default().add(offset, offset + 1);
                    self.summary.redriven += 1;
                }
                Ok(Err((error, _))) if is_final(&error) => {
                    self.summary.stuck += 1;
                    self.say(partition, offset, "stays", &error.to_string())?;
                }
                Ok(Err((error, record))) => failed = Some((error, record.topic().to_owned())),
                // A producer that is gone tells nothing of its last records.
                Err(_) => failed = Some((KafkaError::Canceled, "(unknown)".to_owned())),
            }
        }
        self.reader.commit(&self.progress).await?;
        match failed {
            Some((error, topic)) => Err(error)
                .with_context(|| format!("topic {topic} did not take all: run it again for the others")),
            None => Ok(()),
        }
    }

    fn say(&mut self, partition: i32, offset: i64, what: &str, text: &str) -> io::Result<()> {
        let text = one_line(text);
        let out = &mut self.out;
        let place = format!("{partition}/{offset}");
        self.bar.suspend(|| match self.args.output.is_json() {
            true => writeln!(
                out,
                "{}",
                json!({"partition": partition, "offset": offset, "status": what, "text": text})
            ),
            false => writeln!(out, "{what:<8}  {place:>14}  {text}"),
        })
    }

    fn print_summary(&mut self) -> io::Result<()> {
        let Summary { redriven, already, stuck } = self.summary;
        if self.args.output.is_json() {
            let (done, dry_run) = (redriven, self.args.dry_run);
            let summary =
                json!({"redriven": done, "redriven_before": already, "stay": stuck, "dry_run": dry_run});
            return writeln!(self.out, "{summary}");
        }
        let what = if self.args.dry_run { "would be redriven" } else { "redriven" };
        writeln!(self.out, "{redriven} {what}, {already} were redriven before, {stuck} stay")
    }
}

/// Whether a broker will never take the record as it is.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidMessage, InvalidRecord, MessageSizeTooLarge};
    matches!(error.rdkafka_error_code(), Some(InvalidMessage | InvalidRecord | MessageSizeTooLarge))
}
