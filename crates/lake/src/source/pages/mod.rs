//! Pages as they stand in a file: their headers, and whether those of a column chunk add up. Nothing is decoded.

mod header;
mod walk;

pub(crate) use header::{MAX_HEADER, Page, PageHeader};
pub(crate) use walk::{ChunkWalk, Expected, Fault, Walked};
