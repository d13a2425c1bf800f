//! The head of a ledger: the list of its runs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The format that this version writes and reads.
const VERSION: u32 = 1;

/// Names the runs that make the ledger of one table at one point of its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    version: u32,
    table_uuid: Uuid,
    /// Grows by one with each commit that changes the ledger.
    pub generation: u64,
    /// Every entry is in exactly one of these.
    pub runs: Vec<Run>,
}

/// One immutable file of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Path below the table's ledger folder.
    pub path: String,
    /// Number of entries.
    pub entries: u64,
}

impl Head {
    /// The head of a new ledger.
    pub fn new(table_uuid: Uuid) -> Self {
        Self { version: VERSION, table_uuid, generation: 0, runs: Vec::new() }
    }

    /// Whether a run is named.
    pub(super) fn names(&self, path: &str) -> bool {
        self.runs.iter().any(|run| run.path == path)
    }

    /// Whether this head can be used for the table with that uuid; the text says why not.
    pub(super) fn check(&self, table: Uuid) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!(
                "format version {}, this program knows {VERSION}: use a newer one",
                self.version
            ));
        }
        if self.table_uuid != table {
            return Err(format!("it belongs to table {}, not to {table}", self.table_uuid));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_on_disk_is_this_one() {
        let mut head = Head::new(Uuid::from_u128(1));
        head.generation = 2;
        head.runs.push(Run { path: "runs/5-x.parquet".into(), entries: 3 });
        let text = r#"{"version":1,"table_uuid":"00000000-0000-0000-0000-000000000001","generation":2,"runs":[{"path":"runs/5-x.parquet","entries":3}]}"#;
        assert_eq!(serde_json::to_string(&head).unwrap(), text);
        assert_eq!(serde_json::from_str::<Head>(text).unwrap(), head);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let mut head = Head::new(Uuid::nil());
        head.version = 2;
        assert!(head.check(Uuid::nil()).unwrap_err().contains("version 2"));
    }
}
