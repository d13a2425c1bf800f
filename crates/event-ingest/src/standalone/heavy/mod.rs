//! Heavy batches: read by this process like all others, or, where there is Spark, by Spark, over the launcher's records.
//!
//! | module | what it is |
//! |---|---|
//! | [`args`] | the flags |
//! | [`find`] | whether there is Spark |
//! | `config` | what `spark-submit` is told of this process |
//! | `lane` | the launcher in this process, and where its jobs post |
//! | `unowned` | what it is about is not lost |

pub mod args;
mod config;
pub mod find;
mod lane;
mod unowned;

pub(super) use lane::{SparkLane, publisher};
pub(super) use unowned::Unowned;
