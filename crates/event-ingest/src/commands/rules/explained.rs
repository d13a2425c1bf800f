//! What the rules say of one object, for people and for programs.

use std::fmt;

use ingest_core::batching::{Overflow, RouteLimits};
use ingest_core::rules::{Explanation, Subject};
use ingest_core::units::show_duration;
use ingest_core::{Route, Rule, RuleSet, Unmatched, Verdict};
use serde_json::{Value, json};

/// Where an object ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Table,
    Ignored,
    DeadLetter,
}

impl Fate {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Ignored => "ignored",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// What becomes of an object, and why.
pub(super) struct Explained<'a> {
    rules: &'a RuleSet,
    subject: &'a Subject<'a>,
    explanation: Explanation,
    pub fate: Fate,
}

impl<'a> Explained<'a> {
    pub fn new(rules: &'a RuleSet, subject: &'a Subject<'a>, unmatched: Unmatched) -> Self {
        let explanation = rules.explain(subject);
        let fate = match (&explanation.verdict, unmatched) {
            (Verdict::Route(_), _) => Fate::Table,
            (Verdict::Ignored(_), _) | (Verdict::Unmatched(_), Unmatched::Ignore) => Fate::Ignored,
            (Verdict::Refused { .. }, _) | (Verdict::Unmatched(_), Unmatched::DeadLetter) => Fate::DeadLetter,
        };
        Self { rules, subject, explanation, fate }
    }

    /// Each rule that was asked and did not match, and why.
    fn passed_over(&self) -> impl Iterator<Item = (&'a Rule, &'static str, String)> + '_ {
        let asked = self.rules.rules().zip(&self.explanation.passed_over);
        asked.map(move |(rule, condition)| (rule, condition.as_str(), rule.why(*condition, self.subject)))
    }

    fn rule(&self) -> Option<&'a Rule> {
        self.rules.rules().nth(self.explanation.rule?)
    }

    /// Why it goes where it goes, if not to a table.
    fn reason(&self) -> Option<String> {
        match &self.explanation.verdict {
            Verdict::Route(_) => None,
            Verdict::Ignored(reason) | Verdict::Unmatched(reason) => Some((*reason).to_owned()),
            Verdict::Refused { reason, text } => Some(format!("{reason}: {text}")),
        }
    }

    pub fn json(&self) -> Value {
        let passed_over = self.passed_over().map(|(rule, condition, why)| {
            json!({"rule": rule.name, "line": rule.line, "condition": condition, "why": why})
        });
        let mut line = json!({
            "file": self.subject.uri.to_string(),
            "event": self.subject.event,
            "size": self.subject.size,
            "outcome": self.fate.as_str(),
            "reason": self.reason(),
            "rule": self.rule().map(|rule| &rule.name),
            "line": self.rule().and_then(|rule| rule.line),
            "passed_over": passed_over.collect::<Vec<_>>(),
        });
        if let Verdict::Route(route) = &self.explanation.verdict {
            line["table"] = json!(route.table);
            line["format"] = json!(route.format);
            line["options"] = json!(route.options);
            line["limits"] =
                json!(limits(&route.limits).into_iter().collect::<std::collections::BTreeMap<_, _>>());
        }
        line
    }
}

/// The limits that a rule gives, by their names in the file.
fn limits(limits: &RouteLimits) -> Vec<(&'static str, String)> {
    let overflow = |overflow| match overflow {
        Overflow::Heavy => "heavy".to_owned(),
        Overflow::Split => "split".to_owned(),
    };
    let all = [
        ("batch.max-files", limits.max_files.map(|files| files.to_string())),
        ("batch.max-wait", limits.max_wait.map(show_duration)),
        ("batch.idle", limits.idle.map(show_duration)),
        ("batch.overflow", limits.overflow.map(overflow)),
        ("light.max-bytes", limits.light_max_bytes.map(|bytes| bytes.to_string())),
        ("light.max-files", limits.light_max_files.map(|files| files.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn named(rule: &Rule) -> String {
    let line = rule.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    format!("rule {}{line}", rule.name)
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.subject.size.map_or("size unknown".to_owned(), |size| format!("{size} bytes"));
        writeln!(f, "{}  {}, {size}", self.subject.uri, self.subject.event.unwrap_or_default())?;
        for (rule, _, why) in self.passed_over() {
            writeln!(f, "  {}: no, {why}", named(rule))?;
        }
        if let Some(rule) = self.rule() {
            writeln!(f, "  {}: yes", named(rule))?;
        }
        match &self.explanation.verdict {
            Verdict::Route(route) => self.route(route, f),
            _ => {
                let end = if self.fate == Fate::Ignored { "ignored" } else { "dead letter" };
                writeln!(f, "  => {end}: {}", self.reason().unwrap_or_default())
            }
        }
    }
}

impl Explained<'_> {
    fn route(&self, route: &Route, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  => table {}, format {}", route.table, route.format)?;
        for (name, value) in &route.options {
            writeln!(f, "     option {name} = {value}")?;
        }
        for (name, value) in limits(&route.limits) {
            writeln!(f, "     {name} = {value}")?;
        }
        Ok(())
    }
}
