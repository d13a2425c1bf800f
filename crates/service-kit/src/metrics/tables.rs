//! Tables as labels, in bounded number: names of tables may come from keys, and series are memory, here and in Prometheus.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ingest_core::TableName;

/// Most tables with a label of their own in one process.
pub const MAX_TABLES: usize = 100;

/// The label of all further ones.
pub const OTHER_TABLES: &str = "other";

/// Which tables have a label of their own: the first that were seen. Clones share them, so that all metrics of a process
/// name the same.
#[derive(Debug, Clone, Default)]
pub struct TableLabels(Arc<Mutex<HashSet<TableName>>>);

impl TableLabels {
    /// The table's own label, if it has one.
    pub fn own(&self, table: &TableName) -> Option<String> {
        let mut named = self.0.lock().expect("no holder of this lock panics");
        if !named.contains(table) {
            if named.len() >= MAX_TABLES {
                return None;
            }
            named.insert(table.clone());
        }
        Some(table.to_string())
    }

    /// The table's label, which it may share with others. No table is called so: names have a namespace.
    pub fn label(&self, table: &TableName) -> String {
        self.own(table).unwrap_or_else(|| OTHER_TABLES.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_beyond_the_bound_share_a_label() {
        let labels = TableLabels::default();
        let table = |number: usize| TableName::parse(&format!("db.t{number}")).expect("valid");
        for number in 0..2 * MAX_TABLES {
            let expected = if number < MAX_TABLES { format!("db.t{number}") } else { "other".to_owned() };
            assert_eq!(labels.label(&table(number)), expected);
        }
        assert_eq!(labels.clone().own(&table(0)).as_deref(), Some("db.t0"));
        assert_eq!(labels.own(&table(MAX_TABLES)), None);
    }
}
