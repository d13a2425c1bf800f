//! How ledger files are called, below their table's folder. A name is given once and never again.

use uuid::Uuid;

/// Folder of heads.
pub(super) const HEADS: &str = "heads";
/// Folder of runs.
pub(super) const RUNS: &str = "runs";

/// What a ledger file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The list of runs, written for the snapshot with this id.
    Head(i64),
    /// The entries of the attempt with this snapshot id. Whether it succeeded, only the table can tell.
    Run(i64),
    /// The entries of several runs.
    Merged,
}

impl FileKind {
    /// What the file at `path` is; `None` if it is none of ours.
    pub fn of(path: &str) -> Option<Self> {
        let (folder, name) = path.split_once('/')?;
        let (name, suffix) = name.split_once('.')?;
        let (made_for, uuid) = name.split_once('-')?;
        Uuid::try_parse(uuid).ok()?;
        match (folder, suffix, made_for) {
            (HEADS, "json", id) => id.parse().ok().map(Self::Head),
            (RUNS, "parquet", "merged") => Some(Self::Merged),
            (RUNS, "parquet", id) => id.parse().ok().map(Self::Run),
            _ => None,
        }
    }

    /// The snapshot id that the file was written for.
    pub fn snapshot_id(self) -> Option<i64> {
        match self {
            Self::Head(id) | Self::Run(id) => Some(id),
            Self::Merged => None,
        }
    }
}

/// A path for the head of a commit attempt.
pub(super) fn head(snapshot_id: i64) -> String {
    format!("{HEADS}/{snapshot_id}-{}.json", Uuid::new_v4())
}

/// A path for the run of a commit attempt.
pub(super) fn run(snapshot_id: i64) -> String {
    format!("{RUNS}/{snapshot_id}-{}.parquet", Uuid::new_v4())
}

/// A path for a merged run.
pub(super) fn merged() -> String {
    format!("{RUNS}/merged-{}.parquet", Uuid::new_v4())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_the_files_are() {
        assert_eq!(FileKind::of(&head(7)), Some(FileKind::Head(7)));
        assert_eq!(FileKind::of(&run(i64::MAX)), Some(FileKind::Run(i64::MAX)));
        assert_eq!(FileKind::of(&merged()), Some(FileKind::Merged));
    }

    #[test]
    fn what_is_not_ours_has_no_kind() {
        let uuid = Uuid::nil();
        for path in [
            "x".to_owned(),
            format!("runs/5-{uuid}.json"),
            format!("runs/x-{uuid}.parquet"),
            format!("heads/merged-{uuid}.json"),
            format!("quarantine/5-{uuid}.json"),
            "runs/5-x.parquet".to_owned(),
            format!("runs/a/5-{uuid}.parquet"),
        ] {
            assert_eq!(FileKind::of(&path), None, "{path}");
        }
    }
}
