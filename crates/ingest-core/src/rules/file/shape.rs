//! The shape of the file. The comments of the fields are the descriptions in `docs/rules.schema.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::{FileFormat, Unmatched, batching::Overflow};

/// A value, and where it stands.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct At<T>(Spanned<T>);

impl<T> At<T> {
    pub fn value(&self) -> &T {
        &self.0.value
    }

    pub fn place(&self) -> Location {
        self.0.referenced
    }
}

/// Rules for new objects: the first that matches an object decides what becomes of it.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "event-ingest rules"))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// What becomes of objects that no rule matches, or whose format cannot be told: counted and passed over, or their record set aside. Not given: the service's own setting.
    pub unmatched: Option<Unmatched>,
    /// The rules, most particular first.
    pub rules: Vec<At<Entry>>,
}

/// A rule: what it matches, and either a table or `ignore: true`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Rule"))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    /// What logs and `event-ingest rules` call it; its number if not given.
    pub name: Option<At<String>>,
    /// Which objects: all of these conditions have to hold. Not given: every new object.
    #[serde(default, rename = "match")]
    pub conditions: Match,
    /// These objects are passed over.
    #[serde(default)]
    pub ignore: bool,
    /// The table, as namespace.name; `${capture}` is what the regex captured in the key, without dots.
    pub table: Option<At<String>>,
    /// The format; told by the suffix of each key if not given.
    pub format: Option<FileFormat>,
    /// How files get into the table; the table's own setting if not given.
    pub mode: Option<Mode>,
    /// Options that override the table's own, by their names there without `event-ingest.`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, super::tests::Scalar>"))]
    pub options: BTreeMap<String, String>,
    /// What a table is like that is made for these objects.
    pub create: Option<Create>,
    /// How long it may take until the next of these objects comes, as in `1h`, `1s` to `7d`; the metrics say it, and an alert goes by it.
    #[cfg_attr(test, schemars(with = "Option<super::tests::Amount>"))]
    pub expect_every: Option<At<String>>,
    /// When batches of these objects close; the service's own settings where nothing is given.
    #[serde(default)]
    pub batch: Batch,
    /// Which batches go to the light worker; the service's own settings where nothing is given.
    #[serde(default)]
    pub light: Light,
}

/// Conditions; all that are given have to hold.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Match {
    /// One of these buckets; `*` stands for any run of characters.
    pub buckets: Option<At<Vec<String>>>,
    /// The key begins with this.
    #[serde(default)]
    pub prefix: String,
    /// The key ends with this.
    #[serde(default)]
    pub suffix: String,
    /// The whole key is of this pattern; `*` stands for any run of characters, slashes among them.
    pub glob: Option<String>,
    /// The whole key matches this regular expression. `(?<name>…)` captures what `table` may use.
    pub regex: Option<At<String>>,
    /// One of these events, such as `ObjectCreated:Put`; `*` stands for any run of characters. Not given: `ObjectCreated:*`.
    pub events: Option<At<Vec<String>>>,
    /// The object's size.
    pub size: Option<At<Size>>,
}

/// A range of sizes, both ends included. An object whose size nobody told is in none.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Size {
    /// Not smaller than this, as in `1` or `64KiB`.
    #[cfg_attr(test, schemars(with = "Option<super::tests::Amount>"))]
    pub min: Option<At<String>>,
    /// Not larger than this, as in `5GB`.
    #[cfg_attr(test, schemars(with = "Option<super::tests::Amount>"))]
    pub max: Option<At<String>>,
}

/// How files get into the table.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Auto,
    Splice,
    Rewrite,
    Register,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Splice => "splice",
            Self::Rewrite => "rewrite",
            Self::Register => "register",
        }
    }
}

/// What a table is like that is made for these objects; one that is there stays as it is.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Create {
    /// Its partition fields, as in `day(ts), bucket(16, id), region`.
    pub partition_by: Option<String>,
    /// Its sort order, as in `ts desc, id asc nulls last`.
    pub sort_by: Option<String>,
    /// Its properties.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, super::tests::Scalar>"))]
    pub properties: BTreeMap<String, String>,
}

/// When a batch closes.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Batch {
    /// At this many files.
    #[cfg_attr(test, schemars(with = "Option<usize>", range(min = 1, max = 10_000)))]
    pub max_files: Option<At<usize>>,
    /// This long after its first file was taken in, as in `500ms`, `30s` or `5m`.
    #[cfg_attr(test, schemars(with = "Option<super::tests::Amount>"))]
    pub max_wait: Option<At<String>>,
    /// When no file came for this long.
    #[cfg_attr(test, schemars(with = "Option<super::tests::Amount>"))]
    pub idle: Option<At<String>>,
    /// What becomes of one that would leave the light limits: it fills up and goes to the heavy lane, or it closes first.
    pub overflow: Option<Overflow>,
}

/// Which batches are light.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Light {
    /// Those smaller than this, as in `500MB`.
    #[cfg_attr(test, schemars(with = "Option<super::tests::Amount>"))]
    pub max_bytes: Option<At<String>>,
    /// Those of at most this many files.
    pub max_files: Option<usize>,
}
