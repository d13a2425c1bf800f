//! The whole at a glance. Each part is asked within a deadline of its own, and what does not answer is a problem.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ingest_core::TableName;
use operations::model::{
    Count, Health, HeavyStatus, Mode, SetAside, Stage, StageId, Status, TableStatus, Unit,
};

use super::StandalonePlant;
use super::problems::{self, Facts};
use crate::overview::tables::{self, Expected};
use crate::overview::{self, heavy};
use crate::standalone::activity::Counters;
use crate::standalone::flow::Ingest;
use crate::standalone::store::StoreError;

/// Longest wait for one part.
const PATIENCE: Duration = Duration::from_secs(3);

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
        let (numbers, ready, tables, heavy) = tokio::join!(
            self.numbers(),
            within(self.worker.ready()),
            self.table_statuses(),
            self.heavy_status()
        );
        let (numbers, store) = match numbers {
            Ok(numbers) => (numbers, Ok(())),
            Err(error) => (Numbers::default(), Err(error)),
        };
        // Its records are files beside the tables: what keeps them from being read is told of those.
        let (heavy, given_up) = heavy.ok().flatten().unzip();
        let (lines, unreadable) = tables::split(tables);
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
            tables: lines,
            letters: numbers.letters,
            heavy: given_up.unwrap_or_default(),
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: Mode::Standalone,
            taken_at: Utc::now(),
            health: Health::Ok,
            problems: problems::all(&facts),
            stages: self.stages(numbers, heavy.as_ref()),
            tables: facts.tables,
            heavy,
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
        let names: Vec<TableName> = self.tables().into_iter().collect();
        let expected = Expected { every: self.rules.current().expected(), since: self.since };
        tables::look(&self.lake, &names, &expected, PATIENCE).await
    }

    /// Requests that Spark reads, and those that were given up.
    async fn heavy_status(&self) -> Result<Option<(HeavyStatus, Vec<String>)>, String> {
        match &self.heavy {
            Some(records) => within(heavy::status(records)).await.map(Some),
            None => Ok(None),
        }
    }

    fn stages(&self, numbers: Numbers, heavy: Option<&HeavyStatus>) -> Vec<Stage> {
        let Counters { requests, rows, .. } = self.activity.snapshot().0;
        let now = self.activity.progress();
        let stage = |id, unit, total, waiting| Stage { id, unit, total, waiting, oldest_waiting: None };
        let heavy = heavy.map(|heavy| Stage {
            oldest_waiting: heavy.oldest,
            ..stage(StageId::Heavy, Unit::Requests, None, Some(heavy.running + heavy.waiting))
        });
        let before = [
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
        ];
        let after = [
            stage(StageId::Tables, Unit::Rows, Some(rows), None),
            stage(StageId::DeadLetters, Unit::Letters, None, Some(numbers.letters)),
        ];
        before.into_iter().chain(heavy).chain(after).collect()
    }
}

/// The answer, or why there is none in time.
async fn within<T, E: ToString>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    overview::within(PATIENCE, work).await
}
