//! CSV as RFC 4180 has it, and what programs make of it.

mod rows;
mod split;

pub(super) use rows::{Field, Fields, Rows};
