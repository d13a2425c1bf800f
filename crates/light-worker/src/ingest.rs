//! The one thing that this service needs of the lake, as a trait: so that the service can be tested without tables.

use std::sync::Arc;

use async_trait::async_trait;
use ingest_core::staged::Staged;
use ingest_core::{IngestRequest, IngestResult};
use lake::Lake;
use lake::ingest::Publication;
use lake::observe::Observer;

/// Brings the rows of requests into tables.
#[async_trait]
pub trait Ingest: Send + Sync + 'static {
    /// Success only when every object of the request is visible in the table or durably set aside (invariant 3).
    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult>;

    /// Publishes what a job staged. Success only when every object of its list is visible in the table or durably set
    /// aside (invariant 3).
    async fn publish_staged(&self, staged: &Staged) -> lake::Result<Publication>;

    /// Whether the catalog answers.
    async fn ready(&self) -> lake::Result<()>;

    /// Tells of what happens inside, if it can.
    fn observe(&self, _observer: Arc<dyn Observer>) {}
}

#[async_trait]
impl Ingest for Lake {
    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult> {
        Lake::ingest(self, request).await
    }

    async fn publish_staged(&self, staged: &Staged) -> lake::Result<Publication> {
        Lake::publish_staged(self, staged).await
    }

    async fn ready(&self) -> lake::Result<()> {
        Lake::ready(self).await
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        Lake::observe(self, observer);
    }
}

/// Shared with others.
#[async_trait]
impl<I: Ingest> Ingest for Arc<I> {
    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult> {
        (**self).ingest(request).await
    }

    async fn publish_staged(&self, staged: &Staged) -> lake::Result<Publication> {
        (**self).publish_staged(staged).await
    }

    async fn ready(&self) -> lake::Result<()> {
        (**self).ready().await
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        (**self).observe(observer);
    }
}
