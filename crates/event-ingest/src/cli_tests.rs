//! The command line as a whole: what every command has, and that `docs/cli.md` says the same.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Command;

use crate::commands::exit::{EXIT_DISAGREE, EXIT_INTERRUPTED, EXIT_SET_ASIDE};

/// Commands that change something: each can say what it would do.
const CHANGING: [&str; 10] = [
    "dlq redrive",
    "files retry",
    "heavy cancel",
    "heavy retry",
    "ingest",
    "ledger orphans",
    "ledger rebuild",
    "maintain",
    "reconcile",
    "replay",
];
/// Commands that only look.
const LOOKING: [&str; 14] = [
    "dlq list",
    "dlq show",
    "doctor",
    "files explain",
    "files list",
    "files show",
    "heavy list",
    "heavy show",
    "ledger verify",
    "plan",
    "rules check",
    "rules test",
    "sql",
    "status",
];
/// Commands that run until they are stopped.
const SERVING: [&str; 2] = ["console", "standalone"];
/// Commands whose output has a form of its own.
const WRITING: [&str; 2] = ["completions", "man"];

/// Every command that has none below it, under its whole name.
fn leaves() -> Vec<(String, Command)> {
    let mut cli = crate::cli::command();
    cli.build();
    let mut found = Vec::new();
    collect(&cli, "", &mut found);
    found
}

fn collect(command: &Command, above: &str, found: &mut Vec<(String, Command)>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let name = format!("{above}{}", below.get_name());
        match below.has_subcommands() {
            true => collect(below, &format!("{name} "), found),
            false => found.push((name, below.clone())),
        }
    }
}

fn flags(command: &Command) -> BTreeSet<&str> {
    command.get_arguments().filter_map(|arg| arg.get_long()).collect()
}

#[test]
fn every_command_is_of_a_known_kind_and_has_what_its_kind_has() {
    let mut known: BTreeSet<&str> =
        [&CHANGING[..], &LOOKING, &SERVING, &WRITING].concat().into_iter().collect();
    for (name, command) in leaves() {
        assert!(known.remove(name.as_str()), "{name}: say in this test whether it changes anything");
        let flags = flags(&command);
        let (changes, looks) = (CHANGING.contains(&name.as_str()), LOOKING.contains(&name.as_str()));
        assert!(!changes || flags.contains("dry-run"), "{name} changes something: it needs --dry-run");
        assert!(!(changes || looks) || flags.contains("output"), "{name} prints: it needs --output");
    }
    assert!(known.is_empty(), "there are no such commands: {known:?}");
}

#[test]
fn every_command_and_every_flag_says_what_it_is() {
    let mut cli = crate::cli::command();
    cli.build();
    let mut open = vec![cli];
    while let Some(command) = open.pop() {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let about = command.get_about().unwrap_or_default().to_string();
        assert!(!about.is_empty() && !about.ends_with('.'), "{name}: {about:?}");
        for arg in command.get_arguments() {
            let help = arg.get_help().unwrap_or_default().to_string();
            assert!(!help.is_empty() && !help.ends_with('.'), "{name} {}: {help:?}", arg.get_id());
        }
        open.extend(command.get_subcommands().filter(|below| below.get_name() != "help").cloned());
    }
}

#[test]
fn the_docs_list_every_command_and_exit_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let docs = std::fs::read_to_string(path).unwrap();
    let row = |(name, command): &(String, Command)| {
        let dry_run = if CHANGING.contains(&name.as_str()) { "yes" } else { "" };
        format!("| `{name}` | {} | {dry_run} |\n", command.get_about().unwrap_or_default())
            .replace("|  |", "| |")
    };
    let expected: String = leaves().iter().map(row).collect();
    assert!(docs.contains(&expected), "docs/cli.md should hold these lines:\n{expected}");
    for code in [0, 1, 2, EXIT_SET_ASIDE, EXIT_DISAGREE, EXIT_INTERRUPTED] {
        assert!(docs.contains(&format!("\n| {code} | ")), "docs/cli.md lacks exit status {code}");
    }
}

#[test]
fn completions_and_manual_pages_are_made_of_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &[&str]| crate::cli::main(line.iter().map(Into::into));
    let pages = folder.path().join("man1");
    assert_eq!(
        run(&["event-ingest", "man", "--folder", pages.to_str().unwrap()]),
        std::process::ExitCode::SUCCESS
    );
    for (name, command) in leaves() {
        let page = pages.join(format!("event-ingest-{}.1", name.replace(' ', "-")));
        let page =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        let flags = flags(&command);
        assert!(flags.iter().any(|flag| page.contains(&flag.replace('-', "\\-"))), "{name}: {page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let mut script = Vec::new();
        let shell = crate::commands::completions::CompletionsArgs { shell: shell.parse().unwrap() };
        crate::commands::completions::run(&mut crate::cli::command(), &shell, &mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        for word in ["redrive", "start-after", "doctor"] {
            assert!(script.contains(word), "{word} is missing for {:?}", shell.shell);
        }
    }
}
