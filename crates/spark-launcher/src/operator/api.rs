//! The three calls that the backend makes: create, get, delete. What it may do is what `deploy/spark-launcher/rbac.yaml`
//! allows.

use std::future::Future;
use std::time::Duration;

use kube::api::{DeleteParams, GetParams, PostParams, PropagationPolicy};
use kube::core::Request;
use kube::{Client, Config, Error};
use serde_json::Value;

use super::answer::{exists, is_absent, refusal};
use super::resource::{API_VERSION, Observed, PLURAL};
use crate::BackendError;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take, from connecting to the last byte.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Who the API's records say wrote the fields.
const FIELD_MANAGER: &str = "event-ingest-spark-launcher";

/// How an application was made.
pub(super) enum Created {
    /// It is new.
    New,
    /// One of that name was there.
    Exists,
}

/// Applications of one namespace.
pub(super) struct Applications {
    client: Client,
    requests: Request,
    pub(super) namespace: String,
}

impl Applications {
    /// Nothing is asked yet: the API may be down.
    pub(super) fn new(mut config: Config, namespace: Option<String>) -> Result<Self, Error> {
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(CALL_TIMEOUT);
        config.reset_reader_on_write = true;
        // Whoever calls decides when to try again.
        config.default_retry = false;
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let requests = Request::new(format!("/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"));
        Ok(Self { client: Client::try_from(config)?, requests, namespace })
    }

    /// Made by POST and not by server-side apply: that has no "only if it is not there", so of two that begin the same
    /// name differently the second would change the first one's application.
    pub(super) async fn create(&self, name: &str, application: &Value) -> Result<Created, BackendError> {
        let doing = format!("starting {name}");
        let body = serde_json::to_vec(application).expect("a JSON value can be written");
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let request = self.requests.create(&params, body).map(strict);
        let request = request.map_err(|error| BackendError::Rejected(format!("{doing}: {error}")))?;
        match bounded(self.client.request::<Value>(request)).await {
            Ok(Ok(_)) => Ok(Created::New),
            Ok(Err(error)) if exists(&error) => Ok(Created::Exists),
            Ok(Err(error)) => Err(refusal(&doing, &error)),
            Err(late) => Err(late.unavailable(&doing)),
        }
    }

    /// `None`: it is not there.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Observed>, BackendError> {
        let doing = format!("looking at {name}");
        let request = self.requests.get(name, &GetParams::default());
        let request = request.map_err(|error| BackendError::Rejected(format!("{doing}: {error}")))?;
        match bounded(self.client.request(request)).await {
            Ok(Ok(seen)) => Ok(Some(seen)),
            Ok(Err(error)) if is_absent(&error, name) => Ok(None),
            Ok(Err(error)) => Err(refusal(&doing, &error)),
            Err(late) => Err(late.unavailable(&doing)),
        }
    }

    /// It stays, as being removed, until driver and executors are gone: so nobody believes that they are while they run.
    pub(super) async fn delete(&self, name: &str) -> Result<(), BackendError> {
        let doing = format!("removing {name}");
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            ..DeleteParams::default()
        };
        let request = self.requests.delete(name, &params);
        let request = request.map_err(|error| BackendError::Rejected(format!("{doing}: {error}")))?;
        match bounded(self.client.request::<Value>(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_absent(&error, name) => Ok(()),
            Ok(Err(error)) => Err(refusal(&doing, &error)),
            Err(late) => Err(late.unavailable(&doing)),
        }
    }
}

/// Has fields that the definition does not know refused instead of dropped; kube can ask for that of patches alone.
fn strict(request: http::Request<Vec<u8>>) -> http::Request<Vec<u8>> {
    let (mut parts, body) = request.into_parts();
    let address = format!("{}&fieldValidation=Strict", parts.uri);
    parts.uri = address.parse().expect("an address with one more plain parameter is an address");
    http::Request::from_parts(parts, body)
}

struct Late;

impl Late {
    fn unavailable(&self, doing: &str) -> BackendError {
        let seconds = CALL_TIMEOUT.as_secs();
        BackendError::Unavailable(format!("{doing}: the Kubernetes API has not answered within {seconds} s"))
    }
}

async fn bounded<T>(call: impl Future<Output = T>) -> Result<T, Late> {
    tokio::time::timeout(CALL_TIMEOUT, call).await.map_err(|_| Late)
}
