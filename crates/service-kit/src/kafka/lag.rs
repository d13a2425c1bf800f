//! How far a consumer is behind, by partition: what librdkafka's statistics tell, as gauges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use prometheus::IntGaugeVec;
use rdkafka::Statistics;

use crate::metrics::{Metric, Metrics};

/// The property, and its default, that has librdkafka tell it. A consumer without it shows no lag.
pub const LAG_STATISTICS: (&str, &str) = ("statistics.interval.ms", "5000");

/// Partitions from this number on share a gauge: series are memory, here and in Prometheus. The number decides, not which
/// ones are owned, so that there are no more series after a hundred rebalances.
pub const MAX_PARTITIONS: i32 = 256;

/// The label of those together.
pub const OTHER_PARTITIONS: &str = "other";

/// The lag of the partitions that a consumer owns. Clones share it.
#[derive(Debug, Clone)]
pub struct Lag {
    gauges: IntGaugeVec,
    owned: Arc<Mutex<Owned>>,
}

#[derive(Debug, Default)]
struct Owned {
    partitions: BTreeSet<i32>,
    /// Of those, the ones of which it is known.
    lags: BTreeMap<i32, i64>,
}

impl Lag {
    /// Registers the metric, whose one label is the partition. Once in a process.
    pub fn new(metrics: &Metrics, metric: &Metric) -> Self {
        Self { gauges: metrics.gauges(metric), owned: Arc::default() }
    }

    /// Partitions that are ours from now on. Their lag is shown once it is known.
    pub fn assigned(&self, partitions: &[i32]) {
        self.change(|owned| {
            owned.partitions.extend(partitions);
            // What was known of an earlier time is not so any more.
            owned.lags.retain(|partition, _| !partitions.contains(partition));
        });
    }

    /// Partitions that are no longer ours: their lag is another's to show.
    pub fn gone(&self, partitions: &[i32]) {
        self.change(|owned| {
            owned.partitions.retain(|partition| !partitions.contains(partition));
            owned.lags.retain(|partition, _| !partitions.contains(partition));
        });
    }

    /// What librdkafka says of the topic now. It may have said so before the last partition came or went.
    pub fn told(&self, statistics: &Statistics, topic: &str) {
        let told = statistics.topics.get(topic).map(|topic| &topic.partitions);
        self.change(|owned| {
            let lag = |partition: &i32| Some((*partition, told?.get(partition)?.consumer_lag));
            // Below zero: the group has no position there, or the end of the partition is not known.
            owned.lags = owned.partitions.iter().filter_map(lag).filter(|(_, lag)| *lag >= 0).collect();
        });
    }

    /// Shows what is known after a change, and no more what no longer is.
    fn change(&self, change: impl FnOnce(&mut Owned)) {
        let mut owned = self.owned.lock().expect("no holder of this lock panics");
        let before = shown(&owned.lags);
        change(&mut owned);
        let after = shown(&owned.lags);
        for (label, lag) in &after {
            self.gauges.with_label_values(&[label]).set(*lag);
        }
        for label in before.keys().filter(|label| !after.contains_key(*label)) {
            // It was shown, so it is there.
            let _ = self.gauges.remove_label_values(&[label]);
        }
    }
}

/// Lags by label.
fn shown(lags: &BTreeMap<i32, i64>) -> BTreeMap<String, i64> {
    let mut shown = BTreeMap::new();
    for (partition, lag) in lags {
        let own = (*partition < MAX_PARTITIONS).then(|| partition.to_string());
        *shown.entry(own.unwrap_or_else(|| OTHER_PARTITIONS.to_owned())).or_insert(0) += lag;
    }
    shown
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::{Partition, Topic};

    use super::*;

    const LAG: Metric = Metric { name: "lag_records", help: "Lag.", labels: &["partition"] };

    fn statistics(lags: &[(i32, i64)]) -> Statistics {
        let partition = |(partition, consumer_lag): &(i32, i64)| {
            (*partition, Partition { consumer_lag: *consumer_lag, ..Partition::default() })
        };
        let topic = Topic { partitions: lags.iter().map(partition).collect(), ..Topic::default() };
        Statistics { topics: [("t".to_owned(), topic)].into(), ..Statistics::default() }
    }

    /// Each gauge that the page shows, by its label.
    fn page(metrics: &Metrics) -> BTreeMap<String, i64> {
        let page = metrics.page();
        let gauges =
            page.lines().filter_map(|line| line.strip_prefix("event_ingest_lag_records{partition=\""));
        let gauges = gauges.map(|gauge| gauge.split_once("\"} ").expect("a value"));
        gauges.map(|(label, lag)| (label.to_owned(), lag.parse().expect("a number"))).collect()
    }

    fn lags(lags: &[(&str, i64)]) -> BTreeMap<String, i64> {
        lags.iter().map(|(label, lag)| ((*label).to_owned(), *lag)).collect()
    }

    #[test]
    fn partitions_are_shown_while_they_are_ours() {
        let metrics = Metrics::new();
        let lag = Lag::new(&metrics, &LAG);
        lag.assigned(&[0, 1, 2]);
        assert_eq!(page(&metrics), lags(&[]), "nothing is known yet");
        // Of 2 there is no position, and 3 is another's.
        let told = statistics(&[(-1, 9), (0, 7), (1, 5), (2, -1), (3, 4)]);
        lag.told(&told, "t");
        assert_eq!(page(&metrics), lags(&[("0", 7), ("1", 5)]));
        lag.gone(&[1]);
        assert_eq!(page(&metrics), lags(&[("0", 7)]));
        lag.told(&told, "t");
        assert_eq!(page(&metrics), lags(&[("0", 7)]), "said before it went");
        lag.told(&statistics(&[(0, 0)]), "t");
        assert_eq!(page(&metrics), lags(&[("0", 0)]));
        lag.told(&statistics(&[(0, 3)]), "another");
        assert_eq!(page(&metrics), lags(&[]), "nothing is known of the topic");
        lag.told(&told, "t");
        lag.assigned(&[0]);
        assert_eq!(page(&metrics), lags(&[]), "it comes anew");
    }

    #[test]
    fn partitions_beyond_the_bound_share_a_gauge() {
        let metrics = Metrics::new();
        let lag = Lag::new(&metrics, &LAG);
        let partitions: Vec<i32> = (0..2 * MAX_PARTITIONS).collect();
        lag.assigned(&partitions);
        let all: Vec<(i32, i64)> = partitions.iter().map(|partition| (*partition, 1)).collect();
        lag.told(&statistics(&all), "t");
        let shown = page(&metrics);
        assert_eq!(shown.len(), MAX_PARTITIONS as usize + 1);
        assert_eq!(shown[OTHER_PARTITIONS], i64::from(MAX_PARTITIONS));
        assert_eq!(shown.values().sum::<i64>(), 2 * i64::from(MAX_PARTITIONS), "none is left out of a sum");
        lag.gone(&partitions[MAX_PARTITIONS as usize..]);
        assert!(!page(&metrics).contains_key(OTHER_PARTITIONS));
    }
}
