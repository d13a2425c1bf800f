//! Builds a ledger and reports what 200 look-ups in it cost, each kind in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bench::ledger::{BATCH, Cost, build, hits, ledger, look_up, misses};
use clap::{Parser, ValueEnum};
use object_store::local::LocalFileSystem;

/// Batches that are looked up before the warm one is measured.
const WARMING_BATCHES: u64 = 20;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Entries of the ledger.
    #[arg(long, default_value_t = 10_000_000)]
    entries: u64,
    /// Entries of each of the commits that write it.
    #[arg(long, default_value_t = 20_000)]
    commit: u64,
    /// Folder of the ledger; one that holds a ledger of this size is used as it is. A temporary one if not given.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Measures one kind of look-up in this process (what the program starts itself for).
    #[arg(long, requires = "folder")]
    measure: Option<Kind>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Misses,
    Hits,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(kind), Some(folder)) = (arguments.measure, &arguments.folder) {
        return measure(kind, folder, arguments.entries).await;
    }
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    if !pointer_file(folder, arguments.entries).exists() {
        write(folder, arguments.entries, arguments.commit).await?;
    }
    println!("{:<7} {:<5} {:>9} {:>12} {:>9}", BATCH, "", "requests", "bytes", "ms");
    for kind in ["misses", "hits"] {
        let entries = arguments.entries.to_string();
        let status = Command::new(std::env::current_exe()?)
            .args(["--measure", kind, "--entries", &entries, "--folder"])
            .arg(folder)
            .status()?;
        ensure!(status.success(), "the process that measures {kind} failed");
    }
    Ok(())
}

async fn write(folder: &Path, entries: u64, commit: u64) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let (ledger, _) = ledger(Arc::new(LocalFileSystem::new_with_prefix(folder)?))?;
    let start = Instant::now();
    let pointer = build(&ledger, entries, commit).await?;
    let head = ledger.head(&pointer).await?;
    let seconds = start.elapsed().as_secs();
    let (runs, peak) = (head.runs.len(), memory("VmHWM")?);
    println!("{entries} entries in {runs} runs, written in {seconds} s with {peak} KiB at most");
    std::fs::write(pointer_file(folder, entries), pointer)?;
    Ok(())
}

async fn measure(kind: Kind, folder: &Path, entries: u64) -> Result<()> {
    let (ledger, store) = ledger(Arc::new(LocalFileSystem::new_with_prefix(folder)?))?;
    let pointer = std::fs::read_to_string(pointer_file(folder, entries))?;
    let head = ledger.head(&pointer).await?;
    let batch = |salt| match kind {
        Kind::Misses => (misses(entries, salt), 0),
        Kind::Hits => (hits(entries, salt), BATCH),
    };
    let name = match kind {
        Kind::Misses => "misses",
        Kind::Hits => "hits",
    };
    let (identities, known) = batch(1);
    report(name, "cold", look_up(&ledger, &store, &head, &identities, known).await?);
    for salt in 0..WARMING_BATCHES {
        let (identities, known) = batch(100 + salt);
        look_up(&ledger, &store, &head, &identities, known).await?;
    }
    let (identities, known) = batch(2);
    report(name, "warm", look_up(&ledger, &store, &head, &identities, known).await?);
    println!("{name:<7} memory: {} KiB now, {} KiB at most", memory("VmRSS")?, memory("VmHWM")?);
    Ok(())
}

fn report(kind: &str, state: &str, cost: Cost) {
    let milliseconds = cost.time.as_secs_f64() * 1e3;
    println!("{kind:<7} {state:<5} {:>9} {:>12} {milliseconds:>9.1}", cost.reads.requests, cost.reads.bytes);
}

/// A figure of this process, in KiB.
fn memory(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let figure = line.and_then(|line| line.split_whitespace().next()).context("no such figure")?;
    Ok(figure.parse()?)
}

fn pointer_file(folder: &Path, entries: u64) -> PathBuf {
    folder.join(format!("ledger-of-{entries}"))
}
