//! What the API refuses: for good, or until a person or time mends it.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use spark_launcher::{AttemptState, Backend, BackendError};

use crate::world::{World, attempt};

#[tokio::test]
async fn what_the_definition_does_not_allow_is_rejected() {
    let Some(world) = World::new().await else { return };
    let attempt = attempt(1);
    for (template, names) in [
        ("spec: {driver: {cores: 0}}", "spec.driver.cores"),
        ("spec: {sparkVersion: 4}", "spec.sparkVersion"),
        // Not dropped in silence, as the API does unless it is asked.
        ("spec: {driver: {serviceAcount: spark}}", "spec.driver.serviceAcount"),
    ] {
        let backend = world.backend_with(template);
        let refused = backend.start(&attempt).await;
        assert!(matches!(&refused, Err(BackendError::Rejected(text)) if text.contains(names)), "{refused:?}");
        assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Absent);
    }
}

#[tokio::test]
async fn what_is_forbidden_waits_for_a_person() {
    let Some(world) = World::new().await else { return };
    let accounts = format!("/api/v1/namespaces/{}/serviceaccounts", world.namespace);
    world.post(&accounts, &json!({"metadata": {"name": "nobody"}})).await.unwrap();
    let backend = world.backend_of(world.account("nobody").await, "{}");
    let attempt = attempt(1);
    let refusals = [
        backend.start(&attempt).await.unwrap_err(),
        backend.state(&attempt.name).await.unwrap_err(),
        backend.stop(&attempt.name).await.unwrap_err(),
    ];
    for refused in refusals {
        assert!(matches!(&refused, BackendError::Unavailable(text) if text.contains("role")), "{refused:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_known_waits_for_a_person() {
    let Some(world) = World::new().await else { return };
    world.grant_role().await;
    let mut config = world.account("spark-launcher").await;
    config.auth_info.token = Some("forged".to_owned().into());
    let refused = world.backend_of(config, "{}").start(&attempt(1)).await;
    assert!(
        matches!(&refused, Err(BackendError::Unavailable(text)) if text.contains("token")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_full_quota_waits_for_room_and_does_not_hide_what_is_there() {
    let Some(world) = World::new().await else { return };
    let (backend, first, second) = (world.backend(), attempt(1), attempt(2));
    backend.start(&first).await.unwrap();
    limit(&world, 1).await;
    let refused = backend.start(&second).await;
    assert!(
        matches!(&refused, Err(BackendError::Unavailable(text)) if text.contains("quota")),
        "{refused:?}"
    );
    assert_eq!(backend.state(&second.name).await.unwrap(), AttemptState::Absent);
    backend.start(&first).await.unwrap();
    limit(&world, 2).await;
    backend.start(&second).await.unwrap();
}

/// A quota, and what its controller would say of it: one application is there.
async fn limit(world: &World, applications: u32) {
    const COUNTED: &str = "count/sparkapplications.sparkoperator.k8s.io";
    let quotas: Api<ResourceQuota> = Api::namespaced(world.admin.clone(), &world.namespace);
    let (params, hard) = (PatchParams::apply("test").force(), json!({COUNTED: applications.to_string()}));
    let of = |rest: serde_json::Value| {
        let mut quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}});
        quota.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        Patch::Apply(quota)
    };
    quotas.patch("few", &params, &of(json!({"spec": {"hard": hard}}))).await.unwrap();
    let status = json!({"status": {"hard": hard, "used": {COUNTED: "1"}}});
    quotas.patch_status("few", &params, &of(status)).await.unwrap();
}
