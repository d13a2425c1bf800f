//! The light worker in this process: its own handler, called without a network between.
//!
//! Both lanes end here: what would go to Spark elsewhere is read by the same streaming code.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cloudevents::Data;
use ingest_core::{IngestRequest, IngestResult};
use lake::Lake;
use light_worker::IngestHandler;
use service_kit::intake::{Handler, Incoming, Reply};

use super::flow::{Ingest, IngestError};

/// The light worker's handler over a lake.
pub(super) struct Worker(IngestHandler<Arc<Lake>>);

impl Worker {
    pub(super) fn new(handler: IngestHandler<Arc<Lake>>) -> Self {
        Self(handler)
    }
}

#[async_trait]
impl Ingest for Worker {
    async fn ingest(&self, request: &IngestRequest) -> Result<IngestResult, IngestError> {
        let event = Incoming {
            id: None,
            ty: None,
            source: None,
            subject: None,
            traceparent: None,
            body: Bytes::from(request.to_json()),
        };
        match self.0.handle(event).await {
            Reply::Done(answer) | Reply::Accepted(answer) => {
                let Some(Data::Json(result)) = answer.data() else {
                    return Err(IngestError::retry("the worker answered without a result"));
                };
                serde_json::from_value(result.clone()).map_err(|error| IngestError::retry(error.to_string()))
            }
            Reply::Reject { reason, .. } | Reply::Conflict { reason, .. } => {
                Err(IngestError::Rejected(reason))
            }
            Reply::Retry { reason, after, .. } => {
                Err(IngestError::Retry { reason, after: after.unwrap_or_default() })
            }
        }
    }

    async fn ready(&self) -> Result<(), String> {
        self.0.ready().await
    }
}
