//! What an operator sees, and may do.
//!
//! | module | what it is |
//! |---|---|
//! | [`model`] | what is seen: a status with its problems, tables, the story of an object, what was set aside |
//! | [`plant`] | [`Plant`]: whoever can tell it and change it, a server in one process or a whole cluster |
//! | [`api`] | the same over HTTP, described by an OpenAPI document |
//! | [`console`] | a web page over that |
//!
//! No Kafka, no tables and no store in here: those belong to the plants.

pub mod api;
pub mod console;
pub mod model;
pub mod plant;

pub use plant::{Plant, PlantError};
