//! Does the ledger of `main` name exactly what this system added to `main` (invariant 4)?
//!
//! Ledger and manifests are read in several passes. Each looks at the data files and identities whose digest falls
//! into its share, so that memory does not grow with the table: at most [`FILES_A_PASS`] data files (some 64 bytes
//! each) and [`ENTRIES_A_PASS`] identities (16 bytes each, in a hash set), one manifest, and a few numbers for
//! each retained snapshot. Ten million entries take ten passes.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use iceberg::spec::{DataContentType, ManifestStatus};
use iceberg::table::Table;
use ingest_core::{ObjectIdentity, TableName};
use sha2::{Digest, Sha256};

use super::agreement::{Absence, History, Presence};
use super::digest;
pub use super::report::{Finding, MAX_FINDINGS, Report};
use crate::error::{Error, Result};
use crate::ingest::Lake;
use crate::ledger::{Entry, Head, Ledger, Run};
use crate::stage;

/// Live data files that one pass compares.
pub const FILES_A_PASS: u64 = 512 * 1024;
/// Identities that one pass compares.
pub const ENTRIES_A_PASS: u64 = 1024 * 1024;

/// A data file in one pass.
struct Seen {
    /// Its rows and the snapshot that added it; `None`: only the ledger names it.
    live: Option<(u64, i64)>,
    /// Rows of the entries that name it.
    rows: u64,
    named: bool,
    /// An entry that names it names others too: whose rows are where is not known.
    shared: bool,
}

impl Lake {
    /// Compares the ledger of a table with the data files of `main`; `None` if there is no such table.
    ///
    /// # Errors
    /// The ledger of `main` cannot be told, or a manifest cannot be read.
    pub async fn verify(&self, name: &TableName) -> Result<Option<Report>> {
        let Some((table, ledger, head)) = self.tables.look(name).await? else { return Ok(None) };
        let files = count_files(&table).await?;
        let promised: u64 = head.runs.iter().map(|run| run.entries).sum();
        let passes = files.div_ceil(FILES_A_PASS).max(promised.div_ceil(ENTRIES_A_PASS)).max(1);
        let comparison = Comparison { history: History::of(table.metadata()), table, ledger, head, passes };
        Ok(Some(comparison.report().await?))
    }
}

struct Comparison {
    table: Table,
    ledger: Ledger,
    head: Head,
    history: History,
    passes: u64,
}

impl Comparison {
    async fn report(&self) -> Result<Report> {
        let mut report = Report { runs: self.head.runs.len() as u64, ..Report::default() };
        for pass in 0..self.passes {
            self.pass(pass, &mut report).await?;
        }
        Ok(report)
    }

    async fn pass(&self, pass: u64, report: &mut Report) -> Result<()> {
        let mine = |digest: u128| digest % u128::from(self.passes) == u128::from(pass);
        let mut files: HashMap<u128, Seen> = HashMap::new();
        live(&self.table, |url, rows, author| {
            let file = digest(url);
            report.files += u64::from(pass == 0);
            if mine(file) {
                let live = Some((rows, author));
                files.insert(file, Seen { live, rows: 0, named: false, shared: false });
            }
        })
        .await?;
        let mut identities: HashSet<u128> = HashSet::new();
        let mut sums: HashMap<i64, u64> = HashMap::new();
        for run in &self.head.runs {
            let found = self
                .each_entry(run, |entry| {
                    let identity = identity_digest(&entry.identity);
                    if mine(identity) && !identities.insert(identity) {
                        report.add(Finding::Duplicate { identity: entry.identity.clone() });
                    }
                    if pass == 0 {
                        report.rows += entry.rows;
                        if self.history.is_ours(entry.snapshot_id) {
                            *sums.entry(entry.snapshot_id).or_default() += entry.rows;
                        }
                    }
                    for (n, part) in entry.parts.iter().enumerate() {
                        // Row groups of one file that do not follow one another are parts of their own.
                        if entry.parts[..n].iter().any(|earlier| earlier.file == part.file) {
                            continue;
                        }
                        let file = digest(&part.file);
                        if mine(file) {
                            self.name(file, &part.file, entry, &mut files, report);
                        }
                    }
                })
                .await;
            match found {
                _ if pass > 0 => {}
                Ok(found) if found != run.entries => {
                    report.entries += found;
                    let path = run.path.clone();
                    report.add(Finding::RunCount { path, promised: run.entries, found });
                }
                Ok(found) => report.entries += found,
                Err(e) if e.retryable() => return Err(e),
                Err(e) => {
                    report.add(Finding::RunUnreadable { path: run.path.clone(), reason: e.to_string() });
                }
            }
        }
        if pass == 0 {
            for (snapshot_id, ledger, added) in self.history.disagreements(&sums) {
                report.add(Finding::SnapshotRows { snapshot_id, ledger, added });
            }
        }
        self.judge(files, report).await
    }

