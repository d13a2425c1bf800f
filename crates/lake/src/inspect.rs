//! Looking at a table and its ledger without changing either.

use std::sync::Arc;

use iceberg::table::Table;
use ingest_core::TableName;

use crate::error::Result;
use crate::ingest::Lake;
use crate::ledger::{Head, Ledger};
use crate::quarantine::Quarantine;
use crate::storage::Stores;

/// A table, its ledger as of `main`, and its quarantine.
#[derive(Debug)]
pub struct Inspection {
    /// The table as it is now.
    pub table: Table,
    /// The files of its ledger.
    pub ledger: Ledger,
    /// The ledger of `main`; without runs if the table has none yet.
    pub head: Head,
    /// What was set aside for this table.
    pub quarantine: Quarantine,
}

impl Lake {
    /// A table as an operator looks at it; `None` if there is none of that name. Begins no ledger.
    ///
    /// # Errors
    /// The catalog or the store does not answer, or the ledger cannot be told.
    pub async fn inspect(&self, name: &TableName) -> Result<Option<Inspection>> {
        let Some((table, ledger, head)) = self.tables.look(name).await? else { return Ok(None) };
        let quarantine =
            Quarantine::new(self.stores().clone(), self.ledger_root(), &table.metadata().uuid().to_string());
        Ok(Some(Inspection { table, ledger, head, quarantine }))
    }

    /// The object stores of this lake.
    pub fn stores(&self) -> &Arc<Stores> {
        &self.tables.stores
    }

    /// Where ledgers live.
    pub fn ledger_root(&self) -> &str {
        &self.tables.ledger_root
    }
}
