//! Files against a table, one after the other: which of them fit, and what the table becomes for them.

use std::sync::Arc;

use arrow_schema::{Fields, SchemaRef as ArrowSchemaRef};
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{SchemaRef, TableMetadata};

use super::added::{Constant, map_with, with_constants};
use super::evolve::evolve;
use super::mapping::{Mapping, Matching, Misfit, map};
use crate::error::{Error, Result};
use crate::options::SchemaPolicy;

/// A table's schema as it grows with the files that are admitted.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// The table's schema, or what it has to become.
    pub schema: SchemaRef,
    /// The same for Arrow.
    pub columns: ArrowSchemaRef,
    policy: SchemaPolicy,
    matching: Matching,
    last_column_id: i32,
    grown: bool,
}

impl Fitting {
    /// A table that no file has been held against.
    ///
    /// # Errors
    /// A column type that Arrow cannot hold.
    pub fn new(table: &TableMetadata, policy: SchemaPolicy, matching: Matching) -> Result<Self> {
        let schema = table.current_schema().clone();
        let columns = arrow(&schema).map_err(|reason| {
            Error::invalid(format!("the table has a column that cannot be written: {reason}"))
        })?;
        Ok(Self { schema, columns, policy, matching, last_column_id: table.last_column_id(), grown: false })
    }

    /// Takes in the columns of a file. Under `evolve` the schema grows by what it lacks.
    ///
    /// # Errors
    /// Why the file does not fit; the schema is what it was.
    pub fn admit(&mut self, file: &Fields, constants: &[Constant]) -> Result<(), String> {
        let all = with_constants(file, constants, self.matching);
        let (_, misfits) = map(all.fields(), self.columns.fields(), self.matching);
        let Some(first) = misfits.first() else { return Ok(()) };
        if self.policy == SchemaPolicy::Strict {
            return Err(first.to_string());
        }
        if self.matching.field_ids && misfits.iter().any(|misfit| matches!(misfit, Misfit::Unknown { .. })) {
            return Err(format!(
                "{first}; with `field-ids` none is added, for the file could not know its id"
            ));
        }
        let schema = Arc::new(evolve(&self.schema, self.last_column_id, &misfits)?);
        self.columns = arrow(&schema)?;
        self.schema = schema;
        self.grown = true;
        Ok(())
    }

    /// How the columns of an admitted file become the table's.
    ///
    /// # Errors
    /// A constant that the table's column does not hold.
    pub fn mapping(&self, file: &Fields, constants: &[Constant]) -> Result<Mapping, String> {
        let (mapping, misfits) = map_with(file, constants, self.columns.fields(), self.matching)?;
        match misfits.first() {
            None => Ok(mapping),
            Some(misfit) => Err(misfit.to_string()),
        }
    }

    /// The schema that the table has to get, if its own is not enough.
    pub fn evolved(&self) -> Option<&SchemaRef> {
        self.grown.then_some(&self.schema)
    }
}

fn arrow(schema: &SchemaRef) -> Result<ArrowSchemaRef, String> {
    schema_to_arrow_schema(schema).map(Arc::new).map_err(|e| e.to_string())
}
