//! The spark launcher: owns heavy requests until every object of them is in the table or set aside.

mod backend;
pub mod operator;

pub use backend::{Attempt, AttemptName, AttemptState, Backend, BackendError};
