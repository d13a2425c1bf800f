//! What data files are written for.

use std::sync::Arc;

use arrow_schema::SchemaRef as ArrowSchemaRef;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{SchemaRef, TableMetadata};

use crate::error::{Error, Result};

/// A table at one schema. Its default partition spec and sort order are those of `table`.
#[derive(Debug, Clone)]
pub struct Target {
    /// The table as it was when the files were planned.
    pub table: Arc<TableMetadata>,
    /// The schema whose field ids stand in the files: the table's own, or one that the commit makes the table's.
    pub schema: SchemaRef,
    /// The same for Arrow.
    pub columns: ArrowSchemaRef,
}

impl Target {
    /// The table at its current schema.
    ///
    /// # Errors
    /// A column type that Arrow cannot hold.
    pub fn current(table: Arc<TableMetadata>) -> Result<Self> {
        let schema = table.current_schema().clone();
        Self::with_schema(table, schema)
    }

    /// The table at a schema that is to become its own.
    ///
    /// # Errors
    /// A column type that Arrow cannot hold.
    pub fn with_schema(table: Arc<TableMetadata>, schema: SchemaRef) -> Result<Self> {
        let columns = schema_to_arrow_schema(&schema)
            .map_err(|e| Error::invalid("the table has a column type that cannot be written").caused_by(e))?;
        Ok(Self { table, schema, columns: Arc::new(columns) })
    }
}
