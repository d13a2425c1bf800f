//! How much of Spark a batch gets: from its bytes and files, within bounds.

use ingest_core::IngestRequest;

/// Cores of an executor: tasks that it runs at once.
pub(super) const EXECUTOR_CORES: u32 = 2;
/// Memory of an executor: 2 GiB a task, enough to sort and write a partition of 128 MiB compressed.
pub(super) const EXECUTOR_MEMORY: &str = "4g";
/// Cores of a driver, which only plans and commits.
pub(super) const DRIVER_CORES: u32 = 1;
/// Memory of a driver; it holds the footers' and splits' metadata of all files.
const DRIVER_MEMORY: &str = "2g";
/// Memory of a driver with more files than [`MANY_FILES`].
const DRIVER_MEMORY_OF_MANY: &str = "4g";
/// Files that a small driver plans with ease.
const MANY_FILES: usize = 1_000;

/// Bytes of an object of which nobody said how large it is.
const ASSUMED_BYTES: u64 = 128 << 20;

/// What an executor is to do, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizing {
    /// Bytes for each executor; positive.
    pub bytes_per_executor: u64,
    /// Files for each executor; positive. Small files cost by the file.
    pub files_per_executor: usize,
    /// Most executors.
    pub max_executors: u32,
}

impl Default for Sizing {
    /// 2 GiB are eight rounds of two tasks, of 128 MiB each.
    fn default() -> Self {
        Self { bytes_per_executor: 2 << 30, files_per_executor: 500, max_executors: 16 }
    }
}

/// What an application asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Executors at the beginning, and at most: dynamic allocation gives back what has nothing to do.
    pub executors: u32,
    /// The driver's memory, in Spark's notation.
    pub driver_memory: &'static str,
}

impl Sizing {
    /// The size for a request.
    pub fn of(&self, request: &IngestRequest) -> Size {
        let sizes = request.objects.iter().map(|object| object.hint.size.unwrap_or(ASSUMED_BYTES));
        let bytes = sizes.fold(0, u64::saturating_add);
        let files = request.file_count();
        let by_bytes = bytes.div_ceil(self.bytes_per_executor.max(1));
        let by_files = files.div_ceil(self.files_per_executor.max(1)) as u64;
        let wanted = u32::try_from(by_bytes.max(by_files)).unwrap_or(u32::MAX);
        Size {
            executors: wanted.clamp(1, self.max_executors.max(1)),
            driver_memory: if files > MANY_FILES { DRIVER_MEMORY_OF_MANY } else { DRIVER_MEMORY },
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestDefaults, RequestedObject};

    use super::*;

    fn request(sizes: impl IntoIterator<Item = Option<u64>>) -> IngestRequest {
        let objects = sizes.into_iter().enumerate().map(|(n, size)| RequestedObject {
            uri: ObjectUri::parse(&format!("s3://b/{n}")).unwrap(),
            hint: ObjectHint { size, ..ObjectHint::default() },
        });
        let table = RequestDefaults::default().table;
        let objects = objects.collect();
        IngestRequest::new(table, FileFormat::Parquet, Default::default(), objects, DateTime::UNIX_EPOCH)
    }

    fn executors(sizes: impl IntoIterator<Item = Option<u64>>) -> u32 {
        Sizing::default().of(&request(sizes)).executors
    }

    #[test]
    fn bytes_and_files_count_and_the_bound_holds() {
        assert_eq!(executors([Some(0)]), 1);
        assert_eq!(executors([]), 1);
        assert_eq!(executors([Some(2 << 30)]), 1);
        assert_eq!(executors([Some(2 << 30), Some(1)]), 2);
        assert_eq!(executors((0..501).map(|_| Some(1))), 2, "small files cost by the file");
        assert_eq!(executors((0..32).map(|_| None)), 2, "of unknown size: 128 MiB each");
        assert_eq!(executors([Some(u64::MAX), Some(u64::MAX)]), 16);
    }

    #[test]
    fn many_files_take_a_larger_driver() {
        assert_eq!(Sizing::default().of(&request((0..1_000).map(Some))).driver_memory, "2g");
        assert_eq!(Sizing::default().of(&request((0..1_001).map(Some))).driver_memory, "4g");
    }
}
