//! What measuring the dispatcher needs beside it, small enough not to disturb: topics, notifications, the bare poll loop
//! to compare with, and what the requests say afterwards. Each command prints one line of JSON.

mod fill;
mod kafka;
mod latency;
mod notification;
mod poll;
mod tally;
mod watch;

use clap::{Parser, Subcommand};

/// The parts of `make bench-dispatcher` that speak Kafka
#[derive(Parser)]
struct Args {
    /// The brokers, as host:port
    #[arg(long)]
    brokers: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Topics(kafka::Topics),
    Fill(fill::Fill),
    Poll(poll::Poll),
    Watch(watch::Watch),
    Tally(tally::Tally),
    Latency(latency::Latency),
}

fn main() -> anyhow::Result<()> {
    let Args { brokers, command } = Args::parse();
    match command {
        Command::Topics(topics) => topics.run(&brokers),
        Command::Fill(fill) => fill.run(&brokers),
        Command::Poll(poll) => poll.run(&brokers),
        Command::Watch(watch) => watch.run(&brokers),
        Command::Tally(tally) => tally.run(&brokers),
        Command::Latency(latency) => latency.run(&brokers),
    }
}
