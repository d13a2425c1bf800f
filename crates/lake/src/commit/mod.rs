//! Making rows and ledger visible in one step.

mod append;
mod history;
mod manifests;

pub use append::{Append, prepare};
pub use history::landed;
