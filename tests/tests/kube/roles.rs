//! The role of `deploy/spark-launcher/rbac.yaml` is enough, and no more than that.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview,
    SelfSubjectRulesReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};
use spark_launcher::{AttemptState, Backend};

use crate::world::{World, attempt};

const GROUP: &str = "sparkoperator.k8s.io";
const VERBS: [&str; 9] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate"];

#[tokio::test]
async fn the_role_is_enough_for_every_call() {
    let Some(world) = World::new().await else { return };
    world.grant_role().await;
    let backend = world.backend_of(world.account("spark-launcher").await, "{}");
    let attempt = attempt(1);
    backend.start(&attempt).await.unwrap();
    backend.start(&attempt).await.unwrap();
    assert!(matches!(backend.state(&attempt.name).await.unwrap(), AttemptState::Live(_)));
    backend.stop(&attempt.name).await.unwrap();
}

#[tokio::test]
async fn the_role_is_enough_for_nothing_else() {
    let Some(world) = World::new().await else { return };
    world.grant_role().await;
    let client = Client::try_from(world.account("spark-launcher").await).unwrap();
    let mut allowed = BTreeSet::new();
    let asked = [
        (GROUP, "sparkapplications", ""),
        (GROUP, "sparkapplications", "status"),
        (GROUP, "scheduledsparkapplications", ""),
        ("", "pods", ""),
        ("", "pods", "exec"),
        ("", "secrets", ""),
        ("", "configmaps", ""),
        ("", "serviceaccounts", "token"),
        ("batch", "jobs", ""),
        ("rbac.authorization.k8s.io", "rolebindings", ""),
        ("*", "*", ""),
    ];
    for namespace in [world.namespace.as_str(), "default", ""] {
        for (group, resource, subresource) in asked {
            for verb in VERBS {
                let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                let what = ResourceAttributes {
                    group: Some(group.to_owned()),
                    namespace: some(namespace),
                    resource: some(resource),
                    subresource: some(subresource),
                    verb: some(verb),
                    ..ResourceAttributes::default()
                };
                if may(&client, what).await {
                    allowed.insert((namespace, resource, subresource, verb));
                }
            }
        }
    }
    let role =
        ["get", "create", "delete"].map(|verb| (world.namespace.as_str(), "sparkapplications", "", verb));
    assert_eq!(allowed, BTreeSet::from(role));
}

/// The same from the other side: the rules as the API lists them.
#[tokio::test]
async fn the_api_lists_no_other_rule() {
    let Some(world) = World::new().await else { return };
    world.grant_role().await;
    let client = Client::try_from(world.account("spark-launcher").await).unwrap();
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(world.namespace.clone()) },
        ..SelfSubjectRulesReview::default()
    };
    let listed: SelfSubjectRulesReview =
        Api::all(client).create(&PostParams::default(), &review).await.unwrap();
    let rules = listed.status.expect("a review has an answer").resource_rules;
    // Everyone may ask what they may.
    let everyones = ["authorization.k8s.io", "authentication.k8s.io"];
    let own: Vec<_> = rules
        .iter()
        .filter(|rule| !rule.api_groups.iter().flatten().all(|group| everyones.contains(&group.as_str())))
        .collect();
    assert_eq!(own.len(), 1, "{own:#?}");
    assert_eq!(own[0].verbs, ["get", "create", "delete"]);
    assert_eq!(own[0].resources.as_deref(), Some(["sparkapplications".to_owned()].as_slice()));
}

async fn may(client: &Client, what: ResourceAttributes) -> bool {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(what), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &review).await.unwrap();
    review.status.expect("a review has an answer").allowed
}
