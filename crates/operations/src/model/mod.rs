//! What is seen, as it travels: JSON, the same for the page, for the command line and for scripts.
//!
//! Times are UTC in RFC 3339. Ids of snapshots are texts: they are longer than the numbers that a browser holds
//! exactly. What is `null` is not known, or there is none.

mod ability;
mod change;
mod file;
mod flow;
mod heavy;
mod page;
mod problem;
mod set_aside;
mod status;
mod story;
mod table;

pub use ability::{Abilities, Ability, Permissions, UploadTarget};
pub use change::{Changed, Outcome, Redrive, RetryQuarantined, Uploaded};
pub use file::{FileLine, FileState};
pub use flow::{Stage, StageId, Unit};
pub use heavy::{HeavyAttempt, HeavyJob, HeavyState, HeavyStatus};
pub use page::{Count, Page};
pub use problem::{Problem, Severity};
pub use set_aside::{DeadLetter, Quarantined};
pub use status::{Health, Mode, SetAside, Status};
pub use story::{Announcement, InBucket, Place, Routing, Story, StoryPart, StoryVersion, VersionState};
pub use table::{CommitLine, TableStatus};
