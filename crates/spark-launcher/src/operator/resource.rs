//! SparkApplication (`sparkoperator.k8s.io/v1beta2`): the fields that we set, and those that we read.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

/// Group and version.
pub(super) const API_VERSION: &str = "sparkoperator.k8s.io/v1beta2";
/// Kind.
pub(super) const KIND: &str = "SparkApplication";
/// The resource's name in paths, roles and quotas.
pub(super) const PLURAL: &str = "sparkapplications";

type Texts = BTreeMap<String, String>;

/// What we say of an application; what is `None` or empty is left to the template and the operator.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SparkApplication {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Metadata {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) namespace: String,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) labels: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) annotations: Texts,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) python_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spark_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) main_application_file: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) arguments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restart_policy: Option<RestartPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_to_live_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dynamic_allocation: Option<DynamicAllocation>,
    pub(super) driver: Pod,
    pub(super) executor: Pod,
}

#[derive(Debug, Serialize)]
pub(super) struct RestartPolicy {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DynamicAllocation {
    pub(super) enabled: bool,
    pub(super) initial_executors: u32,
    pub(super) min_executors: u32,
    pub(super) max_executors: u32,
    pub(super) shuffle_tracking_enabled: bool,
}

/// A driver, or the executors.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pod {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cores: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instances: Option<u32>,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) labels: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) annotations: Texts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<EnvVar>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env_from: Vec<EnvFrom>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct EnvVar {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvFrom {
    pub(super) secret_ref: SecretRef,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct SecretRef {
    pub(super) name: String,
}

/// What we read of an application.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Observed {
    pub(super) metadata: ObjectMeta,
    pub(super) status: Option<Status>,
}

/// What the operator says of it; nothing before it has seen it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) application_state: ApplicationState,
    pub(super) driver_info: DriverInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ApplicationState {
    pub(super) state: String,
    pub(super) error_message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DriverInfo {
    pub(super) pod_name: String,
}
