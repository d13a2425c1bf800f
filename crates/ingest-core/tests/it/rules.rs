//! Which rule decides, and which table it names.

use ingest_core::rules::{self, Subject};
use ingest_core::{Glob, ObjectUri, Outcome, Rule, RuleSet, TableTemplate, Target, Verdict};
use proptest::prelude::*;

/// Rules and keys over so few letters that they meet often.
fn rule() -> impl Strategy<Value = Rule> {
    let glob = proptest::option::of("[ab*]{0,3}");
    ("[ab]{0,2}", "[ab]{0,2}", glob, prop::bool::ANY).prop_map(|(prefix, suffix, glob, ignored)| Rule {
        prefix,
        suffix,
        glob: glob.map(Glob::new),
        ..match ignored {
            true => Rule::all(Outcome::Ignore),
            false => Rule::all(Target::new(TableTemplate::parse("db.t").unwrap())),
        }
    })
}

fn verdict(rules: &RuleSet, key: &str) -> Verdict {
    rules.judge_listed(&ObjectUri::new("b", key).unwrap(), 1)
}

proptest! {
    #[test]
    fn the_first_rule_that_matches_alone_decides(rules in prop::collection::vec(rule(), 0..6), key in "[ab]{1,4}") {
        let key = format!("{key}.csv");
        let keyed: Vec<_> = rules.into_iter().map(|rule| Rule { suffix: format!("{}.csv", rule.suffix), ..rule }).collect();
        let alone = |rule: &Rule| verdict(&RuleSet::new([rule.clone()]), &key);
        let expected = keyed.iter().map(alone).find(|verdict| !matches!(verdict, Verdict::Unmatched(_)));
        let all = RuleSet::new(keyed.clone());
        prop_assert_eq!(verdict(&all, &key), expected.unwrap_or(Verdict::Unmatched("no-rule")));

        // What is said of it agrees with what is done.
        let uri = ObjectUri::new("b", &key).unwrap();
        let subject = Subject { uri: &uri, event: None, size: Some(1) };
        let explained = all.explain(&subject);
        prop_assert_eq!(&explained.verdict, &verdict(&all, &key));
        prop_assert_eq!(explained.passed_over.len(), explained.rule.unwrap_or(keyed.len()));
        for (rule, failed) in keyed.iter().zip(&explained.passed_over) {
            prop_assert_eq!(rule.fails(&subject), Some(*failed));
        }
    }

    #[test]
    fn a_rule_said_to_be_shadowed_never_decides(rules in prop::collection::vec(rule(), 2..6), keys in prop::collection::vec("[ab]{0,4}", 20)) {
        let all = RuleSet::new(rules);
        for (late, early) in all.shadowed() {
            prop_assert!(early < late);
            for key in &keys {
                let uri = ObjectUri::new("b", key).unwrap();
                let explained = all.explain(&Subject { uri: &uri, event: None, size: Some(1) });
                prop_assert_ne!(explained.rule, Some(late), "{}", key);
            }
        }
    }

    #[test]
    fn a_capture_names_the_table_or_the_object_is_refused(folder in "[^/]{0,12}") {
        let rules = rules::read("rules: [{match: {regex: 'in/(?<t>[^/]*)/.*'}, table: 'db.${t}'}]").unwrap();
        match verdict(&rules, &format!("in/{folder}/a.csv")) {
            Verdict::Route(route) => {
                prop_assert_eq!(route.table.namespace(), ["db"]);
                prop_assert_eq!(route.table.name(), folder);
            }
            Verdict::Refused { reason, text } => {
                prop_assert_eq!(reason, "bad-table-name");
                prop_assert!(text.contains("db.${t}"), "{}", text);
                let plain = folder.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                prop_assert!(folder.is_empty() || !plain, "{} is a name", folder);
            }
            // `_temporary` and the like.
            Verdict::Ignored(_) => prop_assert_eq!(folder, "_temporary"),
            other @ Verdict::Unmatched(_) => prop_assert!(false, "{:?}", other),
        }
    }
}