    /// Takes in that an entry names a file.
    fn name(
        &self,
        file: u128,
        url: &str,
        entry: &Entry,
        files: &mut HashMap<u128, Seen>,
        report: &mut Report,
    ) {
        let seen = files.entry(file).or_insert_with(|| {
            match self.history.absent(entry.snapshot_id) {
                Absence::Rewritten => report.rewritten += 1,
                Absence::Unexplained => {
                    report.add(Finding::FileGone { url: url.to_owned(), snapshot_id: entry.snapshot_id })
                }
            }
            Seen { live: None, rows: 0, named: true, shared: true }
        });
        seen.named = true;
        seen.rows += entry.rows;
        // Which of a stage's rows are in which of its files is not known either.
        seen.shared |= entry.mode == stage::MODE || entry.parts.iter().any(|part| part.file != url);
    }

    /// Looks at the live files of a pass once all entries were read. Their names come from the manifests again:
    /// only those are held that something is wrong with.
    async fn judge(&self, files: HashMap<u128, Seen>, report: &mut Report) -> Result<()> {
        let mut wrong: HashMap<u128, Seen> = HashMap::new();
        for (file, seen) in files {
            let Some((rows, _)) = seen.live else { continue };
            if !seen.named || (!seen.shared && seen.rows != rows) {
                wrong.insert(file, seen);
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        live(&self.table, |url, file_rows, author| {
            let Some(seen) = wrong.get(&digest(url)) else { return };
            if seen.named {
                report.add(Finding::FileRows { url: url.to_owned(), ledger: seen.rows, file: file_rows });
                return;
            }
            match self.history.present(author, url) {
                Presence::Foreign => report.foreign += 1,
                Presence::Ours => {
                    report.add(Finding::FileUnnamed { url: url.to_owned(), snapshot_id: author });
                }
            }
        })
        .await
    }

    /// Reads a run and says how many entries it has.
    async fn each_entry(&self, run: &Run, mut each: impl FnMut(&Entry)) -> Result<u64> {
        let mut found = 0;
        let mut entries = std::pin::pin!(self.ledger.entries_of(&run.path).await?);
        while let Some(entry) = entries.try_next().await? {
            found += 1;
            each(&entry);
        }
        Ok(found)
    }
}

/// Calls `each` with URL, rows and author of every data file of `main`, one manifest at a time.
pub(super) async fn live(table: &Table, mut each: impl FnMut(&str, u64, i64)) -> Result<()> {
    let unread = |e: iceberg::Error| {
        Error::unavailable(format!("cannot read a manifest of `{}`", table.identifier())).caused_by(e)
    };
    let Some(snapshot) = table.metadata().current_snapshot() else { return Ok(()) };
    for manifest in table.manifest_list_reader(snapshot).load().await.map_err(unread)?.entries() {
        for entry in manifest.load_manifest(table.file_io()).await.map_err(unread)?.entries() {
            if entry.status() != ManifestStatus::Deleted && entry.content_type() == DataContentType::Data {
                each(entry.file_path(), entry.record_count(), entry.snapshot_id().unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// How many data files `main` has, at most.
async fn count_files(table: &Table) -> Result<u64> {
    let Some(snapshot) = table.metadata().current_snapshot() else { return Ok(0) };
    let list = table.manifest_list_reader(snapshot).load().await.map_err(|e| {
        Error::unavailable(format!("cannot read a manifest list of `{}`", table.identifier())).caused_by(e)
    })?;
    let count = |n: Option<u32>| u64::from(n.unwrap_or(0));
    Ok(list.entries().iter().map(|m| count(m.added_files_count) + count(m.existing_files_count)).sum())
}

fn identity_digest(identity: &ObjectIdentity) -> u128 {
    let text = serde_json::to_vec(identity).expect("strings always have a JSON form");
    let hash = Sha256::digest(text);
    u128::from_be_bytes(hash[..16].try_into().expect("the hash has 32 bytes"))
}
