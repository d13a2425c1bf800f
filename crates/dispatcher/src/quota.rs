//! How many batches have a line of their own in the log: a thousand of them a second help nobody, and cost a tenth of
//! the work.

/// Lines between two renewals, which are a second apart.
const LINES: u32 = 100;

/// Lines that are left.
#[derive(Debug)]
pub(crate) struct Quota {
    left: u32,
    unsaid: u64,
}

impl Quota {
    /// All of them.
    pub fn new() -> Self {
        Self { left: LINES, unsaid: 0 }
    }

    /// Whether there is one more.
    pub fn take(&mut self) -> bool {
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.unsaid += u64::from(!taken);
        taken
    }

    /// Begins anew, and says how often there was none.
    pub fn renew(&mut self) -> u64 {
        std::mem::replace(self, Self::new()).unsaid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_counted() {
        let mut quota = Quota::new();
        let taken = (0..LINES + 5).filter(|_| quota.take()).count();
        assert_eq!(taken, LINES as usize);
        assert_eq!(quota.renew(), 5);
        assert!(quota.take());
        assert_eq!(quota.renew(), 0);
    }
}
