//! Objects that Spark is about are not lost, though no table has them yet.

use std::sync::Arc;

use async_trait::async_trait;
use ingest_core::TableName;
use lake::reconcile::{Candidate, Verdict};

use super::SparkLane;
use crate::survey::Judge;

/// A judge that leaves out what live records are about.
pub(in crate::standalone) struct Unowned<J> {
    pub(in crate::standalone) inner: J,
    pub(in crate::standalone) spark: Option<Arc<SparkLane>>,
}

#[async_trait]
impl<J: Judge> Judge for Unowned<J> {
    async fn judge(
        &mut self,
        table: &TableName,
        mut candidates: Vec<Candidate>,
    ) -> lake::Result<Vec<(Candidate, Verdict)>> {
        // First: what a record is no longer about is in the table or the quarantine that are looked at after.
        if let Some(spark) = &self.spark {
            candidates.retain(|candidate| !spark.owns(table, candidate.uri()));
        }
        self.inner.judge(table, candidates).await
    }
}
