//! YAML of other people.

use serde_json::Value;

/// The documents of a YAML file, as JSON.
pub fn yaml(text: &str) -> Vec<Value> {
    // Files of the checkout and definitions of a megabyte: nothing to guard against.
    let options = serde_saphyr::options! { budget: None };
    serde_saphyr::from_multiple_with_options(text, options).unwrap_or_else(|error| panic!("no YAML: {error}"))
}
