//! The cluster as a [`Plant`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::future::join_all;
use ingest_core::{ObjectUri, TableName};
use lake::{Lake, LakeConfig};
use operations::model::{
    Abilities, Ability, Changed, Count, DeadLetter, FileLine, Health, HeavyJob, HeavyStatus, Mode, Page,
    Quarantined, SetAside, Stage, StageId, Status, Story, TableStatus, Unit,
};
use operations::plant::{FilesQuery, ListQuery, TableQuery};
use operations::{Plant, PlantError};
use service_kit::kafka::ClientProperties;
use tokio::sync::OnceCell;

use super::lanes::{Lag, Watcher};
use super::problems::{self, Facts, Reader};
use super::stores::Answer;
use super::watched::Watched;
use super::{ClusterArgs, PATIENCE, again, letters, stores, story, within};
use crate::overview::heavy::{self, Wish};
use crate::overview::tables::{self, Expected};
use crate::overview::{failed, lists};

/// Services around Kafka, told from outside.
pub struct ClusterPlant {
    args: ClusterArgs,
    kafka: ClientProperties,
    config: LakeConfig,
    /// Opened when it is first wanted: a catalog that is down is a problem to tell, not a reason to tell nothing.
    lake: OnceCell<Arc<Lake>>,
    lanes: Vec<(Reader, Watcher)>,
    letters: Watcher,
    /// When this plant began to watch.
    since: DateTime<Utc>,
}

impl fmt::Debug for ClusterPlant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterPlant").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

/// What the lake tells for a status.
#[derive(Debug)]
struct Told {
    catalog: Result<(), String>,
    tables: Vec<(TableName, Result<TableStatus, String>)>,
    stores: Vec<Answer>,
    heavy: Result<(HeavyStatus, Vec<String>), String>,
}

impl ClusterPlant {
    /// Makes the clients, and waits for nobody.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn new(args: ClusterArgs, config: LakeConfig) -> anyhow::Result<Self> {
        let kafka = args.properties()?;
        let topics = &args.topics;
        let lane =
            |reader, topic: &str, group: &str| anyhow::Ok((reader, Watcher::new(&kafka, topic, group)?));
        let lanes = vec![
            lane(Reader::Dispatcher, &topics.topic, &topics.group)?,
            lane(Reader::LightWorker, &topics.light_topic, &topics.light_group)?,
            lane(Reader::SparkLauncher, &topics.heavy_topic, &topics.heavy_group)?,
        ];
        let letters = Watcher::new(&kafka, &topics.dead_letter_topic, &args.redrive_group)?;
        Ok(Self { args, kafka, config, lake: OnceCell::new(), lanes, letters, since: Utc::now() })
    }

    async fn lake(&self) -> lake::Result<Arc<Lake>> {
        let open = || async { Lake::open(self.config.clone()).await.map(Arc::new) };
        self.lake.get_or_try_init(open).await.cloned()
    }

    /// The lake, for an answer that cannot be given without it.
    async fn open(&self) -> Result<Arc<Lake>, PlantError> {
        within(self.lake()).await.map_err(PlantError::unavailable)
    }

    /// The table that was asked for, or all that are watched.
    fn asked(&self, watched: Watched, table: Option<&TableName>) -> Vec<TableName> {
        table.map_or(watched.tables, |table| vec![table.clone()])
    }

    async fn look_at_lake(&self, watched: &Watched) -> Told {
        let lake = match within(self.lake()).await {
            Ok(lake) => lake,
            Err(reason) => {
                let unseen = watched.tables.iter().map(|name| (name.clone(), Err(reason.clone())));
                return Told {
                    tables: unseen.collect(),
                    stores: Vec::new(),
                    heavy: Err(reason.clone()),
                    catalog: Err(reason),
                };
            }
        };
        let heavy = async {
            let records = spark_launcher::records(&lake)?;
            heavy::status(&records).await
        };
        let expected = Expected { every: watched.rules.expected(), since: self.since };
        let (catalog, tables, stores, heavy) = tokio::join!(
            within(lake.ready()),
            tables::look(&lake, &watched.tables, &expected, PATIENCE),
            stores::ask(&lake, &watched.rules),
            within(heavy),
        );
        Told { catalog, tables, stores, heavy }
    }

    async fn take_status(&self) -> Status {
        let watched = Watched::now(&self.args);
        let lags = join_all(self.lanes.iter().map(|(_, watcher)| within(watcher.lag())));
        let (lags, letters, told) =
            tokio::join!(lags, within(self.letters.letters()), self.look_at_lake(&watched));
        let (lines, unreadable) = tables::split(told.tables);
        let (heavy, failed) = told
            .heavy
            .map_or_else(|reason| (None, Err(reason)), |(status, failed)| (Some(status), Ok(failed)));
        let stages = stages(&lags, &letters, &lines);
        let waiting = letters.as_ref().map(|(_, waiting)| *waiting).map_err(String::clone);
        let set_aside = SetAside {
            quarantined: lines
                .iter()
                .filter_map(|line| line.quarantined)
                .fold(Count::default(), |a, b| a + b),
            dead_letters: Count::exact(waiting.clone().unwrap_or(0)),
        };
        let lanes = self.lanes.iter().zip(lags);
        let facts = Facts {
            now: Utc::now(),
            lanes: lanes.map(|((reader, watcher), lag)| (*reader, watcher.lane().clone(), lag)).collect(),
            letters: (self.args.topics.dead_letter_topic.clone(), waiting),
            rules: watched.fault,
            catalog: told.catalog,
            unreadable,
            tables: lines,
            stores: told.stores,
            heavy: failed,
        };
        let problems = problems::all(&facts);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: Mode::Cluster,
            taken_at: facts.now,
            health: Health::Ok,
            problems,
            stages,
            tables: facts.tables,
            heavy,
            set_aside,
        }
        .judged()
    }
}

