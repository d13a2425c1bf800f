//! Rules in their order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Explanation, Outcome, Route, Rule, Subject, Target, by_product::by_product, cover, routes::Routes,
};
use crate::{FileFormat, ObjectUri, TableName, notification::Announcement};

/// What the rules say about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes this way.
    Route(Arc<Route>),
    /// It is a by-product of a writer or a rule does not want it; with the reason as a metric label.
    Ignored(&'static str),
    /// No rule wants it, or no format can be told; with the reason as a metric label.
    Unmatched(&'static str),
    /// A rule wants it for a table that cannot be.
    Refused {
        /// As a metric label.
        reason: &'static str,
        /// In words.
        text: String,
    },
}

/// What becomes of new objects that no rule wants, or of unknown format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unmatched {
    /// They are counted and passed over.
    Ignore,
    /// Their record goes to the dead letters.
    DeadLetter,
}

/// Rules in their order: the first match wins. Clones share everything.
#[derive(Debug, Clone)]
pub struct RuleSet {
    shared: Arc<Shared>,
    unmatched: Option<Unmatched>,
}

#[derive(Debug)]
struct Shared {
    rules: Vec<(Rule, Way)>,
    /// The routes of rules whose table is in the key.
    routes: Routes,
}

/// Where a rule's objects go.
#[derive(Debug)]
enum Way {
    Nowhere,
    /// Always the same table: a route for each format, made once.
    Fixed([Arc<Route>; FileFormat::ALL.len()]),
    /// The key tells the table.
    Named,
}

impl RuleSet {
    /// The rules, most particular first.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let rules = rules.into_iter().map(|rule| {
            let way = Way::of(&rule.outcome);
            (rule, way)
        });
        let shared = Shared { rules: rules.collect(), routes: Routes::default() };
        Self { shared: Arc::new(shared), unmatched: None }
    }

    /// The same rules, which also say what becomes of objects that match none.
    #[must_use]
    pub fn with_unmatched(self, unmatched: Option<Unmatched>) -> Self {
        Self { unmatched, ..self }
    }

    /// What becomes of objects that match none, if the rules say so.
    pub fn unmatched(&self) -> Option<Unmatched> {
        self.unmatched
    }

    /// The rules in their order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.shared.rules.iter().map(|(rule, _)| rule)
    }

    /// The tables of all rules; `None` for one whose objects tell it by their keys.
    pub fn tables(&self) -> impl Iterator<Item = Option<TableName>> {
        self.rules().filter_map(|rule| match &rule.outcome {
            Outcome::Ignore => None,
            Outcome::Ingest(target) => Some(target.table.fixed()),
        })
    }

    /// The tables of which objects are expected, each with the shortest time that a rule names. A table whose objects tell
    /// it by their keys is among them from its first object on.
    pub fn expected(&self) -> BTreeMap<TableName, Duration> {
        let mut expected = BTreeMap::new();
        for (index, rule) in self.rules().enumerate() {
            let Outcome::Ingest(Target { table, expect_every: Some(every), .. }) = &rule.outcome else {
                continue;
            };
            let tables = table.fixed().map_or_else(|| self.shared.routes.tables(index), |table| vec![table]);
            for table in tables {
                let shortest = expected.entry(table).or_insert(*every);
                *shortest = (*shortest).min(*every);
            }
        }
        expected
    }

    /// Rules that never match because an earlier one takes all of theirs: the index of both, the late one first. Not all
    /// of them can be told.
    pub fn shadowed(&self) -> Vec<(usize, usize)> {
        let rules: Vec<&Rule> = self.rules().collect();
        let first = |late: usize| (0..late).find(|early| cover::covers(rules[*early], rules[late]));
        (0..rules.len()).filter_map(|late| Some((late, first(late)?))).collect()
    }

    /// What becomes of an announced object.
    pub fn judge(&self, announcement: &Announcement) -> Verdict {
        self.decide(&Subject::of(announcement)).1
    }

    /// What becomes of an object that stands in a listing, which does not say by which event it came.
    pub fn judge_listed(&self, uri: &ObjectUri, size: u64) -> Verdict {
        self.decide(&Subject { uri, event: None, size: Some(size) }).1
    }

    /// What becomes of an object, and why.
    pub fn explain(&self, subject: &Subject<'_>) -> Explanation {
        let (rule, verdict) = self.decide(subject);
        let by_product = by_product(subject.uri, subject.size).is_some();
        let asked = if by_product { 0 } else { rule.unwrap_or(self.shared.rules.len()) };
        let failed = |rule: &Rule| rule.fails(subject).expect("an earlier rule would have matched");
        let passed_over = self.rules().take(asked).map(failed).collect();
        Explanation { passed_over, rule, verdict }
    }

    /// The rule that decides, if one does, and its verdict.
    fn decide(&self, subject: &Subject<'_>) -> (Option<usize>, Verdict) {
        if let Some(reason) = by_product(subject.uri, subject.size) {
            return (None, Verdict::Ignored(reason));
        }
        let mut rules = self.shared.rules.iter().enumerate();
        match rules.find(|(_, (rule, _))| rule.fails(subject).is_none()) {
            Some((index, (rule, way))) => (Some(index), self.follow(index, rule, way, subject)),
            None => (None, Verdict::Unmatched("no-rule")),
        }
    }

    fn follow(&self, index: usize, rule: &Rule, way: &Way, subject: &Subject<'_>) -> Verdict {
        let Outcome::Ingest(target) = &rule.outcome else {
            return Verdict::Ignored("ignore-rule");
        };
        let Some(format) = target.format.or_else(|| FileFormat::from_suffix(subject.uri)) else {
            return Verdict::Unmatched("unknown-format");
        };
        if let Way::Fixed(routes) = way {
            return Verdict::Route(Arc::clone(&routes[format as usize]));
        }
        let captures = rule.regex.as_ref().and_then(|regex| regex.captures(subject.uri.key()));
        let captured = |name: &str| Some(captures.as_ref()?.name(name)?.as_str());
        match target.table.render(captured) {
            Ok(table) => Verdict::Route(self.shared.routes.get(index, target, table, format)),
            Err(error) => Verdict::Refused {
                reason: "bad-table-name",
                text: format!("rule {:?}, table {}: {error}", rule.name, target.table),
            },
        }
    }
}

