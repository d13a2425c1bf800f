//! Holds objects against a CustomResourceDefinition, more strictly than a cluster does: a field that the definition does
//! not name is an error.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// What is checked of a schema, and what says nothing about values or is checked by the API server's tests alone. Whatever
/// else a schema says would go unchecked, so it is an error.
const KNOWN: &[&str] = &[
    "additionalProperties",
    "anyOf",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maximum",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
];

/// A definition of the folder `CRDS_DIR`; `None`, and a word about it, if that is not set.
pub(crate) fn definition(file: &str) -> Option<Definition> {
    let Some(folder) = testkit::paths::crds() else {
        eprintln!("not held against {file}: CRDS_DIR does not say where the definitions are");
        return None;
    };
    Some(Definition::read(&folder.join("spark-operator").join(file)))
}

pub(crate) struct Definition {
    /// Schemas by `apiVersion` and kind.
    schemas: BTreeMap<(String, String), Value>,
}

impl Definition {
    fn read(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let read: Value = testkit::yaml(&text).remove(0);
        let spec = &read["spec"];
        let versions = spec["versions"].as_array().unwrap().iter();
        let schemas = versions.map(|version| {
            let name = format!("{}/{}", text_of(&spec["group"]), text_of(&version["name"]));
            ((name, text_of(&spec["names"]["kind"])), version["schema"]["openAPIV3Schema"].clone())
        });
        Self { schemas: schemas.collect() }
    }

    /// What is wrong with an object; nothing, if it is right.
    pub(crate) fn faults(&self, object: &Value) -> Vec<String> {
        let key = (text_of(&object["apiVersion"]), text_of(&object["kind"]));
        let Some(schema) = self.schemas.get(&key) else { return vec![format!("{key:?} is not defined")] };
        let mut faults = Vec::new();
        check(schema, object, "", &mut faults);
        faults
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn check(schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let says = schema.as_object().expect("a schema is a map");
    let unknown: Vec<&String> = says.keys().filter(|key| !KNOWN.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{place}: the schema says {unknown:?}, which is not checked");
    let is = |key: &str| schema[key] == true;
    if value.is_null() && is("nullable") {
        return;
    }
    if is("x-kubernetes-int-or-string") {
        if !value.is_i64() && !value.is_string() {
            faults.push(format!("{place} is neither a number nor a text"));
        }
        return;
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        None => true,
        Some(other) => panic!("{place}: a type {other:?}"),
    };
    if !fits {
        faults.push(format!("{place} is {value}, not of type {}", schema["type"]));
        return;
    }
    check_limits(schema, value, place, faults);
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{place}/{n}"), faults);
            }
        }
        Value::Object(fields) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                if !fields.contains_key(name.as_str().unwrap()) {
                    faults.push(format!("{place} lacks {name}"));
                }
            }
            // Of metadata a definition says nothing: it is every object's.
            let open = is("x-kubernetes-preserve-unknown-fields") || place == "/metadata";
            for (name, field) in fields {
                let place = format!("{place}/{name}");
                match (schema["properties"].get(name), &schema["additionalProperties"]) {
                    (Some(schema), _) => check(schema, field, &place, faults),
                    (None, schema @ Value::Object(_)) => check(schema, field, &place, faults),
                    (None, _) if open => {}
                    (None, _) => faults.push(format!("{place} is not defined")),
                }
            }
        }
        _ => {}
    }
}

fn check_limits(schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        faults.push(format!("{place} is {value}, not one of {allowed:?}"));
    }
    let below =
        schema["minimum"].as_f64().is_some_and(|least| value.as_f64().is_some_and(|value| value < least));
    let above =
        schema["maximum"].as_f64().is_some_and(|most| value.as_f64().is_some_and(|value| value > most));
    let wide =
        schema["format"] == "int32" && value.as_i64().is_none_or(|value| i32::try_from(value).is_err());
    if below || above || wide {
        faults.push(format!("{place} is {value}, out of bounds"));
    }
}

#[test]
fn what_a_cluster_would_drop_or_refuse_is_found() {
    let Some(definition) = definition("sparkapplications.sparkoperator.k8s.io.yaml") else { return };
    let right = serde_json::json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication", "metadata": {"name": "x"},
        "spec": {"type": "Python", "sparkVersion": "4.1.4", "mainApplicationFile": "local:///x", "driver": {}, "executor": {}},
    });
    assert_eq!(definition.faults(&right), Vec::<String>::new());
    let wrong = [
        ("/spec/mode", serde_json::json!("sideways")),
        ("/spec/driver/cores", serde_json::json!(0)),
        ("/spec/driver/cores", serde_json::json!("1")),
        ("/spec/driver/core", serde_json::json!(1)),
        ("/spec/executor/instances", serde_json::json!(1_u64 << 40)),
        ("/spec/arguments", serde_json::json!([1])),
        ("/spec/sparkConf", serde_json::json!({"a": 1})),
        ("/spec/driver/env", serde_json::json!([{"value": "a name is required"}])),
        ("/extra", serde_json::json!({})),
    ];
    for (place, value) in wrong {
        let mut object = right.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[name] = value;
        assert_eq!(definition.faults(&object).len(), 1, "{place}: {:?}", definition.faults(&object));
    }
    let mut lacking = right;
    lacking["spec"].as_object_mut().unwrap().remove("driver");
    assert_eq!(definition.faults(&lacking), ["/spec lacks \"driver\""]);
}
