//! Prometheus metrics, passed around rather than global. Each service lists its own as [`Metric`] constants.

mod batches;
mod memory;
mod tables;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

pub use batches::{BATCH_FILES_BUCKETS, BatchSizes};
pub use memory::MEMORY_LIMIT;
pub use tables::{MAX_TABLES, OTHER_TABLES, TableLabels};

/// What the name of every metric begins with, `process_*` aside.
pub const NAMESPACE: &str = "event_ingest";

/// Buckets for durations in seconds, from a millisecond to ten minutes.
pub const DURATION_BUCKETS: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0,
    300.0, 600.0,
];

/// Buckets for sizes in bytes, from ten kilobytes to a hundred gigabytes. What is too large for the light lane by default is
/// one of the bounds.
pub const SIZE_BUCKETS: &[f64] = &[
    10_000.0,
    100_000.0,
    1_000_000.0,
    5_000_000.0,
    20_000_000.0,
    100_000_000.0,
    500_000_000.0,
    2_000_000_000.0,
    10_000_000_000.0,
    100_000_000_000.0,
];

/// A metric's name without the namespace, its help text and its labels.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// `<name>_<unit>[_total]`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Label names, in the order in which values are given.
    pub labels: &'static [&'static str],
}

impl Metric {
    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help).namespace(NAMESPACE)
    }
}

/// The metrics of one process. Clones share the registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Each of the constructors below may be called once for a metric: a second call is a programming error and panics.
impl Metrics {
    /// A registry with the `process_*` metrics (resident memory, CPU seconds, file descriptors, start time), and how much
    /// memory there may be.
    pub fn new() -> Self {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("the registry is empty");
        let metrics = Self { registry };
        memory::register(&metrics);
        metrics
    }

    /// A counter without labels.
    pub fn counter(&self, metric: &Metric) -> IntCounter {
        self.register(IntCounter::with_opts(metric.opts()).expect("metric constants are well formed"))
    }

    /// A counter for each combination of label values.
    pub fn counters(&self, metric: &Metric) -> IntCounterVec {
        self.register(
            IntCounterVec::new(metric.opts(), metric.labels).expect("metric constants are well formed"),
        )
    }

    /// A gauge without labels.
    pub fn gauge(&self, metric: &Metric) -> IntGauge {
        self.register(IntGauge::with_opts(metric.opts()).expect("metric constants are well formed"))
    }

    /// A gauge for each combination of label values.
    pub fn gauges(&self, metric: &Metric) -> IntGaugeVec {
        self.register(
            IntGaugeVec::new(metric.opts(), metric.labels).expect("metric constants are well formed"),
        )
    }

    /// A histogram without labels; `buckets` are upper bounds in the metric's unit, ascending.
    pub fn histogram(&self, metric: &Metric, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts { common_opts: metric.opts(), buckets: buckets.to_vec() };
        self.register(Histogram::with_opts(opts).expect("metric constants are well formed"))
    }

    /// A histogram for each combination of label values; `buckets` as above.
    pub fn histograms(&self, metric: &Metric, buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts { common_opts: metric.opts(), buckets: buckets.to_vec() };
        self.register(HistogramVec::new(opts, metric.labels).expect("metric constants are well formed"))
    }

    /// The page that Prometheus reads, in its text format.
    pub fn page(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("gathered metrics can be written as text")
    }

    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.registry.register(Box::new(collector.clone())).expect("a metric is made once in a process");
        collector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: Metric = Metric { name: "requests_total", help: "Requests.", labels: &["outcome"] };

    #[test]
    fn the_page_shows_namespaced_and_process_metrics() {
        let metrics = Metrics::new();
        metrics.counters(&REQUESTS).with_label_values(&["done"]).inc_by(3);
        let page = metrics.page();
        assert!(page.contains("event_ingest_requests_total{outcome=\"done\"} 3"), "{page}");
        #[cfg(target_os = "linux")]
        assert!(page.contains("\nprocess_resident_memory_bytes "), "{page}");
    }
}
