//! Tables as a request finds them: loaded, made if that is allowed, with a ledger.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use iceberg::spec::{DEFAULT_SCHEMA_NAME_MAPPING, Schema};
use iceberg::table::Table;
use ingest_core::TableName;
use rand::Rng;
use uuid::Uuid;

use crate::catalog::{Catalog, Outcome};
use crate::commit::protocol::Footing;
use crate::commit::{self, Append};
use crate::creation::Creation;
use crate::error::{Error, Result};
use crate::ledger::{Head, Ledger, Ledgers, Lineage, Located, MainLedger, PROPERTY_ROOT, locate};
use crate::observe::Observed;
use crate::storage::Stores;

/// How often a table without a ledger is given one before we let the caller try later.
const INIT_ATTEMPTS: usize = 5;
/// The longest pause between two of them; the real one is random.
const INIT_PAUSE: Duration = Duration::from_millis(50);
/// Metadata files that tables made by us keep; without a bound a table that is committed to often leaves many GB.
const METADATA_VERSIONS: &str = "100";

/// A table and the ledger of its `main`.
pub(super) struct View {
    pub(super) table: Table,
    pub(super) ledger: Ledger,
    pub(super) lineage: Lineage,
    pub(super) head: Head,
}

/// The tables of one catalog, with their ledgers.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) catalog: Catalog,
    pub(crate) stores: Arc<Stores>,
    pub(crate) ledger_root: String,
    pub(super) observed: Observed,
    ledgers: Ledgers,
}

impl View {
    /// What a plan that is made now rests on, but for a stage.
    pub(super) fn footing(&self) -> Footing {
        let metadata = self.table.metadata();
        Footing {
            table: metadata.uuid(),
            schema_id: metadata.current_schema_id(),
            last_column_id: metadata.last_column_id(),
            name_mapping: metadata.properties().get(DEFAULT_SCHEMA_NAME_MAPPING).cloned(),
            spec_id: metadata.default_partition_spec_id(),
            stage: None,
            ledger: self.lineage.clone(),
        }
    }
}

impl Tables {
    pub(super) fn new(catalog: Catalog, stores: Arc<Stores>, ledger_root: String) -> Self {
        let ledgers = Ledgers::new(stores.clone(), &ledger_root);
        Self { catalog, stores, ledger_root, observed: Observed::default(), ledgers }
    }

    /// The table with its ledger, begun if it has none; `None` if there is no such table.
    pub(super) async fn view(&self, name: &TableName) -> Result<Option<View>> {
        for _ in 0..INIT_ATTEMPTS {
            let Some(table) = self.catalog.load(name).await? else {
                return Ok(None);
            };
            let ledger = self.ledger_of(&table)?;
            let MainLedger { lineage, head } =
                ledger.of_main(table.metadata()).await.map_err(|e| of(name, e))?;
            if !lineage.is_new() {
                return Ok(Some(View { table, ledger, lineage, head }));
            }
            self.begin_ledger(name, &table, &ledger).await?;
            let pause = INIT_PAUSE.mul_f64(rand::rng().random_range(0.0..1.0));
            tokio::time::sleep(pause).await;
        }
        Err(Error::unavailable(format!("`{name}` changes too quickly to begin its ledger")))
    }

    /// The table with its ledger as it is, which may be none yet.
    pub(crate) async fn look(&self, name: &TableName) -> Result<Option<(Table, Ledger, Head)>> {
        let Some(table) = self.catalog.load(name).await? else { return Ok(None) };
        let ledger = self.ledger_of(&table)?;
        let main = ledger.of_main(table.metadata()).await.map_err(|e| of(name, e))?;
        Ok(Some((table, ledger, main.head)))
    }

    /// Makes a table for files with this schema.
    pub(super) async fn create_table(
        &self,
        name: &TableName,
        schema: Schema,
        creation: &Creation,
    ) -> Result<()> {
        let properties = HashMap::from([
            ("write.metadata.delete-after-commit.enabled".to_owned(), "true".to_owned()),
            ("write.metadata.previous-versions-max".to_owned(), METADATA_VERSIONS.to_owned()),
        ]);
        self.catalog.create(name, creation.design(schema, properties)?).await?;
        tracing::info!(table = %name, "table created");
        Ok(())
    }

    /// The first commit to a table: no rows, only the pointer. Rows follow once it was read back, so that a
    /// catalog that drops summaries is found out before it can double anything.
    async fn begin_ledger(&self, name: &TableName, table: &Table, ledger: &Ledger) -> Result<()> {
        let snapshot_id = new_snapshot_id();
        let written = ledger.write(&Head::new(table.metadata().uuid()), snapshot_id, Vec::new()).await?;
        let append = Append {
            files: &[],
            evolved: None,
            objects: 0,
            requests: 0,
            ledger: &written,
            properties: HashMap::from([(PROPERTY_ROOT.to_owned(), self.ledger_root.clone())]),
            stage: None,
            snapshot_id,
            now_ms: Utc::now().timestamp_millis(),
        };
        let commit = commit::prepare(table, append).await?;
        let outcome = self.catalog.commit(table, commit).await;
        let still_new = self.catalog.load(name).await?.is_some_and(|now| {
            let is_new = matches!(locate(now.metadata()), Located::At(lineage) if lineage.is_new());
            now.metadata().uuid() == table.metadata().uuid() && is_new
        });
        match outcome {
            Outcome::Committed if still_new => Err(Error::inconsistent(format!(
                "the catalog dropped the ledger pointer of `{name}`: without it rows could double, so none is written"
            ))),
            Outcome::Unknown(error) if still_new && !error.retryable() => Err(error),
            Outcome::Unknown(error) => {
                tracing::warn!(table = %name, %error, "no clear answer while beginning a ledger");
                Ok(())
            }
            // After a conflict somebody else was first.
            Outcome::Committed | Outcome::Conflict => Ok(()),
        }
    }

    /// The ledger files of a table, at the one root that it may have.
    pub(crate) fn ledger_of(&self, table: &Table) -> Result<Ledger> {
        let metadata = table.metadata();
        match metadata.properties().get(PROPERTY_ROOT) {
            Some(root) if *root != self.ledger_root => Err(Error::inconsistent(format!(
                "the ledger of `{}` is at `{root}`, this instance is configured for `{}`: give it the same ledger root",
                table.identifier(),
                self.ledger_root
            ))),
            _ => Ok(self.ledgers.of(metadata.uuid())),
        }
    }
}

/// Says whose ledger it is that failed.
fn of(name: &TableName, error: Error) -> Error {
    Error::new(error.kind(), format!("the ledger of `{name}`")).caused_by(error)
}

/// A snapshot id that nobody has used: random and positive.
pub(crate) fn new_snapshot_id() -> i64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    i64::try_from((high ^ low) >> 1).expect("63 bits fit")
}
