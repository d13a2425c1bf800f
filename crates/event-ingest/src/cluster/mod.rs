//! A cluster as an operator meets it: services around Kafka, told from outside. No pod is asked: what waits is the
//! difference of Kafka's end offsets and the groups' positions, what came in stands in the tables, what Spark does in the
//! heavy records. So it is the same whoever runs the services, and still there while they are down.
//!
//! | module | what it is |
//! |---|---|
//! | `args` | the flags |
//! | `lanes` | what waits in the topics |
//! | `letters` | dead letters: seen, sent back |
//! | `stores` | whether stores answer, and how soon |
//! | `watched` | the tables that are watched |
//! | `problems` | what is wrong, told from all of these |
//! | `story` | one object in full |
//! | `again` | set-aside objects requested again |
//! | `plant` | these together as a [`Plant`](operations::Plant) |

mod again;
mod args;
mod lanes;
mod letters;
mod plant;
mod problems;
mod stores;
mod story;
mod watched;

use std::future::Future;
use std::time::Duration;

pub use args::ClusterArgs;
pub use plant::ClusterPlant;

use crate::overview;

/// Longest wait for one part of a status. What does not answer by then is a problem in it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer, or why there is none in time.
async fn within<T, E: ToString>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    overview::within(PATIENCE, work).await
}
