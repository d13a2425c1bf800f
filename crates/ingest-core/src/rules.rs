//! Rules: which objects are wanted, and for which table.

use std::{collections::BTreeMap, sync::Arc};

use crate::{FileFormat, Glob, ObjectUri, TableName, notification::Announcement};

/// Where an object goes. Objects of one route share batches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The table.
    pub table: TableName,
    /// The format.
    pub format: FileFormat,
    /// Options that override the table's own.
    pub options: BTreeMap<String, String>,
}

/// What a rule says about the objects that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The table.
    pub table: TableName,
    /// The format; `None` takes it from each key's suffix.
    pub format: Option<FileFormat>,
    /// Options that override the table's own.
    pub options: BTreeMap<String, String>,
}

/// A rule. All its conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Buckets; any of them.
    pub buckets: Vec<Glob>,
    /// The key begins with this.
    pub prefix: String,
    /// The key ends with this.
    pub suffix: String,
    /// Event names without `s3:`, such as `ObjectCreated:*`; any of them.
    pub events: Vec<Glob>,
    /// What becomes of such an object.
    pub target: Target,
}

impl Rule {
    /// A rule for every object of every bucket.
    pub fn all(target: Target) -> Self {
        Self {
            buckets: vec![Glob::new("*")],
            prefix: String::new(),
            suffix: String::new(),
            events: vec![Glob::new("ObjectCreated:*")],
            target,
        }
    }

    fn matches_name(&self, uri: &ObjectUri) -> bool {
        uri.key().starts_with(&self.prefix)
            && uri.key().ends_with(&self.suffix)
            && self.buckets.iter().any(|glob| glob.matches(uri.bucket()))
    }

    fn matches_event(&self, name: &str) -> bool {
        self.events.iter().any(|glob| glob.matches(name))
    }
}

/// What the rules say about an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes this way.
    Route(Arc<Route>),
    /// It is a by-product of a writer, never data.
    Ignored(&'static str),
    /// No rule wants it, or no format can be told; with the reason as a metric label.
    Unmatched(&'static str),
}

/// Rules in their order: the first match wins.
#[derive(Debug, Clone)]
pub struct RuleSet(Vec<Compiled>);

/// A rule with its routes made once, so that an announcement costs no allocation.
#[derive(Debug, Clone)]
struct Compiled {
    rule: Rule,
    routes: [Arc<Route>; FileFormat::ALL.len()],
}

impl RuleSet {
    /// The rules, most particular first.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let compile = |rule: Rule| Compiled {
            routes: FileFormat::ALL.map(|format| {
                Arc::new(Route {
                    table: rule.target.table.clone(),
                    format,
                    options: rule.target.options.clone(),
                })
            }),
            rule,
        };
        Self(rules.into_iter().map(compile).collect())
    }

    /// What becomes of an announced object.
    pub fn judge(&self, announcement: &Announcement) -> Verdict {
        let event = |rule: &Rule| rule.matches_event(&announcement.event_name);
        self.judge_if(&announcement.uri, announcement.hint.size, event)
    }

    /// What becomes of an object that stands in a listing, which does not say by which event it came.
    pub fn judge_listed(&self, uri: &ObjectUri, size: u64) -> Verdict {
        self.judge_if(uri, Some(size), |_| true)
    }

    fn judge_if(&self, uri: &ObjectUri, size: Option<u64>, wanted: impl Fn(&Rule) -> bool) -> Verdict {
        if let Some(reason) = by_product(uri, size) {
            return Verdict::Ignored(reason);
        }
        let matching = |compiled: &&Compiled| compiled.rule.matches_name(uri) && wanted(&compiled.rule);
        let Some(Compiled { rule, routes }) = self.0.iter().find(matching) else {
            return Verdict::Unmatched("no-rule");
        };
        let format = rule.target.format.or_else(|| FileFormat::from_suffix(uri));
        match format {
            Some(format) => Verdict::Route(Arc::clone(&routes[format as usize])),
            None => Verdict::Unmatched("unknown-format"),
        }
    }
}

