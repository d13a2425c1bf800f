//! How large batches are, as far as their files were announced with sizes.

use ingest_core::{IngestRequest, Lane};
use prometheus::HistogramVec;

use super::{Metric, Metrics, SIZE_BUCKETS};

/// Buckets for files in a batch: the default of a full one, what the light lane takes, and what no batch exceeds are among
/// them.
pub const BATCH_FILES_BUCKETS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 1_000.0, 10_000.0];

/// Files and bytes of batches, by lane. Clones share them.
#[derive(Debug, Clone)]
pub struct BatchSizes {
    files: HistogramVec,
    bytes: HistogramVec,
}

impl BatchSizes {
    /// Registers both metrics, whose one label is the lane. Once in a process.
    pub fn new(metrics: &Metrics, files: &Metric, bytes: &Metric) -> Self {
        Self {
            files: metrics.histograms(files, BATCH_FILES_BUCKETS),
            bytes: metrics.histograms(bytes, SIZE_BUCKETS),
        }
    }

    /// A batch became this request.
    pub fn observe(&self, lane: Lane, request: &IngestRequest) {
        self.files.with_label_values(&[lane.as_str()]).observe(request.file_count() as f64);
        self.bytes.with_label_values(&[lane.as_str()]).observe(request.total_bytes() as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::Utc;
    use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject, TableName};

    use super::*;

    #[test]
    fn files_and_announced_bytes_are_counted_by_lane() {
        let metric = |name| Metric { name, help: "Sizes.", labels: &["lane"] };
        let metrics = Metrics::new();
        let sizes = BatchSizes::new(&metrics, &metric("batch_files"), &metric("batch_bytes"));
        let object = |key, size| RequestedObject {
            uri: ObjectUri::new("b", key).expect("valid"),
            hint: ObjectHint { size, ..ObjectHint::default() },
        };
        let objects = vec![object("a", Some(4_000_000)), object("b", Some(1_000_000)), object("c", None)];
        let table = TableName::parse("db.t").expect("valid");
        let request = IngestRequest::new(table, FileFormat::Csv, BTreeMap::new(), objects, Utc::now());
        sizes.observe(Lane::Light, &request);
        let page = metrics.page();
        for line in [
            "event_ingest_batch_files_bucket{lane=\"light\",le=\"2\"} 0",
            "event_ingest_batch_files_bucket{lane=\"light\",le=\"5\"} 1",
            "event_ingest_batch_files_sum{lane=\"light\"} 3",
            "event_ingest_batch_bytes_bucket{lane=\"light\",le=\"1000000\"} 0",
            "event_ingest_batch_bytes_bucket{lane=\"light\",le=\"5000000\"} 1",
            "event_ingest_batch_bytes_sum{lane=\"light\"} 5000000",
        ] {
            assert!(page.lines().any(|shown| shown == line), "missing {line} in\n{page}");
        }
        assert!(!page.contains("heavy"), "{page}");
    }
}
