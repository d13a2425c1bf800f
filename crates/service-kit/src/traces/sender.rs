//! The HTTP client that sends spans: the one that the services have anyway, for the thread that the SDK sends from.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::{Builder, Runtime};

/// Longest answer of a collector that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends from whichever thread asks, which waits. It has a runtime of its own, so that it takes no time from the
/// service's, and outlives it.
#[derive(Debug)]
pub(super) struct Sender {
    runtime: Runtime,
    client: reqwest::Client,
}

impl Sender {
    /// A client whose requests take `timeout` at most.
    pub fn new(timeout: Duration) -> Result<Self, HttpError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            // Nobody looks after a connection between two batches.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { runtime, client })
    }
}

#[async_trait]
impl HttpClient for Sender {
    /// Called by the SDK's own thread, outside of any runtime: it may wait here.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        self.runtime.block_on(async {
            // Without the address, which may say who we are.
            let mut answer = self.client.execute(request).await.map_err(reqwest::Error::without_url)?;
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
                body.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - body.len())]);
            }
            let mut response = Response::new(body.freeze());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            Ok(response)
        })
    }
}
