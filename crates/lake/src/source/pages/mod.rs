//! Pages as they stand in a file: their headers, and whether those of a column chunk add up. Nothing is decoded.

mod header;
mod walk;

#[cfg(test)]
pub(crate) use header::Page;
pub(crate) use header::{MAX_HEADER, PageHeader};
pub(crate) use walk::{ChunkWalk, Expected, Fault, Walked};
