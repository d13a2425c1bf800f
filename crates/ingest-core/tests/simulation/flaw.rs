//! What can be wrong on purpose.

/// A mistake of whoever drives the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// What is handed to the producer counts as acknowledged.
    CommittedBeforeAcknowledged,
    /// The position behind the last record read is committed, past open batches.
    PastOpenBatches,
    /// Records stay in open batches when their partition goes to somebody else.
    KeptAfterRevocation,
    /// A report that something did not arrive counts as one that it did.
    FailureIsSuccess,
    /// Reports for a process that died count for its successor.
    ReportsOfAnotherLife,
    /// The machine is told that the source went back, and it did not.
    WentBackInWordsOnly,
    /// Nobody goes back to what was let go of.
    NeverGoesBack,
    /// A topic that was deleted and made anew is read on from the old position.
    ReplacementUnnoticed,
    /// A position that was committed for a deleted topic counts for its successor.
    PositionOfAnotherTopic,
    /// Nobody tells the machine of commits that failed.
    FailedCommitForgotten,
}

impl Flaw {
    pub const ALL: [Flaw; 10] = [
        Flaw::CommittedBeforeAcknowledged,
        Flaw::PastOpenBatches,
        Flaw::KeptAfterRevocation,
        Flaw::FailureIsSuccess,
        Flaw::ReportsOfAnotherLife,
        Flaw::WentBackInWordsOnly,
        Flaw::NeverGoesBack,
        Flaw::ReplacementUnnoticed,
        Flaw::PositionOfAnotherTopic,
        Flaw::FailedCommitForgotten,
    ];

    /// What it leads to.
    pub fn breaks(self) -> &'static str {
        match self {
            Flaw::KeptAfterRevocation => "ownership",
            Flaw::NeverGoesBack | Flaw::FailedCommitForgotten => "progress",
            _ => "invariant 1",
        }
    }
}
