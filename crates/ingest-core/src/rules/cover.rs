//! Rules that can never match, because an earlier one is more general.

use super::Rule;
use crate::Glob;

/// Whether each object that meets `late` meets `early` too, as far as the texts of the conditions tell: `true` is certain.
pub(super) fn covers(early: &Rule, late: &Rule) -> bool {
    let all =
        |early: &[Glob], late: &[Glob]| late.iter().all(|late| early.iter().any(|early| early.covers(late)));
    let prefix = early.prefix.is_empty() || certain(late).any(|(head, _)| head.starts_with(&early.prefix));
    let suffix = early.suffix.is_empty() || certain(late).any(|(_, tail)| tail.ends_with(&early.suffix));
    let glob = match (&early.glob, &late.glob) {
        (None, _) => true,
        (Some(early), Some(late)) if early.covers(late) => true,
        (Some(early), _) => early.covers(&Glob::new(format!("{}*", late.prefix))),
    };
    let size = early.size.min.is_none_or(|min| late.size.min.is_some_and(|late| min <= late))
        && early.size.max.is_none_or(|max| late.size.max.is_some_and(|late| late <= max));
    let regex = early.regex.is_none() || early.regex == late.regex;
    all(&early.buckets, &late.buckets)
        && all(&early.events, &late.events)
        && prefix
        && suffix
        && glob
        && size
        && regex
}

/// How the keys of a rule begin and end for certain.
fn certain(rule: &Rule) -> impl Iterator<Item = (&str, &str)> {
    let of_glob = rule.glob.as_ref().map(Glob::ends);
    [(rule.prefix.as_str(), rule.suffix.as_str())].into_iter().chain(of_glob)
}

#[cfg(test)]
mod tests {
    use super::super::{KeyRegex, Outcome, SizeRange};
    use super::*;

    #[test]
    fn what_is_more_general_covers() {
        let all = || Rule::all(Outcome::Ignore);
        let prefix = |text: &str| Rule { prefix: text.into(), ..all() };
        let glob = |text: &str| Rule { glob: Some(Glob::new(text)), ..all() };
        let bucket = |text: &str| Rule { buckets: vec![Glob::new(text)], ..all() };
        let size = |min, max| Rule { size: SizeRange { min, max }, ..all() };
        let regex = |text: &str| Rule { regex: Some(KeyRegex::new(text).unwrap()), ..all() };
        let suffix = |text: &str| Rule { suffix: text.into(), ..all() };
        for (early, late, expected) in [
            (all(), all(), true),
            (all(), prefix("a"), true),
            (prefix("a"), all(), false),
            (prefix("a"), prefix("a/b"), true),
            (prefix("a/b"), prefix("a"), false),
            (prefix("a/"), glob("a/*.csv"), true),
            (prefix("a/"), glob("*/a/"), false),
            (suffix(".csv"), glob("a/*.csv"), true),
            (suffix(".csv"), suffix(".json"), false),
            (glob("a*"), prefix("ab"), true),
            (glob("a*c"), prefix("a"), false),
            (glob("a*"), glob("ab*c"), true),
            (glob("a*b*"), glob("a*"), false),
            (bucket("b*"), bucket("b1"), true),
            (bucket("b1"), bucket("b*"), false),
            (size(Some(1), None), size(Some(2), Some(3)), true),
            (size(Some(1), None), all(), false),
            (size(None, Some(3)), size(None, Some(4)), false),
            (regex("a+"), regex("a+"), true),
            (regex("a+"), regex("a"), false),
            (regex("a+"), prefix("a"), false),
        ] {
            assert_eq!(covers(&early, &late), expected, "{early:?} {late:?}");
        }
    }
}
