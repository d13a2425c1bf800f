//! From the file's shape to rules: what no single field shows.

use std::{collections::BTreeMap, collections::HashSet, ops::RangeInclusive, time::Duration};

use serde_saphyr::Location;

use super::{
    MAX_RULES, Problem, RulesError,
    shape::{At, Entry, File, Match},
};
use crate::{
    Glob, MAX_FILES_PER_REQUEST, Outcome, Rule, RuleSet, TableTemplate, Target,
    batching::RouteLimits,
    rules::{KeyRegex, SizeRange},
    units::{byte_size, duration},
};

/// What may be expected between two objects: metrics tell whole seconds, and alerts look back a week.
const EXPECT_EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 60 * 60);

/// Most bytes of a rule's options: they travel with each request.
const MAX_OPTIONS_BYTES: usize = 8 * 1024;

/// The rules, or everything that is wrong with them.
pub(super) fn compile(file: File) -> Result<RuleSet, RulesError> {
    let mut problems = Vec::new();
    if file.rules.is_empty() {
        problems.push(Problem::of_file("no rules: with none, nothing is ingested".to_owned()));
    }
    if file.rules.len() > MAX_RULES {
        let text = format!("{} rules; there may be {MAX_RULES}", file.rules.len());
        problems.push(Problem::of_file(text));
    }
    let mut names = HashSet::new();
    let mut rules = Vec::new();
    for (index, entry) in file.rules.iter().enumerate() {
        let name =
            entry.value().name.as_ref().map_or_else(|| (index + 1).to_string(), |name| name.value().clone());
        let mut compiler = Compiler { rule: name.clone(), place: entry.place(), problems: &mut problems };
        if !names.insert(name) {
            compiler.problem(entry.place(), "another rule has this name".to_owned());
        }
        rules.extend(compiler.rule(entry.value()));
    }
    if problems.is_empty() {
        Ok(RuleSet::new(rules).with_unmatched(file.unmatched))
    } else {
        Err(RulesError { problems })
    }
}

/// Of one rule. What is wrong is noted, and the rest is looked at all the same.
struct Compiler<'p> {
    rule: String,
    place: Location,
    problems: &'p mut Vec<Problem>,
}

