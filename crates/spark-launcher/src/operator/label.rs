//! Labels of Kubernetes, which take less than names of tables may hold.

use sha2::{Digest, Sha256};

/// Longest value of a label, in bytes.
const MAX_BYTES: usize = 63;
/// Hex digits that tell apart what was cut or replaced.
const DIGITS: usize = 10;

/// The value of a label that stands for a text: the text itself if it can be one; else what is left of it, and a hash of
/// the whole. The whole text belongs into an annotation.
pub fn label_value(text: &str) -> String {
    if is_value(text) {
        return text.to_owned();
    }
    let kept = text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' });
    let kept: String = kept.take(MAX_BYTES - DIGITS - 1).collect();
    let kept = kept.trim_start_matches(['-', '_', '.']);
    let hash = hex::encode(Sha256::digest(text));
    let hash = &hash[..DIGITS];
    if kept.is_empty() { hash.to_owned() } else { format!("{kept}-{hash}") }
}

fn is_value(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= MAX_BYTES
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        for name in ["db.my_table", "a", &"x".repeat(63)] {
            assert_eq!(label_value(name), name);
        }
    }

    #[test]
    fn others_are_told_apart() {
        let names = ["", "db.t ", "db.t_", "db.t!", "-", "ä.ö", "ä.ü", "_x", "x_"];
        let long = [format!("{}1", "x".repeat(200)), format!("{}2", "x".repeat(200))];
        let values: std::collections::HashSet<String> =
            names.iter().copied().chain(long.iter().map(String::as_str)).map(label_value).collect();
        assert_eq!(values.len(), names.len() + long.len());
    }

    proptest! {
        #[test]
        fn every_text_becomes_a_value(text in ".{0,300}") {
            let value = label_value(&text);
            prop_assert!(is_value(&value), "{text:?} became {value:?}");
        }
    }
}
