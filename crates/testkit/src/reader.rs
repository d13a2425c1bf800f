//! Reading a table by other code than ours.

use std::path::Path;

use serde_json::Value;

use crate::python;

/// An Iceberg table as PyIceberg, and DuckDB over the same data files, see it.
pub struct Reader {
    arguments: Vec<String>,
}

impl Reader {
    /// A reader of one table (`namespace.name`). The catalog's properties have Iceberg's names: `uri`, `warehouse`, ….
    pub fn new<'a>(table: &str, catalog: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut arguments = vec!["--table".to_owned(), table.to_owned()];
        for (key, value) in catalog {
            arguments.extend(["--catalog".to_owned(), format!("{key}={value}")]);
        }
        Self { arguments }
    }

    /// What is in the table: `rows`, `snapshot_id`, `location`, `properties`, and `columns` with type, nulls, bounds and
    /// sum.
    pub async fn summary(&self) -> Value {
        let output = python("read_table.py", &self.arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the table cannot be read: {errors}");
        serde_json::from_slice(&output.stdout).expect("read_table.py prints JSON")
    }

    /// Asserts that the table holds exactly the rows of these Parquet and CSV files, value by value, to both engines.
    /// A file that is named twice counts twice.
    pub async fn assert_holds<P: AsRef<Path>>(&self, sources: &[P]) {
        for engine in ["pyiceberg", "duckdb"] {
            self.assert_holds_to(engine, sources).await;
        }
    }

    /// The same to one engine. A table that is not in local files is for `pyiceberg` alone.
    pub async fn assert_holds_to<P: AsRef<Path>>(&self, engine: &str, sources: &[P]) {
        let mut arguments = self.arguments.clone();
        arguments.extend(["--engine".to_owned(), engine.to_owned(), "--".to_owned()]);
        arguments.extend(sources.iter().map(|path| path.as_ref().display().to_string()));
        let output = python("compare_table.py", arguments).await;
        assert!(
            output.status.success(),
            "the table is not what was ingested, to {engine}:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
