//! CSV and JSON lines: text that becomes typed rows.
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | what a table or a request says of its text files |
//! | [`input`] | an object as one stream of plain UTF-8 bytes: read ahead, decompressed, its byte-order mark gone |
//! | [`window`] | a bounded view on that stream, long enough for one row |
//! | [`csv`] | from bytes to fields |
//! | [`json`] | from bytes to JSON values, and which keys a file has |
//! | [`value`] | from one value's text to one typed cell, or to the reason why not |
//! | [`column`] | cells, structs, lists and maps gathered into Arrow arrays |
//! | [`plan`] | which columns a file has, and their types |
//! | [`rejected`] | what becomes of rows that cannot be taken |
//! | [`decode`] | the whole: record batches from a file |

mod column;
mod csv;
mod decode;
mod input;
mod json;
mod options;
mod plan;
mod rejected;
mod sniff;
mod source;
mod value;
mod window;

#[cfg(test)]
mod tests;

pub use options::{BadRows, Compression, TextOptions};
pub use rejected::{Rejected, RejectedRow};
pub use sniff::sniff;
pub use source::{TextFormat, TextSource};
