//! The Spark operator as a backend.

use std::fmt;

use async_trait::async_trait;
use kube::Config;

use super::api::{Applications, Created};
use super::build::{application, content_digest};
use super::config::OperatorConfig;
use super::resource::Observed;
use crate::{Attempt, AttemptName, AttemptState, Backend, BackendError};

/// Attempts as SparkApplications in one namespace.
pub struct OperatorBackend {
    applications: Applications,
    config: OperatorConfig,
}

impl fmt::Debug for OperatorBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorBackend")
            .field("namespace", &self.applications.namespace)
            .finish_non_exhaustive()
    }
}

impl OperatorBackend {
    /// A backend at the Kubernetes API of this pod, or else of the kubeconfig file. Nothing is asked of the API yet.
    ///
    /// # Errors
    /// Neither names an API.
    pub async fn connect(config: OperatorConfig) -> Result<Self, kube::Error> {
        let api = Config::infer().await.map_err(kube::Error::InferConfig)?;
        Self::at(api, config)
    }

    /// A backend at a certain Kubernetes API.
    ///
    /// # Errors
    /// Its certificates or credentials cannot be used.
    pub fn at(api: Config, config: OperatorConfig) -> Result<Self, kube::Error> {
        let applications = Applications::new(api, config.namespace.clone())?;
        Ok(Self { applications, config })
    }
}

#[async_trait]
impl Backend for OperatorBackend {
    fn name(&self) -> &'static str {
        "spark-operator"
    }

    async fn start(&self, attempt: &Attempt) -> Result<(), BackendError> {
        let name = attempt.name.to_string();
        // First a look: a full quota is refused before "it is there already" is.
        if let Some(found) = self.applications.get(&name).await? {
            return accept(&found, attempt);
        }
        let wanted = application(attempt, &self.applications.namespace, &self.config);
        match self.applications.create(&name, &wanted).await? {
            Created::New => Ok(()),
            Created::Exists => match self.applications.get(&name).await? {
                Some(found) => accept(&found, attempt),
                None => Err(BackendError::Unavailable(format!(
                    "starting {name}: one of that name was just removed"
                ))),
            },
        }
    }

    async fn state(&self, name: &AttemptName) -> Result<AttemptState, BackendError> {
        let found = self.applications.get(&name.to_string()).await?;
        Ok(found.map_or(AttemptState::Absent, |found| found.state()))
    }

    async fn stop(&self, name: &AttemptName) -> Result<(), BackendError> {
        self.applications.delete(&name.to_string()).await
    }
}

/// Is an application that is there already the attempt's own?
fn accept(found: &Observed, attempt: &Attempt) -> Result<(), BackendError> {
    let name = &attempt.name;
    let rejected = |what: &str| Err(BackendError::Rejected(format!("starting {name}: {what}")));
    match found.digest() {
        None => return rejected("there is a SparkApplication of that name which the launcher did not make"),
        Some(digest) if digest != content_digest(attempt) => {
            return rejected("there is a SparkApplication of that name with another content");
        }
        Some(_) => {}
    }
    if found.is_being_removed() {
        return Err(BackendError::Unavailable(format!("starting {name}: one of that name is being removed")));
    }
    match found.state() {
        AttemptState::Failed(reason) | AttemptState::Refused(reason) => {
            rejected(&format!("it has failed: {reason}"))
        }
        AttemptState::Live(_) | AttemptState::Succeeded | AttemptState::Absent => Ok(()),
    }
}
