//! `event-ingest rules check`.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;

use ingest_core::rules::{Problem, RulesError};
use ingest_core::{Outcome, Rule, RuleSet};
use lake::options::TableOptions;
use service_kit::rules::{RulesFileError, RulesSource};

use super::CheckArgs;

/// Writes what was found.
pub(super) fn run(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let (rules, errors) = match RulesSource::File(args.file.clone()).load() {
        Ok(rules) => {
            let errors = wrong_options(&rules);
            (Some(rules), errors)
        }
        Err(RulesFileError::Rules { wrong: RulesError { problems }, .. }) => (None, problems),
        Err(error @ RulesFileError::Read { .. }) => return Err(error.into()),
    };
    let count = rules.as_ref().map_or(0, |rules| rules.rules().len());
    let warnings = rules.as_ref().map(shadowed).unwrap_or_default();
    let file = args.file.display().to_string();
    match args.output.is_json() {
        true => {
            let found = serde_json::json!({
                "file": file, "ok": errors.is_empty(), "rules": count, "errors": errors, "warnings": warnings,
            });
            writeln!(out, "{found}")?;
        }
        false => {
            let all = errors.iter().map(|problem| ("error", problem));
            for (kind, problem) in all.chain(warnings.iter().map(|problem| ("warning", problem))) {
                writeln!(out, "{}", line(&file, kind, problem))?;
            }
            if errors.is_empty() {
                writeln!(out, "{file}: {count} rules are good")?;
            }
        }
    }
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As compilers write it, so that editors find the place.
fn line(file: &str, kind: &str, problem: &Problem) -> String {
    let number = |number: Option<u64>| number.map(|number| format!(":{number}")).unwrap_or_default();
    let rule = problem.rule.as_ref().map(|rule| format!("rule {rule}: ")).unwrap_or_default();
    format!("{file}{}{}: {kind}: {rule}{}", number(problem.line), number(problem.column), problem.text)
}

fn at(rule: &Rule, text: String) -> Problem {
    Problem { line: rule.line, column: None, rule: Some(rule.name.clone()), text }
}

/// Options that the worker would refuse with each request.
fn wrong_options(rules: &RuleSet) -> Vec<Problem> {
    let wrong = |rule: &Rule| match &rule.outcome {
        Outcome::Ignore => None,
        Outcome::Ingest(target) => {
            let error = TableOptions::of(&HashMap::new(), &target.options).err()?;
            Some(at(rule, error.to_string()))
        }
    };
    rules.rules().filter_map(wrong).collect()
}

fn shadowed(rules: &RuleSet) -> Vec<Problem> {
    let all: Vec<&Rule> = rules.rules().collect();
    let warning = |(late, early): (usize, usize)| {
        let (late, early) = (all[late], all[early]);
        let line = early.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        let text = format!(
            "it can never match: rule {}{line} takes all its objects; put it before that",
            early.name
        );
        at(late, text)
    };
    rules.shadowed().into_iter().map(warning).collect()
}
