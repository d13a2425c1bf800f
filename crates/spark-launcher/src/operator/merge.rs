//! Lays one SparkApplication over another.

use serde_json::{Map, Value};

/// Lays `over` over `under`. Maps are merged at every depth; where both have a value, that of `over` stands. Lists are
/// values, but two: of `env` the items are merged by name, and those of `envFrom` are put one after another, for there the
/// later ones win. A map that `over` has as `restartPolicy` stands as a whole: half of a policy is another policy.
pub(super) fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_field(under, key, value);
            }
        }
        (under, over) => *under = over,
    }
}

fn lay_field(under: &mut Map<String, Value>, key: String, over: Value) {
    let Some(there) = under.get_mut(&key) else {
        under.insert(key, over);
        return;
    };
    match (key.as_str(), there, over) {
        ("env", Value::Array(there), Value::Array(over)) => {
            there.retain(|item| over.iter().all(|ours| ours["name"] != item["name"]));
            there.extend(over);
        }
        ("envFrom", Value::Array(there), Value::Array(over)) => {
            there.retain(|item| !over.contains(item));
            there.extend(over);
        }
        ("restartPolicy", there, over) => *there = over,
        (_, there, over) => lay_over(there, over),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn laid(mut under: Value, over: Value) -> Value {
        lay_over(&mut under, over);
        under
    }

    #[test]
    fn maps_are_merged_and_the_upper_value_stands() {
        let under = json!({"a": {"x": 1, "y": 2}, "b": [1, 2], "c": "under"});
        let over = json!({"a": {"y": 3, "z": 4}, "b": [9], "c": {"now": "a map"}});
        let both = json!({"a": {"x": 1, "y": 3, "z": 4}, "b": [9], "c": {"now": "a map"}});
        assert_eq!(laid(under, over), both);
    }

    #[test]
    fn variables_are_merged_by_name_and_sources_one_after_another() {
        let under = json!({
            "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "envFrom": [{"secretRef": {"name": "theirs"}}, {"secretRef": {"name": "ours"}}],
        });
        let over = json!({
            "env": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
            "envFrom": [{"secretRef": {"name": "ours"}}],
        });
        let both = json!({
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
            "envFrom": [{"secretRef": {"name": "theirs"}}, {"secretRef": {"name": "ours"}}],
        });
        assert_eq!(laid(under, over), both);
    }

    #[test]
    fn of_another_restart_policy_nothing_is_left() {
        let under = json!({"restartPolicy": {"type": "OnFailure", "onFailureRetries": 3}});
        assert_eq!(
            laid(under, json!({"restartPolicy": {"type": "Never"}})),
            json!({"restartPolicy": {"type": "Never"}})
        );
    }
}
