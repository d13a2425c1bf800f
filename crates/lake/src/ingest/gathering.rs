//! When a group that waits for company sets off: a rule without I/O.

use std::time::Duration;

/// Requests that share a commit at most.
pub(super) const MAX_REQUESTS: usize = 128;
/// Objects that share a commit at most, but for a single request with more.
pub(super) const MAX_OBJECTS: usize = 10_000;
/// How long a finished request waits for others that are still being written.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(1);

/// Whether a group sets off now. A lone request never waits; one that is not alone waits for those that are on
/// their way already, but not for long and not for a crowd.
pub(super) fn sets_off(requests: usize, objects: usize, on_their_way: usize, waited: Duration) -> bool {
    on_their_way == 0 || requests >= MAX_REQUESTS || objects >= MAX_OBJECTS || waited >= MAX_WAIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_request_does_not_wait() {
        assert!(sets_off(1, 1, 0, Duration::ZERO));
    }

    #[test]
    fn company_is_waited_for_within_bounds() {
        assert!(!sets_off(1, 1, 3, MAX_WAIT / 2));
        assert!(sets_off(1, 1, 3, MAX_WAIT));
        assert!(sets_off(MAX_REQUESTS, MAX_REQUESTS, 3, Duration::ZERO));
        assert!(sets_off(2, MAX_OBJECTS, 3, Duration::ZERO));
    }
}
