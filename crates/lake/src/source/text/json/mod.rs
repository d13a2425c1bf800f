//! JSON lines: one object a line.

mod keys;
mod parser;
mod rows;

pub(super) use keys::{Keys, Limits};
pub(super) use parser::{Json, Kind, LIST, OBJECT};
pub(super) use rows::Rows;
