//! What a command tells: progress while it works, each result, and a summary at its end.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ingest_core::{FileStatus, IngestResult};

use super::summary::{Note, Summary};

/// How often the progress line is drawn while nothing changes.
const TICK: Duration = Duration::from_millis(200);

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// JSON lines instead of text on standard output.
    pub(crate) json: bool,
    /// Every object that would be ingested is named: the dry run.
    pub(crate) name_planned: bool,
}

/// What a command has to tell.
pub(crate) struct Report {
    summary: Summary,
    style: Style,
    out: Box<dyn Write + Send>,
    bar: ProgressBar,
    /// Whether standard error is no terminal: plain lines then, where the bar would be.
    plain: bool,
}

impl Report {
    /// A report to `out`, with its progress on standard error.
    pub(crate) fn new(style: Style, out: Box<dyn Write + Send>) -> Self {
        let plain = !io::stderr().is_terminal();
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(
            ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}").expect("a fixed template"),
        );
        bar.enable_steady_tick(TICK);
        Self { summary: Summary::default(), style, out, bar, plain }
    }

    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// A key came out of a listing, or an object was named.
    pub(crate) fn seen(&mut self) {
        self.summary.files_seen += 1;
        if self.summary.files_seen.is_multiple_of(1_000) {
            self.draw();
        }
    }

    pub(crate) fn ignored(&mut self, reason: &'static str) {
        *self.summary.files_ignored.entry(reason).or_default() += 1;
    }

    pub(crate) fn in_table(&mut self) {
        self.summary.files_in_table += 1;
    }

    pub(crate) fn recent(&mut self) {
        self.summary.files_recent += 1;
    }

    pub(crate) fn gone(&mut self) {
        self.summary.files_gone += 1;
    }

    /// An object is to be ingested.
    pub(crate) fn missing(&mut self, file: &str, table: &str, size: u64) -> io::Result<()> {
        self.summary.files_missing += 1;
        self.summary.bytes_missing += size;
        if !self.style.name_planned {
            return Ok(());
        }
        if self.style.json {
            let line = serde_json::json!({"file": file, "table": table, "size": size, "status": "missing"});
            return self.line(&line.to_string());
        }
        self.line(&format!("missing in {table}: {file} ({size} bytes)"))
    }

    /// An object was rolled back, and stays out.
    pub(crate) fn rolled_back(&mut self, file: String) -> io::Result<()> {
        self.summary.files_rolled_back += 1;
        let reason =
            "it was in the table, and main was rolled back; --include-rolled-back brings it in again";
        self.not_in_table(Note { file, status: "rolled-back", reason: reason.to_owned() })
    }

    /// An object stays out, and nobody but a person can mend that.
    pub(crate) fn set_aside(&mut self, file: String, reason: &str) -> io::Result<()> {
        self.summary.files_quarantined += 1;
        self.not_in_table(Note { file, status: "quarantined", reason: reason.to_owned() })
    }

    /// An object, or what was named of a bucket, may not be read or has a table that may not be written.
    pub(crate) fn forbidden(&mut self, file: String, reason: &str) -> io::Result<()> {
        self.summary.files_forbidden += 1;
        self.not_in_table(Note { file, status: "forbidden", reason: reason.to_owned() })
    }

    /// A request was carried out.
    pub(crate) fn done(&mut self, result: &IngestResult) -> io::Result<()> {
        let summary = &mut self.summary;
        summary.requests += 1;
        summary.rows += result.rows;
        summary.files_processed += result.files_processed;
        summary.files_skipped += result.files_skipped;
        for outcome in &result.files {
            let status = match outcome.status {
                FileStatus::Quarantined => "quarantined",
                FileStatus::Forbidden => "forbidden",
                FileStatus::Processed | FileStatus::Skipped => continue,
            };
            if outcome.status == FileStatus::Forbidden {
                summary.files_forbidden += 1;
            } else {
                summary.files_quarantined += 1;
            }
            summary.note(Note {
                file: outcome.file.clone(),
                status,
                reason: outcome.reason.clone().unwrap_or_default(),
            });
        }
        if self.style.json {
            let line = String::from_utf8_lossy(&result.to_json()).into_owned();
            self.line(&line)?;
        }
        if self.plain && !self.style.json {
            eprintln!(
                "{}: {} files, {} rows, {} skipped, {} quarantined",
                result.table,
                result.files_processed,
                result.rows,
                result.files_skipped,
                result.files_quarantined
            );
        }
        self.draw();
        Ok(())
    }

    fn not_in_table(&mut self, note: Note) -> io::Result<()> {
        if self.style.name_planned {
            let line = if self.style.json {
                serde_json::to_string(&note)?
            } else {
                format!("{}: {}: {}", note.status, note.file, note.reason)
            };
            self.line(&line)?;
        }
        self.summary.note(note);
        Ok(())
    }

    fn draw(&self) {
        let Summary { files_seen, files_in_table, files_missing, files_processed, rows, .. } = &self.summary;
        self.bar.set_message(format!(
            "{files_seen} seen, {files_in_table} in the table, {files_missing} missing, {files_processed} ingested, {rows} rows"
        ));
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.out;
        self.bar.suspend(|| writeln!(out, "{text}"))
    }

    /// Ends the progress line and writes the summary.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.bar.finish_and_clear();
        let summary = self.summary.clone();
        if self.style.json {
            let line = serde_json::json!({ "summary": summary });
            return self.line(&line.to_string());
        }
        for (label, count) in summary.counts() {
            self.line(&format!("{label:<28} {count}"))?;
        }
        for note in &summary.not_in_table {
            self.line(&format!("{}: {}: {}", note.status, note.file, note.reason))?;
        }
        let noted = [summary.files_quarantined, summary.files_forbidden, summary.files_rolled_back];
        let more = noted.iter().sum::<u64>().saturating_sub(summary.not_in_table.len() as u64);
        if more > 0 {
            self.line(&format!("and {more} more"))?;
        }
        self.out.flush()
    }
}
