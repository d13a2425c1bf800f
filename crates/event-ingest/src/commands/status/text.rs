//! A status for people: what is wrong first.

use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};
use operations::model::{Health, Mode, Problem, Severity, StageId, Status, TableStatus, Unit};

use crate::commands::print::{Table, bytes, count, one_line, time};

/// What stands for a number that is not known.
const UNKNOWN: &str = "?";

pub(super) fn write(out: &mut impl Write, status: &Status) -> io::Result<()> {
    let (health, mode) = (health(status.health), mode(status.mode));
    writeln!(out, "{health}  ({mode}, version {}, {} UTC)", status.version, time(status.taken_at))?;
    for problem in &status.problems {
        write_problem(out, problem, status.taken_at)?;
    }
    writeln!(out)?;
    stages(status).write(out)?;
    if let Some(heavy) = &status.heavy {
        let oldest =
            heavy.oldest.map(|oldest| format!(", the oldest since {}", age(status.taken_at, oldest)));
        writeln!(
            out,
            "\nheavy requests: {} running, {} waiting, {} given up{}",
            heavy.running,
            heavy.waiting,
            heavy.failed,
            oldest.unwrap_or_default()
        )?;
    }
    writeln!(out)?;
    if status.tables.is_empty() {
        return writeln!(out, "no table is watched: name some by --table, or by the dispatcher's --rules");
    }
    tables(status).write(out)
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok: nothing is wrong",
        Health::Attention => "attention: files come in, and a person should look at this",
        Health::Broken => "broken: files do not come in, or not all of them",
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Standalone => "standalone",
        Mode::Cluster => "cluster",
    }
}

fn write_problem(out: &mut impl Write, problem: &Problem, now: DateTime<Utc>) -> io::Result<()> {
    let Problem { kind, severity, subject, detail, mend, runbook, since } = problem;
    let severity = match severity {
        Severity::Attention => "attention",
        Severity::Broken => "broken",
    };
    let since = since.map(|since| format!(", since {}", age(now, since))).unwrap_or_default();
    writeln!(out, "\n{severity:<9}  {kind}: {}{since}", one_line(subject))?;
    writeln!(out, "           {}", one_line(detail))?;
    writeln!(out, "       do  {}", one_line(mend))?;
    match runbook {
        Some(runbook) => writeln!(out, "      see  {runbook}"),
        None => Ok(()),
    }
}

fn stages(status: &Status) -> Table<4> {
    let mut table = Table::new(["FLOW", ">WAITING", ">OLDEST", ">EVER"]);
    for stage in &status.stages {
        let name = match stage.id {
            StageId::Announcements => "announcements",
            StageId::OpenBatches => "open batches",
            StageId::Light => "light requests",
            StageId::Heavy => "heavy requests",
            StageId::DeadLetters => "dead letters",
            StageId::Tables => "tables",
        };
        let unit = match stage.unit {
            Unit::Announcements | Unit::Requests | Unit::Letters => "",
            Unit::Files => " files",
            Unit::Rows => " rows",
            Unit::Commits => " commits",
        };
        let number = |number: Option<u64>| {
            number.map_or_else(|| UNKNOWN.to_owned(), |number| format!("{}{unit}", count(number)))
        };
        table.row([
            name.to_owned(),
            // What is in a table waits for nothing.
            if stage.id == StageId::Tables { String::new() } else { number(stage.waiting) },
            stage.oldest_waiting.map(|oldest| age(status.taken_at, oldest)).unwrap_or_default(),
            if stage.id == StageId::OpenBatches { String::new() } else { number(stage.total) },
        ]);
    }
    table
}

fn tables(status: &Status) -> Table<8> {
    let mut table =
        Table::new(["TABLE", "STATE", ">ROWS", ">FILES", ">SIZE", ">OBJECTS", ">SET ASIDE", "LAST COMMIT"]);
    for line in &status.tables {
        let known =
            |number: Option<u64>, show: fn(u64) -> String| number.map_or_else(|| UNKNOWN.to_owned(), show);
        let aside = line.quarantined.map_or_else(
            || UNKNOWN.to_owned(),
            |found| format!("{}{}", count(found.number), if found.at_least { "+" } else { "" }),
        );
        table.row([
            line.table.clone(),
            state(line).to_owned(),
            known(line.rows, count),
            known(line.data_files, count),
            known(line.bytes, bytes),
            known(line.ledger_entries, count),
            aside,
            line.last_commit.map_or_else(String::new, |commit| age(status.taken_at, commit)),
        ]);
    }
    table
}

fn state(table: &TableStatus) -> &'static str {
    match (table.exists, table.fresh) {
        (None, _) => "unknown",
        (Some(false), _) => "missing",
        (Some(true), Some(false)) => "stale",
        (Some(true), _) => "there",
    }
}

/// How long ago something was, in the unit that people would choose.
fn age(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let age = (now - then).max(TimeDelta::zero());
    let (number, unit) = match age {
        age if age < TimeDelta::minutes(2) => (age.num_seconds(), "s"),
        age if age < TimeDelta::hours(2) => (age.num_minutes(), "min"),
        age if age < TimeDelta::days(2) => (age.num_hours(), "h"),
        age => (age.num_days(), "days"),
    };
    format!("{number} {unit} ago")
}

#[cfg(test)]
mod tests {
    use operations::model::{Count, HeavyStatus, SetAside, Stage};

    use super::*;

    fn status() -> Status {
        let problem = Problem {
            kind: "poison-records".to_owned(),
            severity: Severity::Attention,
            subject: "ingest-dlq".to_owned(),
            detail: "2 records\u{1b}[2J wait".to_owned(),
            mend: "`event-ingest dlq redrive`".to_owned(),
            runbook: Some("docs/problems.md#poison-records".to_owned()),
            since: DateTime::from_timestamp(940, 0),
        };
        let stage = |id, waiting| Stage {
            id,
            unit: Unit::Requests,
            total: Some(1_234),
            waiting,
            oldest_waiting: DateTime::from_timestamp(0, 0).filter(|_| waiting.is_some()),
        };
        let table = TableStatus {
            table: "db.t".to_owned(),
            exists: Some(true),
            rows: Some(1_000_000),
            quarantined: Some(Count { number: 100, at_least: true }),
            ..TableStatus::default()
        };
        Status {
            version: "0.1.0".to_owned(),
            mode: Mode::Cluster,
            taken_at: DateTime::from_timestamp(1_000, 0).unwrap(),
            health: Health::Ok,
            problems: vec![problem],
            stages: vec![stage(StageId::Light, Some(7)), stage(StageId::Heavy, None)],
            tables: vec![table],
            heavy: Some(HeavyStatus { running: 1, ..HeavyStatus::default() }),
            set_aside: SetAside::default(),
        }
        .judged()
    }

    #[test]
    fn it_says_what_is_wrong_and_what_to_do() {
        let mut out = Vec::new();
        write(&mut out, &status()).unwrap();
        let text = String::from_utf8(out).unwrap();
        for expected in [
            "attention: files come in",
            "attention  poison-records: ingest-dlq, since 60 s ago",
            "do  `event-ingest dlq redrive`",
            "see  docs/problems.md#poison-records",
            "light requests        7  16 min ago  1,234",
            "heavy requests        ?              1,234",
            "heavy requests: 1 running, 0 waiting, 0 given up",
            "1,000,000",
            "100+",
        ] {
            assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
        }
        assert_eq!(text.matches(|c: char| c.is_control() && c != '\n').count(), 0, "{text:?}");
    }
}
