//! The user's own SparkApplication, which lies under ours.

use serde_json::{Map, Value};

use super::resource::{API_VERSION, KIND};

/// Largest template in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 256 << 10;
/// Deepest nesting: that of the definition is 15, and templates of pods may go deeper.
const MAX_DEPTH: usize = 40;

/// A partial SparkApplication: what an installation wants for its drivers and executors.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Value);

impl Default for Template {
    fn default() -> Self {
        Self(Value::Object(Map::new()))
    }
}

/// A text that is no template. A retry never helps.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Too large.
    #[error("the template has {0} bytes; it may have {MAX_TEMPLATE_BYTES}")]
    TooLarge(usize),
    /// Not YAML, or more of YAML than plain values.
    #[error("the template is no plain YAML: {0}")]
    Yaml(String),
    /// Something else than a part of a SparkApplication.
    #[error("the template is no part of a SparkApplication: {0}")]
    Shape(String),
}

impl Template {
    /// Reads a template. Of its metadata only labels and annotations are taken; a name or a namespace may be there, so
    /// that other tools can check the same file, and is not used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLarge(text.len()));
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: MAX_DEPTH, max_documents: 1 },
            merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        let read: Value = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| TemplateError::Yaml(error.to_string()))?;
        Self::from_value(read)
    }

    fn from_value(read: Value) -> Result<Self, TemplateError> {
        let shape = |text: String| Err(TemplateError::Shape(text));
        let Value::Object(mut read) = read else {
            return shape("it is no map".to_owned());
        };
        for (key, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            if let Some(found) = read.remove(key)
                && found != expected
            {
                return shape(format!("{key} is {found}, not {expected:?}"));
            }
        }
        let mut kept = Map::new();
        for (key, value) in read {
            let value = match (key.as_str(), value) {
                ("metadata", Value::Object(metadata)) => {
                    let taken =
                        |(key, _): &(String, Value)| ["labels", "annotations"].contains(&key.as_str());
                    Value::Object(metadata.into_iter().filter(taken).collect())
                }
                ("spec", spec @ Value::Object(_)) => spec,
                ("metadata" | "spec", _) => return shape(format!("{key} is no map")),
                _ => return shape(format!("it has a field {key:?}")),
            };
            kept.insert(key, value);
        }
        Ok(Self(Value::Object(kept)))
    }

    /// Has it a value at this JSON pointer?
    pub(super) fn says(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some()
    }

    pub(super) fn value(&self) -> &Value {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_enough_and_names_are_not_taken() {
        let text = "metadata: {name: x, namespace: y, labels: {team: a}}\nspec: {image: 'i:1'}\n";
        let template = Template::parse(text).unwrap();
        let expected = serde_json::json!({"metadata": {"labels": {"team": "a"}}, "spec": {"image": "i:1"}});
        assert_eq!(template.value(), &expected);
        assert!(template.says("/spec/image") && template.says("/spec"));
        assert!(!template.says("/spec/mode") && !template.says("/status"));
        assert_eq!(Template::parse("{}").unwrap(), Template::default());
    }

    #[test]
    fn what_is_none_is_refused() {
        let cases = [
            ("[]", "no map"),
            ("kind: Pod", "kind"),
            ("apiVersion: v1", "apiVersion"),
            ("spec: 3", "spec is no map"),
            ("status: {}", "status"),
            ("spec: {a: &x 1, b: *x}", "YAML"),
            ("a: b: c", "YAML"),
        ];
        for (text, reason) in cases {
            let error = Template::parse(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let large = format!("spec: {{image: {}}}", "x".repeat(MAX_TEMPLATE_BYTES));
        assert!(matches!(Template::parse(&large), Err(TemplateError::TooLarge(_))));
        let deep = format!("spec: {}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(matches!(Template::parse(&deep), Err(TemplateError::Yaml(_))));
    }
}
