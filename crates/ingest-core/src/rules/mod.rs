//! Rules: which objects are wanted, and for which table.
//!
//! A [`RuleSet`] comes from flags or from a [file](read); the first rule that matches an object decides. By-products of
//! writers are left out before any rule is asked. Nothing here does I/O.

mod by_product;
mod cover;
mod explain;
mod file;
mod key_regex;
mod routes;
mod rule;
mod set;
mod template;

pub use explain::{Explanation, Subject};
pub use file::{MAX_RULES, MAX_RULES_BYTES, Problem, RulesError, read};
pub use key_regex::{KeyRegex, RegexError};
pub use routes::{MAX_ROUTES, Route};
pub use rule::{Condition, Outcome, Rule, SizeRange, Target};
pub use set::{RuleSet, Unmatched, Verdict};
pub use template::{TableTemplate, TemplateError};
