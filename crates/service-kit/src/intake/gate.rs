//! The door of an intake over HTTP: everything that a sender decides (size, pace, number of requests) has a bound.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{RejectStatus, Reply, RetryStatus};

/// The bounds of the intake.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Bytes of a body; more is 413.
    pub body: usize,
    /// How long a sender may take for its body; longer is 408.
    pub body_timeout: Duration,
    /// How long a sender waits for its answer; longer is 503, while the work goes on.
    pub request_timeout: Duration,
    /// Requests worked on at once; each holds its body in memory.
    pub concurrency: usize,
    /// Requests that may wait for their turn, bodies unread; more is 429.
    pub queue: usize,
}

/// Lets requests in within [`HttpLimits`].
#[derive(Debug)]
pub struct Gate {
    limits: HttpLimits,
    admitted: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// A request that was let in, with all of its body.
#[derive(Debug)]
pub struct Admitted {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its place among those that are worked on. Keep it as long as the body is held.
    pub place: Place,
}

/// A place among the requests that are worked on, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _admitted: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
}

impl Gate {
    /// A gate with these bounds.
    pub fn new(limits: HttpLimits) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(limits.concurrency + limits.queue)),
            working: Arc::new(Semaphore::new(limits.concurrency)),
            limits,
        }
    }

    /// The bounds.
    pub fn limits(&self) -> &HttpLimits {
        &self.limits
    }

    /// Waits for the request's turn and reads its body, or says why not.
    pub async fn admit(&self, request: Request) -> Result<Admitted, Reply> {
        let too_large = || Reply::Reject {
            status: RejectStatus::TooLarge,
            reason: format!("the body is larger than {} bytes", self.limits.body),
        };
        let (parts, body) = request.into_parts();
        if content_length(&parts.headers).is_some_and(|length| length > self.limits.body as u64) {
            return Err(too_large());
        }
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Reply::Retry {
            status: RetryStatus::Busy,
            reason: format!(
                "{} requests are worked on and {} wait",
                self.limits.concurrency, self.limits.queue
            ),
            after: None,
        })?;
        let working = Arc::clone(&self.working).acquire_owned().await.expect("the semaphore is never closed");
        let body = tokio::time::timeout(self.limits.body_timeout, read(body, self.limits.body)).await;
        let body = match body {
            Ok(Ok(body)) => body.ok_or_else(too_large)?,
            Ok(Err(error)) => {
                return Err(Reply::Reject {
                    status: RejectStatus::Invalid,
                    reason: format!("the body could not be read: {error}"),
                });
            }
            Err(_) => {
                return Err(Reply::Retry {
                    status: RetryStatus::TimedOut,
                    reason: format!("the body did not arrive within {:?}", self.limits.body_timeout),
                    after: None,
                });
            }
        };
        let place = Place { _admitted: admitted, _working: working };
        Ok(Admitted { headers: parts.headers, body, place })
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body, or `None` as soon as it is over the limit.
async fn read(body: Body, limit: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut chunks = body.into_data_stream();
    let mut read = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if read.len() + chunk.len() > limit {
            return Ok(None);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Some(read.freeze()))
}