impl Compiler<'_> {
    fn problem(&mut self, place: Location, text: String) {
        self.problems.push(Problem { rule: Some(self.rule.clone()), text, ..Problem::at(place) });
    }

    fn rule(&mut self, entry: &Entry) -> Option<Rule> {
        let conditions = &entry.conditions;
        let regex = conditions.regex.as_ref().and_then(|text| {
            let compiled = KeyRegex::new(text.value());
            compiled.map_err(|error| self.problem(text.place(), format!("regex {error}"))).ok()
        });
        // What a regex captures cannot be told of one that is wrong.
        let regex_known = regex.is_some() == conditions.regex.is_some();
        let outcome =
            if entry.ignore { self.ignore(entry) } else { self.target(entry, regex.as_ref(), regex_known) };
        let buckets = self.globs("buckets", conditions.buckets.as_ref(), "*");
        let events = self.globs("events", conditions.events.as_ref(), "ObjectCreated:*");
        let events = events.iter().map(Rule::event).collect();
        Some(Rule {
            name: self.rule.clone(),
            line: Some(self.place.line()),
            buckets,
            prefix: conditions.prefix.clone(),
            suffix: conditions.suffix.clone(),
            glob: conditions.glob.as_deref().map(Glob::new),
            regex,
            events,
            size: self.size(conditions),
            outcome: outcome?,
        })
    }

    fn ignore(&mut self, entry: &Entry) -> Option<Outcome> {
        let said = entry.table.is_some()
            || entry.format.is_some()
            || entry.mode.is_some()
            || entry.create.is_some()
            || entry.expect_every.is_some()
            || !entry.options.is_empty();
        if said {
            self.problem(
                self.place,
                "ignore: true leaves no room for a table; take one of them out".to_owned(),
            );
        }
        Some(Outcome::Ignore)
    }

    fn target(&mut self, entry: &Entry, regex: Option<&KeyRegex>, regex_known: bool) -> Option<Outcome> {
        let options = self.options(entry);
        let limits = self.limits(entry);
        let expect_every = self.expect_every(entry);
        let Some(text) = &entry.table else {
            self.problem(
                self.place,
                "neither table nor ignore: true; say what becomes of its objects".to_owned(),
            );
            return None;
        };
        let table = TableTemplate::parse(text.value());
        let table = table.map_err(|error| self.problem(text.place(), format!("table {error}"))).ok()?;
        let captured = |name: &&str| regex.is_some_and(|regex| regex.has_capture(name));
        if let Some(unknown) = table.captures().find(|name| !captured(name)).filter(|_| regex_known) {
            let text_of = format!("table uses ${{{unknown}}}, but match has no regex with (?<{unknown}>…)");
            self.problem(text.place(), text_of);
        }
        Some(Target { table, format: entry.format, options, limits, expect_every }.into())
    }

    /// The options, those that have fields of their own among them.
    fn options(&mut self, entry: &Entry) -> BTreeMap<String, String> {
        let mut options = entry.options.clone();
        let mut own = Vec::new();
        own.extend(entry.mode.map(|mode| ("mode".to_owned(), mode.as_str().to_owned())));
        if let Some(create) = &entry.create {
            own.extend(create.partition_by.clone().map(|text| ("create.partition-by".to_owned(), text)));
            own.extend(create.sort_by.clone().map(|text| ("create.sort-by".to_owned(), text)));
            let properties = create.properties.iter();
            own.extend(properties.map(|(name, value)| (format!("create.property.{name}"), value.clone())));
        }
        for (name, value) in own {
            if options.contains_key(&name) {
                self.problem(self.place, format!("{name} is given twice, once among options; take one out"));
            }
            options.insert(name, value);
        }
        let bytes: usize = options.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_OPTIONS_BYTES {
            let text = format!(
                "options of {bytes} bytes; they travel with each request and may have {MAX_OPTIONS_BYTES}"
            );
            self.problem(self.place, text);
        }
        options
    }

    fn limits(&mut self, entry: &Entry) -> RouteLimits {
        let (batch, light) = (&entry.batch, &entry.light);
        let max_files = batch.max_files.as_ref().map(|files| {
            if !(1..=MAX_FILES_PER_REQUEST).contains(files.value()) {
                let text =
                    format!("max-files: expected 1 to {MAX_FILES_PER_REQUEST}, was given {}", files.value());
                self.problem(files.place(), text);
            }
            *files.value()
        });
        RouteLimits {
            max_files,
            max_wait: self.time("max-wait", batch.max_wait.as_ref()),
            idle: self.time("idle", batch.idle.as_ref()),
            light_max_bytes: self.bytes("max-bytes", light.max_bytes.as_ref()),
            light_max_files: light.max_files,
            overflow: batch.overflow,
        }
    }

    fn expect_every(&mut self, entry: &Entry) -> Option<Duration> {
        self.read("expect-every", entry.expect_every.as_ref(), |text| match duration(text)? {
            time if EXPECT_EVERY.contains(&time) => Ok(time),
            _ => Err(format!("expected 1s to 7d, was given {text:?}")),
        })
    }

    fn size(&mut self, conditions: &Match) -> SizeRange {
        let Some(at) = &conditions.size else { return SizeRange::default() };
        let size = at.value();
        let range = SizeRange {
            min: self.bytes("min", size.min.as_ref()),
            max: self.bytes("max", size.max.as_ref()),
        };
        match (range.min, range.max) {
            (Some(min), Some(max)) if min > max => {
                self.problem(at.place(), format!("size: no object has {range}"));
            }
            (None, None) if size.min.is_none() && size.max.is_none() => {
                self.problem(at.place(), "size: expected min, max or both".to_owned());
            }
            _ => {}
        }
        range
    }

    fn globs(&mut self, field: &str, given: Option<&At<Vec<String>>>, default: &str) -> Vec<Glob> {
        let Some(given) = given else { return vec![Glob::new(default)] };
        if given.value().is_empty() {
            self.problem(
                given.place(),
                format!("{field}: an empty list matches nothing; leave it out to match all"),
            );
        }
        given.value().iter().map(Glob::new).collect()
    }

    fn time(&mut self, field: &str, given: Option<&At<String>>) -> Option<Duration> {
        self.read(field, given, |text| match duration(text)? {
            Duration::ZERO => Err(format!("expected a duration above zero, was given {text:?}")),
            time => Ok(time),
        })
    }

    fn bytes(&mut self, field: &str, given: Option<&At<String>>) -> Option<u64> {
        self.read(field, given, byte_size)
    }

    fn read<T>(
        &mut self,
        field: &str,
        given: Option<&At<String>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = given?;
        parse(given.value()).map_err(|error| self.problem(given.place(), format!("{field}: {error}"))).ok()
    }
}
