//! The project's markdown: links lead somewhere, and a name that is linked to a source file stands in it.
//!
//! Only links within the project are followed. `docs/faults.md` names the test behind each of its promises as a link
//! from the test's name to its file, so that a test that is renamed or removed is noticed here.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails with the line that says so")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::{fs, iter};

/// Folders that hold no page of ours.
const FOREIGN: [&str; 3] = ["target", "node_modules", "__pycache__"];
/// Source files in which a linked name is looked for.
const SOURCES: [&str; 3] = ["rs", "py", "sh"];
/// Fewer pages than there are: the walk has gone astray.
const FEWEST_PAGES: usize = 40;

struct Link {
    text: String,
    target: String,
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = pages();
    assert!(pages.len() >= FEWEST_PAGES, "only {} pages were found", pages.len());
    let mut broken = Vec::new();
    for (page, text) in &pages {
        for Link { target, .. } in links(text).iter().filter(|link| is_ours(&link.target)) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.clone() } else { page.with_file_name("").join(file) };
            let Some(file) = inside(&path).filter(|file| root().join(file).exists()) else {
                broken.push(format!("{}: there is no {target}", page.display()));
                continue;
            };
            if !anchor.is_empty() && pages.get(&file).is_some_and(|text| !anchors(text).contains(anchor)) {
                broken.push(format!("{}: {target} names no heading", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn names_that_are_linked_to_source_files_stand_in_them() {
    let mut broken = Vec::new();
    for (page, text) in pages() {
        for Link { text, target } in links(&text) {
            let Some(name) = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) else { continue };
            let is_name = name.chars().all(in_word);
            let is_source =
                Path::new(&target).extension().is_some_and(|end| SOURCES.iter().any(|s| end == *s));
            if is_ours(&target) && is_name && is_source {
                let file = root().join(page.with_file_name("").join(&target));
                // A link that leads nowhere is the other test's matter.
                let source = fs::read_to_string(file).unwrap_or_else(|_| name.to_owned());
                if !source.split(|c| !in_word(c)).any(|word| word == name) {
                    broken.push(format!("{}: {target} has no {name}", page.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every page of the project by its path from the root, without the folders whose names begin with a dot.
fn pages() -> BTreeMap<PathBuf, String> {
    let (root, mut folders, mut pages) = (root(), vec![PathBuf::new()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = folder.join(&name);
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.insert(path, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    pages
}

fn is_ours(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:")
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The paragraphs of a page, each as one line, without what stands in fences.
fn paragraphs(page: &str) -> Vec<String> {
    let (mut fenced, mut paragraphs) = (false, vec![String::new()]);
    for line in page.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fence || line.trim().is_empty() {
            paragraphs.push(String::new());
        } else if !fenced {
            let paragraph = paragraphs.last_mut().unwrap();
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    paragraphs
}

/// Links as `[text](target)`, of which this project has no other form. What stands in code is none.
fn links(page: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for paragraph in paragraphs(page) {
        let (mut code, mut opened) = (false, Vec::new());
        for (at, c) in paragraph.char_indices() {
            match c {
                '`' => code = !code,
                '[' if !code => opened.push(at + 1),
                ']' if !code => {
                    let Some(from) = opened.pop() else { continue };
                    let Some(rest) = paragraph[at + 1..].strip_prefix('(') else { continue };
                    let Some((target, _)) = rest.split_once(')') else { continue };
                    let target = target.split_whitespace().next().unwrap_or_default().to_owned();
                    links.push(Link { text: paragraph[from..at].to_owned(), target });
                }
                _ => {}
            }
        }
    }
    links
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let (mut anchors, mut fenced) = (BTreeSet::new(), false);
    for line in page.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        let anchor: String = heading.trim().to_lowercase().chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let numbered = (1..).map(|n| format!("{anchor}-{n}"));
        let free = iter::once(anchor.clone()).chain(numbered).find(|a| !anchors.contains(a));
        anchors.insert(free.unwrap());
    }
    anchors
}

/// The path without `.` and `..`; none if it leaves the project.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if !inside.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            part => inside.push(part),
        }
    }
    Some(inside)
}
