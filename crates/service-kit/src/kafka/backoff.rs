//! Delays between attempts: exponential, jittered, bounded.

use std::time::Duration;

use rand::Rng;

/// The shortest and the longest delay between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffLimits {
    /// Before the second attempt, jitter aside.
    pub first: Duration,
    /// However many attempts there were.
    pub longest: Duration,
}

impl Default for BackoffLimits {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), longest: Duration::from_secs(30) }
    }
}

/// The delays of one record.
#[derive(Debug)]
pub(crate) struct Backoff {
    limits: BackoffLimits,
    attempts: u32,
}

impl Backoff {
    pub fn new(limits: BackoffLimits) -> Self {
        Self { limits, attempts: 0 }
    }

    /// Attempts that failed so far.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next delay: half of it is fixed, half is chance (`rng`), so that what failed together does not come again
    /// together. At least `floor`, if the failure asked for it.
    pub fn next(&mut self, floor: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let doubled = self.limits.first.saturating_mul(2u32.saturating_pow(self.attempts.min(31)));
        self.attempts = self.attempts.saturating_add(1);
        let delay = doubled.min(self.limits.longest);
        let jittered = delay.mul_f64(0.5 + 0.5 * rng.random::<f64>());
        jittered.max(floor.unwrap_or_default().min(self.limits.longest))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn delays_grow_to_their_bound_and_respect_the_floor() {
        let limits = BackoffLimits { first: Duration::from_millis(100), longest: Duration::from_secs(10) };
        let mut backoff = Backoff::new(limits);
        let mut rng = StdRng::seed_from_u64(1);
        for attempt in 0..100u32 {
            let full = limits.longest.min(limits.first * 2u32.pow(attempt.min(20)));
            let delay = backoff.next(None, &mut rng);
            assert!(delay >= full / 2 && delay <= full, "attempt {attempt}: {delay:?} of {full:?}");
        }
        assert_eq!(backoff.attempts(), 100);
        let mut fresh = Backoff::new(limits);
        assert_eq!(fresh.next(Some(Duration::from_secs(3)), &mut rng), Duration::from_secs(3));
        assert_eq!(fresh.next(Some(Duration::from_secs(60)), &mut rng), limits.longest);
    }
}
