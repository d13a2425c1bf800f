//! Requests, several at once, each tried until it is done or cannot be.

use std::sync::Arc;

use anyhow::Context;
use ingest_core::{IngestRequest, IngestResult};
use light_worker::Ingest;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::retry::Retry;

/// Carries out requests, a bounded number at a time.
pub(crate) struct Loader<I> {
    ingest: Arc<I>,
    at_once: usize,
    under_way: JoinSet<anyhow::Result<IngestResult>>,
    stop: CancellationToken,
}

impl<I: Ingest> Loader<I> {
    /// A loader with so many requests under way at most. Once `stop` is cancelled nothing is tried again.
    pub(crate) fn new(ingest: Arc<I>, at_once: usize, stop: CancellationToken) -> Self {
        Self { ingest, at_once: at_once.max(1), under_way: JoinSet::new(), stop }
    }

    /// Begins a request. Waits for an earlier one if too many are under way, and gives its result.
    ///
    /// # Errors
    /// The earlier request failed for good.
    pub(crate) async fn begin(&mut self, request: IngestRequest) -> anyhow::Result<Option<IngestResult>> {
        let ended = if self.under_way.len() < self.at_once { None } else { self.next().await? };
        let (ingest, stop) = (self.ingest.clone(), self.stop.clone());
        self.under_way.spawn(async move { attempt(&*ingest, &request, &stop).await });
        Ok(ended)
    }

    /// Waits for a request that is under way, and gives its result; `None` if there is none.
    ///
    /// # Errors
    /// It failed for good.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<IngestResult>> {
        match self.under_way.join_next().await {
            None => Ok(None),
            Some(Ok(result)) => result.map(Some),
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(error)) => Err(error.into()),
        }
    }
}

/// Carries out a request, however often it takes. Once `stop` is cancelled it is not tried again.
///
/// # Errors
/// It failed for good.
pub(crate) async fn attempt<I: Ingest>(
    ingest: &I,
    request: &IngestRequest,
    stop: &CancellationToken,
) -> anyhow::Result<IngestResult> {
    let mut retry = Retry::new(stop);
    loop {
        let error = match ingest.ingest(request).await {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        retry.after(error).await.with_context(|| {
            let first = request.objects.first().map(|object| object.uri.to_string()).unwrap_or_default();
            format!("{} objects for table `{}`, {first} first", request.file_count(), request.table)
        })?;
    }
}
