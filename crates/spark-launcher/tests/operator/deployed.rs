//! What lies in `deploy/spark-launcher` for a person to apply.

use serde_json::Value;
use spark_launcher::operator::Template;

use crate::definition::definition;

fn deployed(file: &str) -> String {
    let path = testkit::paths::repository().join("deploy/spark-launcher").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_example_is_a_template() {
    Template::parse(&deployed("template.yaml")).unwrap();
}

#[test]
fn maintenance_is_as_the_operator_defines_it() {
    let Some(definition) = definition("scheduledsparkapplications.sparkoperator.k8s.io.yaml") else { return };
    for object in testkit::yaml(&deployed("maintenance.yaml")) {
        assert_eq!(definition.faults(&object), Vec::<String>::new(), "{}", object["metadata"]["name"]);
    }
}

/// Two that rewrite the same table at once undo one another's work, and each restart hides a failure.
#[test]
fn maintenance_never_runs_beside_itself() {
    let objects: Vec<Value> = testkit::yaml(&deployed("maintenance.yaml"));
    assert!(!objects.is_empty());
    for object in objects {
        let spec = &object["spec"];
        assert_eq!(spec["concurrencyPolicy"], "Forbid", "{object}");
        assert_eq!(spec["template"]["restartPolicy"]["type"], "Never", "{object}");
        for pod in ["driver", "executor"] {
            assert_eq!(spec["template"][pod]["labels"]["sidecar.istio.io/inject"], "false", "{object}");
        }
    }
}
