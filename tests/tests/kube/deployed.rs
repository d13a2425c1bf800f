//! The manifests of `deploy/spark-launcher`, as a cluster judges them.

use spark_launcher::Backend;
use testkit::paths;

use crate::world::{World, attempt};

fn deployed(file: &str) -> String {
    std::fs::read_to_string(paths::repository().join("deploy/spark-launcher").join(file)).unwrap()
}

#[tokio::test]
async fn maintenance_is_accepted() {
    let Some(world) = World::new().await else { return };
    let path = format!(
        "/apis/sparkoperator.k8s.io/v1beta2/namespaces/{}/scheduledsparkapplications?fieldValidation=Strict",
        world.namespace
    );
    for object in testkit::yaml(&deployed("maintenance.yaml").replace("eventing-demo", &world.namespace)) {
        world.post(&path, &object).await.unwrap();
    }
}

#[tokio::test]
async fn the_example_of_a_template_is_accepted() {
    let Some(world) = World::new().await else { return };
    world.backend_with(&deployed("template.yaml")).start(&attempt(1)).await.unwrap();
}
