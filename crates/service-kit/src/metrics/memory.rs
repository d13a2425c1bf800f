//! How much memory the process may take, where its container bounds it: what an alert compares its memory with.

use std::fs::read_to_string;

use super::{Metric, Metrics};

/// The bound.
pub const MEMORY_LIMIT: Metric = Metric {
    name: "memory_limit_bytes",
    help: "Memory that the container of this process may take; not there if it has no bound.",
    labels: &[],
};

/// Where a container finds its own bound: version 2 and version 1 of control groups.
const FILES: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// What version 1 says where there is no bound is about 2^63; no machine has so much memory.
const NO_BOUND: i64 = 1 << 60;

/// Shows the bound, if there is one. It does not change while a container runs.
pub(super) fn register(metrics: &Metrics) {
    if let Some(limit) = FILES.iter().find_map(|file| read_to_string(file).ok()).and_then(|text| limit(&text))
    {
        metrics.gauge(&MEMORY_LIMIT).set(limit);
    }
}

/// The bound that a file tells: a number of bytes, or `max`.
fn limit(text: &str) -> Option<i64> {
    text.trim().parse().ok().filter(|limit| (1..NO_BOUND).contains(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_number_that_memory_can_have() {
        assert_eq!(limit("268435456\n"), Some(268_435_456));
        for none in ["max\n", "9223372036854771712\n", "0", ""] {
            assert_eq!(limit(none), None, "{none:?}");
        }
    }
}