/// Why an object is no data by the conventions of Hadoop, Spark and S3 browsers; `None` if it may be.
fn by_product(uri: &ObjectUri, size: Option<u64>) -> Option<&'static str> {
    let name = uri.file_name();
    if uri.key().split('/').any(|segment| segment == "_temporary") {
        Some("temporary")
    } else if name.is_empty() && size.unwrap_or(0) == 0 {
        Some("folder-marker")
    } else if name.starts_with('_') {
        Some("underscore-name")
    } else if name.starts_with('.') && name != "." && name != ".." {
        // Keys that end in a dot segment cannot be addressed: the worker sets them aside with that reason.
        Some("hidden-name")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ObjectHint, notification::Producer};

    fn announcement(bucket: &str, key: &str) -> Announcement {
        Announcement {
            producer: Producer::Minio,
            event_name: "ObjectCreated:Put".into(),
            uri: ObjectUri::new(bucket, key).unwrap(),
            hint: ObjectHint::default(),
        }
    }

    fn target(table: &str) -> Target {
        Target { table: TableName::parse(table).unwrap(), format: None, options: BTreeMap::new() }
    }

    fn table(rules: &RuleSet, announcement: &Announcement) -> String {
        match rules.judge(announcement) {
            Verdict::Route(route) => route.table.to_string(),
            Verdict::Ignored(reason) | Verdict::Unmatched(reason) => reason.to_owned(),
        }
    }

    #[test]
    fn the_first_match_wins() {
        let rules = RuleSet::new([
            Rule { prefix: "in/a/".into(), ..Rule::all(target("db.a")) },
            Rule { prefix: "in/".into(), ..Rule::all(target("db.in")) },
        ]);
        assert_eq!(table(&rules, &announcement("b", "in/a/x.csv")), "db.a");
        assert_eq!(table(&rules, &announcement("b", "in/b/x.csv")), "db.in");
        assert_eq!(table(&rules, &announcement("b", "out/x.csv")), "no-rule");
    }

    #[test]
    fn every_condition_counts() {
        let rules = RuleSet::new([Rule {
            buckets: vec![Glob::new("events-*"), Glob::new("other")],
            prefix: "incoming/".into(),
            suffix: ".parquet".into(),
            events: vec![Glob::new("ObjectCreated:Put")],
            target: target("db.t"),
        }]);
        assert_eq!(table(&rules, &announcement("events-inbox", "incoming/a.parquet")), "db.t");
        assert_eq!(table(&rules, &announcement("other", "incoming/a.parquet")), "db.t");
        assert_eq!(table(&rules, &announcement("events", "incoming/a.parquet")), "no-rule");
        assert_eq!(table(&rules, &announcement("other", "a.parquet")), "no-rule");
        assert_eq!(table(&rules, &announcement("other", "incoming/a.csv")), "no-rule");
        let copy = Announcement {
            event_name: "ObjectCreated:Copy".into(),
            ..announcement("other", "incoming/a.parquet")
        };
        assert_eq!(table(&rules, &copy), "no-rule");
        // A listing does not tell events: all else counts.
        let listed = |key| rules.judge_listed(&ObjectUri::new("other", key).unwrap(), 1);
        assert!(matches!(listed("incoming/a.parquet"), Verdict::Route(_)));
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
            Verdict::Ignored(reason) | Verdict::Unmatched(reason) => Err(reason),
        };
        assert_eq!(format(fixed.clone(), "a.parquet"), Ok(FileFormat::Csv));
        assert_eq!(format(fixed, "a"), Ok(FileFormat::Csv));
        assert_eq!(format(target("db.t"), "a.json"), Ok(FileFormat::Json));
        assert_eq!(format(target("db.t"), "a"), Err("unknown-format"));
    }

    #[test]
    fn by_products_of_writers_are_ignored() {
        let rules = RuleSet::new([Rule::all(Target { format: Some(FileFormat::Parquet), ..target("db.t") })]);
        for (key, expected) in [
            ("out/_SUCCESS", "underscore-name"),
            ("out/_temporary/0/part.parquet", "temporary"),
            ("_temporary/x", "temporary"),
            ("out/.part.crc", "hidden-name"),
            ("out/", "folder-marker"),
            ("", "folder-marker"),
            ("_in/a.parquet", "db.t"),
            ("my_temporary/a.parquet", "db.t"),
            ("a/..", "db.t"),
        ] {
            assert_eq!(table(&rules, &announcement("b", key)), expected, "{key}");
        }
        let mut marker = announcement("b", "out/");
        marker.hint.size = Some(1);
        assert_eq!(table(&rules, &marker), "db.t");
    }
}
