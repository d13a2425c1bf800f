//! The light worker in this process: its own handler, called without a network between.
//!
//! Both lanes end here, unless there is Spark for the heavy one.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cloudevents::{Data, Event};
use ingest_core::{IngestRequest, IngestResult};
use lake::Lake;
use light_worker::IngestHandler;
use service_kit::intake::{Handler, Incoming, Reply};

use super::flow::{Ingest, IngestError, Outcome};
use super::heavy::SparkLane;

/// The light worker's handler over a lake.
pub(super) type LightHandler = Arc<IngestHandler<Arc<Lake>>>;

/// Who carries out requests here.
pub(super) struct Worker {
    light: LightHandler,
    spark: Option<Arc<SparkLane>>,
}

impl Worker {
    /// Without `spark` heavy requests are read as all others are.
    pub(super) fn new(light: LightHandler, spark: Option<Arc<SparkLane>>) -> Self {
        Self { light, spark }
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
        match self.light.handle(event).await {
            Reply::Done(answer) | Reply::Accepted(answer) => result(&answer).map_err(IngestError::retry),
            Reply::Reject { reason, .. } | Reply::Conflict { reason, .. } => {
                Err(IngestError::Rejected(reason))
            }
            Reply::Retry { reason, after, .. } => {
                Err(IngestError::Retry { reason, after: after.unwrap_or_default() })
            }
        }
    }

    async fn ingest_heavy(&self, request: &IngestRequest) -> Result<Outcome, IngestError> {
        match &self.spark {
            Some(spark) => spark.take(request).await,
            None => self.ingest(request).await.map(Outcome::Done),
        }
    }

    async fn ready(&self) -> Result<(), String> {
        self.light.ready().await
    }
}

/// The result in an answer of the light worker; an error says why there is none.
pub(super) fn result(answer: &Event) -> Result<IngestResult, String> {
    let Some(Data::Json(result)) = answer.data() else {
        return Err("the worker answered without a result".to_owned());
    };
    serde_json::from_value(result.clone()).map_err(|error| error.to_string())
}
