//! `event-ingest rules test`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use ingest_core::notification;
use ingest_core::rules::Subject;
use service_kit::rules::RulesSource;

use super::TrialArgs;
use super::explained::{Explained, Fate};
use crate::commands::exit;

/// Longest notification, as long as a record of Kafka may be where nobody allowed longer ones, and more.
const MAX_NOTIFICATION_BYTES: u64 = 16 << 20;

/// Writes what becomes of each object.
pub(super) fn run(args: &TrialArgs, input: impl Read, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let rules = RulesSource::File(args.file.clone()).load()?;
    let unmatched = rules.unmatched().unwrap_or(args.unmatched.into());
    let mut set_aside = false;
    let mut show = |subject: Subject<'_>| {
        let explained = Explained::new(&rules, &subject, unmatched);
        set_aside |= explained.fate == Fate::DeadLetter;
        match args.output.is_json() {
            false => write!(out, "{explained}"),
            true => writeln!(out, "{}", explained.json()),
        }
    };
    let event = args.event.strip_prefix("s3:").unwrap_or(&args.event);
    for uri in &args.keys {
        show(Subject { uri, event: Some(event), size: args.size })?;
    }
    if let Some(path) = &args.notification {
        match notification::parse(&bytes(path, input)?) {
            Ok(parsed) => {
                for announcement in &parsed.announcements {
                    show(Subject::of(announcement))?;
                }
                for ignored in &parsed.ignored {
                    let said = "an event without a new object: ignored";
                    without_object(args.output.is_json(), out, said, Fate::Ignored, ignored.reason())?;
                }
            }
            Err(error) => {
                set_aside = true;
                let said = "no notification that can be read: to the dead letters";
                without_object(args.output.is_json(), out, said, Fate::DeadLetter, &error.to_string())?;
            }
        }
    }
    Ok(exit::done(!set_aside))
}

/// Writes what becomes of a record, or a part of it, that announces nothing.
fn without_object(
    json: bool,
    out: &mut impl Write,
    said: &str,
    fate: Fate,
    reason: &str,
) -> std::io::Result<()> {
    match json {
        false => writeln!(out, "{said} ({reason})"),
        true => {
            writeln!(out, "{}", serde_json::json!({"outcome": fate.as_str(), "reason": reason}))
        }
    }
}

fn bytes(path: &Path, input: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        input.take(MAX_NOTIFICATION_BYTES).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_NOTIFICATION_BYTES).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(bytes)
}
