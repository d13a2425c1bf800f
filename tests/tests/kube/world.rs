//! A namespace of a real Kubernetes API, and a backend that works in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ingest_core::{IngestRequest, ObjectHint, ObjectUri, RequestDefaults, RequestedObject};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};
use spark_launcher::operator::{OperatorBackend, OperatorConfig, Sizing, Template};
use spark_launcher::{Attempt, AttemptName};
use testkit::{KubeApi, eventually, paths};
use tokio::sync::OnceCell;

const DEFINED_WITHIN: Duration = Duration::from_secs(30);
const DEFINITIONS: [&str; 2] =
    ["sparkapplications.sparkoperator.k8s.io.yaml", "scheduledsparkapplications.sparkoperator.k8s.io.yaml"];

pub(crate) struct World {
    /// An administrator's client.
    pub(crate) admin: Client,
    config: Config,
    pub(crate) namespace: String,
}

impl World {
    /// A new namespace of the server that all tests share, which knows applications. `None`, and a word about it: there are
    /// no definitions.
    pub(crate) async fn new() -> Option<Self> {
        static DEFINED: OnceCell<()> = OnceCell::const_new();
        if paths::crds().is_none() {
            eprintln!("not tested: CRDS_DIR does not say where the definitions of the Spark operator are");
            return None;
        }
        let world = Self::of(KubeApi::shared().await).await;
        DEFINED.get_or_init(|| world.define()).await;
        Some(world)
    }

    /// A new namespace of a server.
    pub(crate) async fn of(api: &KubeApi) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let config = kubeconfig(&api.kubeconfig()).await;
        let admin = Client::try_from(config.clone()).unwrap();
        let namespace = format!("jobs-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let world = Self { admin, config, namespace };
        world
            .post("/api/v1/namespaces", &json!({"metadata": {"name": world.namespace}}))
            .await
            .expect("an administrator makes namespaces");
        world
    }

    /// Has the server know what applications are.
    pub(crate) async fn define(&self) {
        let folder = paths::crds().expect("whoever defines has asked");
        for file in DEFINITIONS {
            let text = std::fs::read_to_string(folder.join("spark-operator").join(file)).unwrap();
            let definition = testkit::yaml(&text).remove(0);
            self.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await.unwrap();
            let plural = file.split('.').next().unwrap();
            let path = format!("/apis/sparkoperator.k8s.io/v1beta2/{plural}");
            eventually(&format!("{plural} are served"), DEFINED_WITHIN, async || self.get(&path).await.ok())
                .await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> kube::Result<Value> {
        self.admin.request(http::Request::get(path).body(Vec::new()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, object: &Value) -> kube::Result<Value> {
        let body = serde_json::to_vec(object).unwrap();
        let request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
        self.admin.request(request.body(body).unwrap()).await
    }

    /// What `deploy/spark-launcher/rbac.yaml` gives, in this namespace.
    pub(crate) async fn grant_role(&self) {
        let file = paths::repository().join("deploy/spark-launcher/rbac.yaml");
        let text = std::fs::read_to_string(file).unwrap().replace("eventing-demo", &self.namespace);
        for object in testkit::yaml(&text) {
            let (api, plural) = match object["kind"].as_str().unwrap() {
                "ServiceAccount" => ("/api/v1", "serviceaccounts"),
                "Role" => ("/apis/rbac.authorization.k8s.io/v1", "roles"),
                "RoleBinding" => ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
                other => panic!("rbac.yaml has a {other}"),
            };
            self.post(&format!("{api}/namespaces/{}/{plural}", self.namespace), &object).await.unwrap();
        }
    }

    /// What a pod of this service account talks to the API with.
    pub(crate) async fn account(&self, name: &str) -> Config {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.clone(), &self.namespace);
        let made: TokenRequest = accounts
            .create_subresource("token", name, &PostParams::default(), &TokenRequest::default())
            .await
            .unwrap();
        let mut config = self.config.clone();
        config.auth_info = kube::config::AuthInfo {
            token: made.status.expect("a token that was made").token.map(Into::into),
            ..Default::default()
        };
        config
    }

    /// A backend with an administrator's rights.
    pub(crate) fn backend(&self) -> OperatorBackend {
        self.backend_with("{}")
    }

    pub(crate) fn backend_with(&self, template: &str) -> OperatorBackend {
        self.backend_of(self.config.clone(), template)
    }

    pub(crate) fn backend_of(&self, api: Config, template: &str) -> OperatorBackend {
        let config = OperatorConfig {
            namespace: Some(self.namespace.clone()),
            image: Some("event-ingest-spark:1".to_owned()),
            spark_version: "4.1.4".to_owned(),
            main_file: "local:///opt/event-ingest/main.py".to_owned(),
            time_to_live: Duration::from_secs(86_400),
            sizing: Sizing::default(),
            environment: BTreeMap::from([("PUBLISHER_URL".to_owned(), "http://light-worker".to_owned())]),
            environment_secrets: vec!["warehouse-credentials".to_owned()],
            template: Template::parse(template).unwrap(),
        };
        OperatorBackend::at(api, config).unwrap()
    }

    pub(crate) fn applications(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("sparkoperator.k8s.io", "v1beta2", "SparkApplication");
        Api::namespaced_with(self.admin.clone(), &self.namespace, &ApiResource::from_gvk(&kind))
    }

    pub(crate) async fn application(&self, attempt: &Attempt) -> DynamicObject {
        self.applications().get(&attempt.name.to_string()).await.unwrap()
    }

    /// Says of an application what the operator would.
    pub(crate) async fn report(&self, attempt: &Attempt, state: &str, message: &str) {
        let said = json!({"status": {
            "applicationState": {"state": state, "errorMessage": message}, "driverInfo": {"podName": "the-driver"},
        }});
        let name = attempt.name.to_string();
        self.applications().patch_status(&name, &PatchParams::default(), &Patch::Merge(said)).await.unwrap();
    }

    /// Does what a person may do at any time.
    pub(crate) async fn delete_by_hand(&self, attempt: &Attempt) {
        self.applications().delete(&attempt.name.to_string(), &DeleteParams::default()).await.unwrap();
    }
}

async fn kubeconfig(path: &Path) -> Config {
    let file = Kubeconfig::read_from(path).unwrap();
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()
}

/// An attempt at some files.
pub(crate) fn attempt(files: usize) -> Attempt {
    let objects = (0..files).map(|n| RequestedObject {
        uri: ObjectUri::parse(&format!("s3://events-inbox/incoming/{n}.parquet")).unwrap(),
        hint: ObjectHint { size: Some(600_000_000), ..ObjectHint::default() },
    });
    let request = IngestRequest::new(
        RequestDefaults::default().table,
        ingest_core::FileFormat::Parquet,
        BTreeMap::new(),
        objects.collect(),
        chrono::DateTime::UNIX_EPOCH,
    );
    let record_id = request.request_id.clone();
    let document = format!("s3://warehouse/_event_ingest/heavy/records/{record_id}/attempt-1.json");
    Attempt { name: AttemptName { record_id, number: 1 }, request, document }
}
