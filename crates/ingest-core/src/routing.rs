//! Light or heavy.

use crate::event;

/// Which worker a batch goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The light worker: appended within milliseconds.
    Light,
    /// The heavy path: a Spark job.
    Heavy,
}

impl Lane {
    /// The name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Heavy => "heavy",
        }
    }

    /// The type of the CloudEvent that carries a request on this lane.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Light => event::TYPE_LIGHT,
            Self::Heavy => event::TYPE_HEAVY,
        }
    }
}

/// What the light worker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LightLimits {
    /// A light batch is smaller than this, in bytes.
    pub max_bytes: u64,
    /// A light batch has at most this many files.
    pub max_files: usize,
}

impl Default for LightLimits {
    fn default() -> Self {
        Self { max_bytes: 500_000_000, max_files: 200 }
    }
}

impl LightLimits {
    /// The lane of a batch. Unknown sizes count as nothing: the worker looks for itself.
    pub fn lane(&self, bytes: u64, files: usize) -> Lane {
        if bytes < self.max_bytes && files <= self.max_files { Lane::Light } else { Lane::Heavy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_exact() {
        let limits = LightLimits::default();
        assert_eq!(limits.lane(499_999_999, 200), Lane::Light);
        assert_eq!(limits.lane(500_000_000, 1), Lane::Heavy);
        assert_eq!(limits.lane(0, 201), Lane::Heavy);
        assert_eq!(limits.lane(0, 0), Lane::Light);
    }
}
