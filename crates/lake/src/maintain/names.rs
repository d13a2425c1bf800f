//! Names of the files that an attempt to commit leaves, and of data files: which of them are ours, and whose attempt's.

use uuid::Uuid;

/// What a file is to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A data file. Deleted first: the others tell of it.
    Data,
    /// A table metadata file.
    Metadata,
    /// A manifest.
    Manifest,
    /// A manifest list.
    ManifestList,
    /// A ledger head.
    Head,
    /// A ledger run. Deleted last: without it nobody would know of the attempt.
    Run,
}

impl Kind {
    /// The name for people and machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Metadata => "metadata",
            Self::Manifest => "manifest",
            Self::ManifestList => "manifest-list",
            Self::Head => "ledger-head",
            Self::Run => "ledger-run",
        }
    }
}

/// The snapshot id in the name of a run: `<snapshot id>-<uuid>.parquet`.
pub(super) fn run(name: &str) -> Option<i64> {
    attempt(name.strip_suffix(".parquet")?)
}

/// The snapshot id in the name of a head: `<snapshot id>-<uuid>.json`.
pub(super) fn head(name: &str) -> Option<i64> {
    attempt(name.strip_suffix(".json")?)
}

/// The snapshot id in the name of a manifest list (`snap-<snapshot id>-1-<uuid>.avro`) or of a manifest of ours
/// (`<snapshot id>-<uuid>-m<number>.avro`).
pub(super) fn metadata(name: &str) -> Option<(Kind, i64)> {
    let name = name.strip_suffix(".avro")?;
    if let Some(rest) = name.strip_prefix("snap-") {
        let (id, rest) = rest.split_once('-')?;
        let (_, uuid) = rest.split_once('-')?;
        Uuid::parse_str(uuid).ok()?;
        return Some((Kind::ManifestList, id.parse().ok()?));
    }
    let (name, number) = name.rsplit_once("-m")?;
    number.parse::<u32>().ok()?;
    Some((Kind::Manifest, attempt(name)?))
}

/// The version in the name of a table metadata file: `<version>-<uuid>.metadata.json`, or with `.gz` before the ending.
pub(super) fn version(name: &str) -> Option<u64> {
    let name = name.strip_suffix(".metadata.json")?;
    let (version, uuid) = name.strip_suffix(".gz").unwrap_or(name).split_once('-')?;
    Uuid::parse_str(uuid).ok()?;
    version.parse().ok()
}

/// Whether a data file has a name as we give it in this table: `<table uuid>-<uuid of version 7>.parquet`. A folder
/// may be shared with other tables (of another catalog, or made anew under an old name) and other writers: their files
/// look like nobody's from here, and must not be taken for ours.
pub(super) fn is_data(name: &str, table: Uuid) -> bool {
    let own = name.strip_suffix(".parquet").and_then(|name| name.strip_prefix(&format!("{table}-")));
    own.and_then(|own| Uuid::try_parse(own).ok()).is_some_and(|own| own.get_version_num() == 7)
}

/// The last part of a path or URL.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn attempt(name: &str) -> Option<i64> {
    let (id, uuid) = name.split_once('-')?;
    Uuid::parse_str(uuid).ok()?;
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0192f0c1-2d3e-4a5b-8c6d-7e8f90a1b2c3";

    #[test]
    fn the_files_of_an_attempt_name_its_snapshot() {
        assert_eq!(run(&format!("42-{UUID}.parquet")), Some(42));
        assert_eq!(head(&format!("42-{UUID}.json")), Some(42));
        assert_eq!(metadata(&format!("snap-42-1-{UUID}.avro")), Some((Kind::ManifestList, 42)));
        assert_eq!(metadata(&format!("42-{UUID}-m3.avro")), Some((Kind::Manifest, 42)));
    }

    #[test]
    fn files_of_others_name_nothing() {
        for name in ["merged-x.parquet", "x.parquet", "42.parquet"] {
            assert_eq!(run(name), None, "{name}");
        }
        assert_eq!(run(&format!("merged-{UUID}.parquet")), None);
        assert_eq!(metadata(&format!("{UUID}-m0.avro")), None);
        assert_eq!(metadata("00001-a.metadata.json"), None);
    }

    #[test]
    fn table_metadata_is_counted() {
        assert_eq!(version(&format!("00041-{UUID}.metadata.json")), Some(41));
        assert_eq!(version(&format!("00041-{UUID}.gz.metadata.json")), Some(41));
        assert_eq!(version("v3.metadata.json"), None);
    }

    #[test]
    fn only_our_data_files_are_taken_for_ours() {
        let (table, own) = (Uuid::new_v4(), Uuid::now_v7());
        assert!(is_data(&format!("{table}-{own}.parquet"), table));
        for name in [
            format!("{own}.parquet"),
            format!("{table}-{}.parquet", Uuid::new_v4()),
            format!("{}-{own}.parquet", Uuid::new_v4()),
            format!("00000-0-{own}.parquet"),
        ] {
            assert!(!is_data(&name, table), "{name}");
        }
    }
}
