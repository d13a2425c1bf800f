//! The whole at a glance. Each part is asked within a deadline of its own, and what does not answer is a problem.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use ingest_core::TableName;
use operations::model::{Count, Health, Mode, SetAside, Stage, StageId, Status, TableStatus, Unit};

use super::StandalonePlant;
use super::problems::{Facts, problems};
use crate::overview::{quarantine, table};
use crate::standalone::activity::Counters;
use crate::standalone::flow::Ingest;
use crate::standalone::store::StoreError;

/// Longest wait for one part.
const PATIENCE: Duration = Duration::from_secs(3);
/// Tables that are asked about at the same time.
const AT_ONCE: usize = 8;

/// What the inbox says.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    total: u64,
    waiting: u64,
    oldest: Option<DateTime<Utc>>,
    letters: u64,
}

impl<I: Ingest> StandalonePlant<I> {
    pub(super) async fn take_status(&self) -> Status {
        let (numbers, ready, tables) =
            tokio::join!(self.numbers(), within(self.worker.ready()), self.table_statuses());
        let (numbers, store) = match numbers {
            Ok(numbers) => (numbers, Ok(())),
            Err(error) => (Numbers::default(), Err(error)),
        };
        let mut lines = Vec::with_capacity(tables.len());
        let mut unreadable = Vec::new();
        for (name, answer) in tables {
            match answer {
                Ok(line) => lines.push(line),
                Err(reason) => {
                    lines.push(table::absent(&name, None, None));
                    unreadable.push((name.to_string(), reason));
                }
            }
        }
        let set_aside = SetAside {
            quarantined: lines
                .iter()
                .filter_map(|line| line.quarantined)
                .fold(Count::default(), |a, b| a + b),
            dead_letters: Count::exact(numbers.letters),
        };
        let facts = Facts {
            data: self.data.clone(),
            now: Utc::now(),
            store,
            catalog: ready,
            rules: self.rules.fault(),
            failing: self.activity.failing(),
            unreadable,
            oldest_waiting: numbers.oldest,
            quarantined: lines
                .iter()
                .filter_map(|line| Some((line.table.clone(), line.quarantined?)))
                .filter(|(_, count)| count.number > 0)
                .collect(),
            letters: numbers.letters,
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: Mode::Standalone,
            taken_at: Utc::now(),
            health: Health::Ok,
            problems: problems(&facts),
            stages: self.stages(numbers),
            tables: lines,
            heavy: None,
            set_aside,
        }
        .judged()
    }

    async fn numbers(&self) -> Result<Numbers, String> {
        within(async {
            let (waiting, oldest) = self.inbox.lag(self.activity.progress().next).await?;
            let (total, letters) = (self.inbox.total().await?, self.inbox.count_dead_letters().await?);
            Ok::<_, StoreError>(Numbers { total, waiting, oldest, letters })
        })
        .await
    }

    async fn table_statuses(&self) -> Vec<(TableName, Result<TableStatus, String>)> {
        let asked = self.tables().into_iter().map(|name| async move {
            let answer = within(self.table_status(&name)).await;
            (name, answer)
        });
        // Collected first: what is streamed borrows from this one call.
        let asked: Vec<_> = asked.collect();
        stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    async fn table_status(&self, name: &TableName) -> lake::Result<TableStatus> {
        let inspection = self.lake.inspect(name).await?;
        let count = quarantine::count(&self.lake, name, inspection.as_ref()).await?;
        match &inspection {
            Some(found) => table::status(name, found, Some(count)).await,
            None => Ok(table::absent(name, Some(false), Some(count))),
        }
    }

    fn stages(&self, numbers: Numbers) -> Vec<Stage> {
        let Counters { requests, rows, .. } = self.activity.snapshot().0;
        let now = self.activity.progress();
        let stage = |id, unit, total, waiting| Stage { id, unit, total, waiting, oldest_waiting: None };
        vec![
            Stage {
                oldest_waiting: numbers.oldest,
                ..stage(
                    StageId::Announcements,
                    Unit::Announcements,
                    Some(numbers.total),
                    Some(numbers.waiting),
                )
            },
            stage(StageId::OpenBatches, Unit::Files, None, Some(now.open_files)),
            stage(StageId::Light, Unit::Requests, Some(requests), Some(now.requests)),
            stage(StageId::Tables, Unit::Rows, Some(rows), None),
            stage(StageId::DeadLetters, Unit::Letters, None, Some(numbers.letters)),
        ]
    }
}

/// The answer, or why there is none in time.
async fn within<T, E: ToString>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