/// The flow, in its order. What is not known is `null`.
fn stages(
    lags: &[Result<Lag, String>],
    letters: &Result<(u64, u64), String>,
    tables: &[TableStatus],
) -> Vec<Stage> {
    let lag = |lane: usize| lags.get(lane).and_then(|lag| lag.as_ref().ok());
    let stage = |id, unit, total, waiting| Stage { id, unit, total, waiting, oldest_waiting: None };
    let lane = |id, unit, lag: Option<&Lag>| Stage {
        oldest_waiting: lag.and_then(|lag| lag.oldest),
        // What was read and is in open batches is told by itself.
        ..stage(id, unit, lag.map(|lag| lag.written), lag.map(|lag| lag.waiting - lag.read))
    };
    let letters = letters.as_ref().ok();
    vec![
        lane(StageId::Announcements, Unit::Announcements, lag(0)),
        stage(StageId::OpenBatches, Unit::Announcements, None, lag(0).map(|lag| lag.read)),
        lane(StageId::Light, Unit::Requests, lag(1)),
        lane(StageId::Heavy, Unit::Requests, lag(2)),
        stage(
            StageId::Tables,
            Unit::Rows,
            tables.iter().filter_map(|table| table.rows).reduce(|a, b| a + b),
            None,
        ),
        stage(
            StageId::DeadLetters,
            Unit::Letters,
            letters.map(|(written, _)| *written),
            letters.map(|(_, waiting)| *waiting),
        ),
    ]
}

#[async_trait]
impl Plant for ClusterPlant {
    fn abilities(&self) -> Abilities {
        let changes =
            vec![Ability::RetryQuarantined, Ability::Redrive, Ability::RetryHeavy, Ability::CancelHeavy];
        Abilities { changes, upload: None }
    }

    async fn status(&self) -> Status {
        self.take_status().await
    }

    async fn files(&self, query: &FilesQuery) -> Result<Page<FileLine>, PlantError> {
        let tables = self.asked(Watched::now(&self.args), query.table.as_ref());
        lists::objects(self.open().await?.as_ref(), &tables, query, Vec::new()).await
    }

    async fn story(&self, object: &ObjectUri, table: Option<&TableName>) -> Result<Story, PlantError> {
        let watched = Watched::now(&self.args);
        let rules = watched.rules.clone();
        let tables = self.asked(watched, table);
        story::tell(self.open().await?.as_ref(), &rules, &tables, object).await
    }

    async fn quarantined(&self, query: &TableQuery) -> Result<Page<Quarantined>, PlantError> {
        let tables = self.asked(Watched::now(&self.args), query.table.as_ref());
        lists::quarantined(self.open().await?.as_ref(), tables, query).await
    }

    async fn dead_letters(&self, query: &ListQuery) -> Result<Page<DeadLetter>, PlantError> {
        letters::page(&self.kafka, &self.args, query).await
    }

    async fn heavy_jobs(&self, query: &ListQuery) -> Result<Page<HeavyJob>, PlantError> {
        heavy::page(&self.records().await?, query).await
    }

    async fn retry_quarantined(&self, table: &TableName, ids: &[String]) -> Result<Changed, PlantError> {
        again::request(self.open().await?.as_ref(), &self.kafka, &self.args.topics.light_topic, table, ids)
            .await
    }

    async fn redrive(&self, ids: &[String]) -> Result<Changed, PlantError> {
        letters::redrive(&self.kafka, &self.args, ids).await
    }

    async fn retry_heavy(&self, id: &str) -> Result<Changed, PlantError> {
        heavy::change(&self.records().await?, id, Wish::Retry).await
    }

    async fn cancel_heavy(&self, id: &str) -> Result<Changed, PlantError> {
        heavy::change(&self.records().await?, id, Wish::Cancel).await
    }
}

impl ClusterPlant {
    async fn records(&self) -> Result<spark_launcher::record::store::Records, PlantError> {
        spark_launcher::records(self.open().await?.as_ref()).map_err(|error| failed(&error))
    }
}
