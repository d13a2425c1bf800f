//! One rule: conditions, and what becomes of the objects that meet them.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{KeyRegex, Subject, TableTemplate};
use crate::{FileFormat, Glob, batching::RouteLimits};

/// Where a rule sends objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The table, perhaps with parts of the key in its name.
    pub table: TableTemplate,
    /// The format; `None` takes it from each key's suffix.
    pub format: Option<FileFormat>,
    /// Options that override the table's own.
    pub options: BTreeMap<String, String>,
    /// How its batches differ from the others.
    pub limits: RouteLimits,
    /// Someone should be told if no object came for this long. Nothing is decided by it.
    pub expect_every: Option<Duration>,
}

impl Target {
    /// This table, and all else as it is by default.
    pub fn new(table: impl Into<TableTemplate>) -> Self {
        Self {
            table: table.into(),
            format: None,
            options: BTreeMap::new(),
            limits: RouteLimits::default(),
            expect_every: None,
        }
    }
}

/// What becomes of an object that meets a rule's conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    Ignore,
    /// Its rows come into a table.
    Ingest(Target),
}

impl From<Target> for Outcome {
    fn from(target: Target) -> Self {
        Self::Ingest(target)
    }
}

/// Sizes in bytes, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SizeRange {
    /// Not smaller than this.
    pub min: Option<u64>,
    /// Not larger than this.
    pub max: Option<u64>,
}

impl SizeRange {
    /// Whether a size is in it. One that nobody told is in the range that has no end, and in no other.
    fn holds(self, size: Option<u64>) -> bool {
        match size {
            Some(size) => self.min.is_none_or(|min| min <= size) && self.max.is_none_or(|max| size <= max),
            None => self == Self::default(),
        }
    }
}

/// A rule. All its conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// The line of the file where it begins, if it comes from one.
    pub line: Option<u64>,
    /// Buckets; any of them.
    pub buckets: Vec<Glob>,
    /// The key begins with this.
    pub prefix: String,
    /// The key ends with this.
    pub suffix: String,
    /// The whole key is of this pattern.
    pub glob: Option<Glob>,
    /// The whole key matches this expression.
    pub regex: Option<KeyRegex>,
    /// Event names without `s3:`, such as `ObjectCreated:*`; any of them.
    pub events: Vec<Glob>,
    /// The object's size.
    pub size: SizeRange,
    /// What becomes of such an object.
    pub outcome: Outcome,
}

/// One of the conditions of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its buckets.
    Bucket,
    /// How keys begin.
    Prefix,
    /// How keys end.
    Suffix,
    /// A pattern of keys.
    Glob,
    /// A regular expression of keys.
    Regex,
    /// Its events.
    Event,
    /// Sizes.
    Size,
}

impl Rule {
    /// A rule for every new object of every bucket.
    pub fn all(outcome: impl Into<Outcome>) -> Self {
        Self {
            name: "all".to_owned(),
            line: None,
            buckets: vec![Glob::new("*")],
            prefix: String::new(),
            suffix: String::new(),
            glob: None,
            regex: None,
            events: vec![Glob::new("ObjectCreated:*")],
            size: SizeRange::default(),
            outcome: outcome.into(),
        }
    }

    /// A pattern of events, as S3 spells them or not, as announcements spell them once they are read: without `s3:`.
    pub fn event(pattern: &Glob) -> Glob {
        let pattern = pattern.to_string();
        Glob::new(pattern.strip_prefix("s3:").unwrap_or(&pattern))
    }

    /// The first condition that an object does not meet; `None` if it meets all. What is cheap to ask is asked first.
    pub fn fails(&self, subject: &Subject<'_>) -> Option<Condition> {
        let key = subject.uri.key();
        let any = |globs: &[Glob], text: &str| globs.iter().any(|glob| glob.matches(text));
        if !key.starts_with(&self.prefix) {
            Some(Condition::Prefix)
        } else if !key.ends_with(&self.suffix) {
            Some(Condition::Suffix)
        } else if !any(&self.buckets, subject.uri.bucket()) {
            Some(Condition::Bucket)
        } else if subject.event.is_some_and(|event| !any(&self.events, event)) {
            Some(Condition::Event)
        } else if !self.size.holds(subject.size) {
            Some(Condition::Size)
        } else if self.glob.as_ref().is_some_and(|glob| !glob.matches(key)) {
            Some(Condition::Glob)
        } else if self.regex.as_ref().is_some_and(|regex| !regex.matches(key)) {
            Some(Condition::Regex)
        } else {
            None
        }
    }

    /// A condition of this rule that an object does not meet, in words.
    pub fn why(&self, condition: Condition, subject: &Subject<'_>) -> String {
        let list = |globs: &[Glob]| globs.iter().map(Glob::to_string).collect::<Vec<_>>().join(", ");
        match condition {
            Condition::Bucket => {
                format!("bucket {:?} is none of {}", subject.uri.bucket(), list(&self.buckets))
            }
            Condition::Prefix => format!("key does not begin with {:?}", self.prefix),
            Condition::Suffix => format!("key does not end with {:?}", self.suffix),
            Condition::Glob => {
                format!("key is not of glob {}", self.glob.as_ref().map(Glob::to_string).unwrap_or_default())
            }
            Condition::Regex => {
                let regex = self.regex.as_ref().map(KeyRegex::as_str).unwrap_or_default();
                format!("key as a whole does not match regex {regex}")
            }
            Condition::Event => {
                format!("event {} is none of {}", subject.event.unwrap_or_default(), list(&self.events))
            }
            Condition::Size => match subject.size {
                Some(size) => format!("size {size} is not {}", self.size),
                None => format!("size is not told, and has to be {}", self.size),
            },
        }
    }
}

impl fmt::Display for SizeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) => write!(f, "{min} to {max} bytes"),
            (Some(min), None) => write!(f, "{min} bytes or more"),
            (None, Some(max)) => write!(f, "{max} bytes or less"),
            (None, None) => f.write_str("any"),
        }
    }
}

impl Condition {
    /// Its name in a file of rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "buckets",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
            Self::Glob => "glob",
            Self::Regex => "regex",
            Self::Event => "events",
            Self::Size => "size",
        }
    }
}
