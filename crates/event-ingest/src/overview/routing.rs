//! What the rules say of an object.

use ingest_core::rules::Subject;
use ingest_core::{ObjectUri, RuleSet, Verdict};
use operations::model::Routing;

/// Where an object of this size goes by the rules as they are now, and by which of them.
#[must_use]
pub fn of(rules: &RuleSet, object: &ObjectUri, size: Option<u64>) -> Routing {
    let explained = rules.explain(&Subject { uri: object, event: None, size });
    let rule = explained.rule.and_then(|index| rules.rules().nth(index)).map(|rule| rule.name.clone());
    let by =
        |what: &str| rule.as_ref().map_or_else(|| what.to_owned(), |rule| format!("{what} (rule {rule})"));
    match explained.verdict {
        Verdict::Route(route) => Routing { table: Some(route.table.to_string()), reason: by("wanted") },
        Verdict::Ignored(reason) | Verdict::Unmatched(reason) => Routing { table: None, reason: by(reason) },
        Verdict::Refused { reason, text } => Routing { table: None, reason: format!("{reason}: {text}") },
    }
}
