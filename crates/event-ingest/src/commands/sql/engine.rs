//! DataFusion over the tables that a statement names, each as it is when it is opened.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::common::TableReference;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use iceberg_datafusion::IcebergStaticTableProvider;
use ingest_core::TableName;
use lake::Lake;

/// Tables that one statement may name.
const MAX_TABLES: usize = 32;
/// Stands for the catalog of a table of which the statement names none.
const CATALOG: &str = "iceberg";

/// The rows of the answer.
///
/// # Errors
/// What is no SELECT, no such table or column, or a table that cannot be opened.
pub(super) async fn ask(
    lake: &Lake,
    statement: &str,
    memory_mib: NonZeroUsize,
) -> anyhow::Result<SendableRecordBatchStream> {
    let memory = memory_mib.get().saturating_mul(1 << 20);
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory, 1.0).build_arc()?;
    // No schema by default: a name without a namespace is said to lack one.
    let config =
        SessionConfig::new().with_default_catalog_and_schema(CATALOG, "").with_information_schema(false);
    let session = SessionContext::new_with_config_rt(config, runtime);
    let parsed = session.state().sql_to_statement(statement, &datafusion::config::Dialect::Generic)?;
    register(lake, &session, &parsed).await?;
    let plan = session.state().statement_to_plan(parsed).await?;
    // Neither tables of its own, nor writes, nor settings.
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)?;
    Ok(session.execute_logical_plan(plan).await?.execute_stream().await?)
}

/// Opens every table that the statement names.
async fn register(lake: &Lake, session: &SessionContext, statement: &Statement) -> anyhow::Result<()> {
    let named: BTreeSet<TableReference> =
        session.state().resolve_table_references(statement)?.into_iter().collect();
    anyhow::ensure!(named.len() <= MAX_TABLES, "a statement may name {MAX_TABLES} tables at most");
    for reference in named {
        let name = name(&reference)?;
        let found = lake.inspect(&name).await?.with_context(|| format!("there is no table `{name}`"))?;
        let provider = IcebergStaticTableProvider::try_new_from_table(found.table).await;
        let provider = provider.with_context(|| format!("table `{name}` cannot be opened"))?;
        make_room(session, &reference)?;
        session.register_table(reference, Arc::new(provider))?;
    }
    Ok(())
}

/// Iceberg's name of what a statement names.
fn name(reference: &TableReference) -> anyhow::Result<TableName> {
    let text = match reference {
        TableReference::Bare { table } => {
            anyhow::bail!("`{table}` has no namespace: write it as namespace.name, such as db.{table}")
        }
        TableReference::Partial { schema, table } => format!("{schema}.{table}"),
        TableReference::Full { catalog, schema, table } => format!("{catalog}.{schema}.{table}"),
    };
    text.parse().map_err(|error| anyhow::anyhow!("`{text}` names no table: {error}"))
}

/// A place where the engine finds a table under its whole name.
fn make_room(session: &SessionContext, reference: &TableReference) -> anyhow::Result<()> {
    let catalog = reference.catalog().unwrap_or(CATALOG);
    let schema = reference.schema().unwrap_or_default();
    let catalog = match session.catalog(catalog) {
        Some(known) => known,
        None => {
            let new: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
            session.register_catalog(catalog, new.clone());
            new
        }
    };
    if catalog.schema(schema).is_none() {
        catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_with_its_namespace() {
        let named = |text: &str| {
            let named = name(&TableReference::parse_str(text));
            named.map(|name| name.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(named("db.events"), Ok("db.events".to_owned()));
        assert_eq!(named("a.b.events"), Ok("a.b.events".to_owned()));
        assert!(named("events").unwrap_err().contains("db.events"));
    }
}
