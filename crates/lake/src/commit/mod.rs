//! Making rows and ledger visible in one step.
//!
//! [`protocol`] decides what is done in which order, [`append`](prepare) what a commit contains, and
//! [`landed`] whether one was made.

mod append;
mod history;
mod manifests;
pub mod protocol;

pub use append::{Append, commit_of, prepare};
pub use history::landed;