impl Way {
    fn of(outcome: &Outcome) -> Self {
        let fixed = |target: &Target| {
            let table = target.table.fixed()?;
            Some(FileFormat::ALL.map(|format| Route::of(target, table.clone(), format)))
        };
        match outcome {
            Outcome::Ignore => Self::Nowhere,
            Outcome::Ingest(target) => fixed(target).map_or(Self::Named, Self::Fixed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeyRegex, MAX_ROUTES, SizeRange, TableTemplate};
    use super::*;
    use crate::{Glob, ObjectHint, notification::Producer};

    fn announcement(bucket: &str, key: &str) -> Announcement {
        Announcement {
            producer: Producer::Minio,
            event_name: "ObjectCreated:Put".into(),
            uri: ObjectUri::new(bucket, key).unwrap(),
            hint: ObjectHint::default(),
        }
    }

    fn target(table: &str) -> Target {
        Target::new(TableTemplate::parse(table).unwrap())
    }

    fn table(rules: &RuleSet, announcement: &Announcement) -> String {
        match rules.judge(announcement) {
            Verdict::Route(route) => route.table.to_string(),
            Verdict::Ignored(reason) | Verdict::Unmatched(reason) | Verdict::Refused { reason, .. } => {
                reason.to_owned()
            }
        }
    }

    #[test]
    fn the_first_match_wins() {
        let rules = RuleSet::new([
            Rule { prefix: "in/a/tmp/".into(), ..Rule::all(Outcome::Ignore) },
            Rule { prefix: "in/a/".into(), ..Rule::all(target("db.a")) },
            Rule { prefix: "in/".into(), ..Rule::all(target("db.in")) },
        ]);
        assert_eq!(table(&rules, &announcement("b", "in/a/x.csv")), "db.a");
        assert_eq!(table(&rules, &announcement("b", "in/a/tmp/x.csv")), "ignore-rule");
        assert_eq!(table(&rules, &announcement("b", "in/b/x.csv")), "db.in");
        assert_eq!(table(&rules, &announcement("b", "out/x.csv")), "no-rule");
        assert_eq!(table(&rules, &announcement("b", "in/a/_SUCCESS")), "underscore-name");
    }

    #[test]
    fn every_condition_counts() {
        let rules = RuleSet::new([Rule {
            buckets: vec![Glob::new("events-*"), Glob::new("other")],
            prefix: "incoming/".into(),
            suffix: ".parquet".into(),
            glob: Some(Glob::new("*/a*")),
            regex: Some(KeyRegex::new("[a-z/]+[.][a-z]+").unwrap()),
            events: vec![Glob::new("ObjectCreated:Put")],
            size: SizeRange { min: Some(1), max: Some(9) },
            ..Rule::all(target("db.t"))
        }]);
        let judged = |bucket: &str, key: &str, event: &str, size: Option<u64>| {
            let mut announcement = announcement(bucket, key);
            announcement.event_name = event.to_owned().into();
            announcement.hint.size = size;
            let explained = rules.explain(&Subject::of(&announcement)).passed_over;
            assert_eq!(table(&rules, &announcement) == "db.t", explained.is_empty());
            explained.first().copied()
        };
        let (put, key) = ("ObjectCreated:Put", "incoming/a.parquet");
        assert_eq!(judged("events-inbox", key, put, Some(1)), None);
        assert_eq!(judged("other", key, put, Some(9)), None);
        use super::super::Condition::{Bucket, Event, Glob as Pattern, Prefix, Regex, Size, Suffix};
        for (bucket, key, event, size, expected) in [
            ("events", key, put, Some(1), Bucket),
            ("other", "a.parquet", put, Some(1), Prefix),
            ("other", "incoming/a.csv", put, Some(1), Suffix),
            ("other", "incoming/b.parquet", put, Some(1), Pattern),
            ("other", "incoming/a1.parquet", put, Some(1), Regex),
            ("other", key, "ObjectCreated:Copy", Some(1), Event),
            ("other", key, put, Some(0), Size),
            ("other", key, put, Some(10), Size),
            ("other", key, put, None, Size),
        ] {
            assert_eq!(judged(bucket, key, event, size), Some(expected), "{bucket} {key} {event} {size:?}");
        }
        // A listing does not tell events: all else counts.
        let listed = |key| rules.judge_listed(&ObjectUri::new("other", key).unwrap(), 1);
        assert!(matches!(listed(key), Verdict::Route(_)));
        assert_eq!(listed("incoming/a.csv"), Verdict::Unmatched("no-rule"));
        assert_eq!(listed("incoming/_a.parquet"), Verdict::Ignored("underscore-name"));
    }

    #[test]
    fn a_fixed_format_outranks_the_suffix() {
        let fixed = Target { format: Some(FileFormat::Csv), ..target("db.t") };
        let format = |target: Target, key: &str| match RuleSet::new([Rule::all(target)])
            .judge(&announcement("b", key))
        {
            Verdict::Route(route) => Ok(route.format),
            other => Err(other),
        };
        assert_eq!(format(fixed.clone(), "a.parquet"), Ok(FileFormat::Csv));
        assert_eq!(format(fixed, "a"), Ok(FileFormat::Csv));
        assert_eq!(format(target("db.t"), "a.json"), Ok(FileFormat::Json));
        assert_eq!(format(target("db.t"), "a"), Err(Verdict::Unmatched("unknown-format")));
    }

    #[test]
    fn the_key_names_the_table_or_is_refused() {
        let rules = RuleSet::new([Rule {
            regex: Some(KeyRegex::new("in/(?<table>[^/]*)/.*").unwrap()),
            ..Rule::all(target("db.${table}"))
        }]);
        assert_eq!(table(&rules, &announcement("b", "in/flights/a.csv")), "db.flights");
        for key in ["in//a.csv", "in/a.b/a.csv", "in/ a/a.csv", &format!("in/{}/a.csv", "x".repeat(256))] {
            assert_eq!(table(&rules, &announcement("b", key)), "bad-table-name", "{key}");
        }
    }

    #[test]
    fn what_is_expected_is_told_by_table() {
        let expecting = |table: &str, seconds| Target {
            expect_every: Some(Duration::from_secs(seconds)),
            ..target(table)
        };
        let rules = RuleSet::new([
            Rule { prefix: "a/".into(), ..Rule::all(expecting("db.t", 60)) },
            Rule { prefix: "b/".into(), ..Rule::all(expecting("db.t", 30)) },
            Rule {
                regex: Some(KeyRegex::new("c/(?<table>[^/]*)/.*").unwrap()),
                ..Rule::all(expecting("db.${table}", 5))
            },
            Rule::all(target("db.whenever")),
        ]);
        let told = || {
            let expected = rules.expected().into_iter();
            expected.map(|(table, every)| (table.to_string(), every.as_secs())).collect::<Vec<_>>()
        };
        assert_eq!(told(), [("db.t".to_owned(), 30)]);
        assert_eq!(table(&rules, &announcement("b", "c/new/x.csv")), "db.new");
        assert_eq!(told(), [("db.new".to_owned(), 5), ("db.t".to_owned(), 30)]);
    }

    #[test]
    fn any_number_of_tables_takes_bounded_memory() {
        let rules = RuleSet::new([Rule {
            regex: Some(KeyRegex::new("(?<table>[^/]*)/.*").unwrap()),
            ..Rule::all(target("db.${table}"))
        }]);
        let route = |number: usize| match rules.judge(&announcement("b", &format!("t{number}/a.csv"))) {
            Verdict::Route(route) => route,
            other => panic!("{other:?}"),
        };
        let first = route(0);
        assert!(Arc::ptr_eq(&first, &route(0)));
        for number in 0..3 * MAX_ROUTES {
            assert_eq!(route(number).table.name(), format!("t{number}"));
            assert!(rules.shared.routes.len() <= MAX_ROUTES);
        }
        // Another copy of the same route: batches are keyed by what it says.
        assert_eq!(first, route(0));
    }
}
