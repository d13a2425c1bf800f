//! What a person may do about a record.

use lake::Result;

use super::Record;
use super::documents::Note;
use super::names::Mark;
use super::store::Records;

impl Records {
    /// Lets a record that was given up try again: its attempts so far count no more.
    ///
    /// # Errors
    /// The store does not answer; it may be given up still.
    pub async fn retry(&self, record: &Record, note: &Note) -> Result<()> {
        self.mark(&record.id, Mark::Retried, record.number(), note).await?;
        for number in self.listed(&record.id).await?.numbers(Mark::Failed, record.first) {
            self.unmark(&record.id, Mark::Failed, number).await?;
        }
        Ok(())
    }

    /// Ends a record: its attempt is stopped by the next scan. What is in the table stays there.
    ///
    /// # Errors
    /// The store does not answer; it may be cancelled or not.
    pub async fn cancel(&self, record: &Record, note: &Note) -> Result<()> {
        self.mark(&record.id, Mark::Cancelled, record.first, note).await.map(|_| ())
    }
}
