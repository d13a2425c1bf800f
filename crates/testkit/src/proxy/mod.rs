//! Lines that fail in the worst way: [`HttpProxy`] before a REST catalog, [`PostgresProxy`] before a database.
//!
//! A test plans faults, and the commits that come by meet them in that order; everything else passes. Nothing here
//! depends on time: a request that is held back goes on when the test says so, or when the next commit arrives.

mod http;
mod messages;
mod postgres;

pub use http::HttpProxy;
pub use postgres::PostgresProxy;

/// What happens to a commit on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server makes it, and the client is told this HTTP status. Before a database the line is cut.
    Answer(u16),
    /// The server makes it, and the line is cut instead of an answer.
    Cut,
    /// The server is asked twice, and the client gets the second answer. HTTP alone.
    Repeat,
    /// The line is cut before the server has heard of it.
    Lose,
    /// The client is told 504, or its line is cut. The server hears of it when the test says so.
    Hold,
    /// The same, but the server hears of it when the next commit comes by, and that one only afterwards.
    Overtake,
}
