//! Tables as the launcher needs them, by [`Lake`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use ingest_core::{IngestRequest, IngestResult, TableName};
use lake::Lake;
use lake::stage::LEAST_AGE;

use crate::sink::{Sink, Standing};

#[async_trait]
impl Sink for Lake {
    async fn outstanding(&self, request: &IngestRequest) -> lake::Result<Vec<Standing>> {
        let found = Lake::outstanding(self, request).await?;
        Ok(found.into_iter().map(|(_, standing)| of(standing)).collect())
    }

    async fn make_ready(&self, request: &IngestRequest) -> lake::Result<bool> {
        Lake::make_ready(self, request).await
    }

    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult> {
        Lake::ingest(self, request).await
    }

    async fn drop_stale_branches(
        &self,
        table: &TableName,
        live: &BTreeSet<String>,
    ) -> lake::Result<Vec<String>> {
        let gone =
            Lake::drop_stale_branches(self, table, |branch| live.contains(&branch.of.request_id), LEAST_AGE)
                .await?;
        Ok(gone.into_iter().map(|branch| branch.name).collect())
    }

    async fn ready(&self) -> lake::Result<()> {
        Lake::ready(self).await
    }
}

fn of(standing: lake::ingest::Standing) -> Standing {
    use lake::ingest::Standing as Known;
    match standing {
        Known::Forbidden => Standing::Forbidden,
        Known::InTable { .. } => Standing::InTable,
        Known::Quarantined { record, .. } => Standing::SetAside(record.time),
        Known::Missing { .. } => Standing::Missing,
        Known::New(_) => Standing::New,
    }
}
