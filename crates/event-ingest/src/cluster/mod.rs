//! A cluster as an operator meets it: services around Kafka, told from outside. No pod is asked: what waits is the
//! difference of Kafka's end offsets and the groups' positions, what came in stands in the tables, what Spark does in the
//! heavy records. So it is the same whoever runs the services, and still there while they are down.
//!
//! | module | what it is |
//! |---|---|
//! | `args` | the flags |
//! | `lanes` | what waits in the topics |
//! | `letters` | dead letters: seen, sent back |
//! | `heavy` | requests of the heavy path |
//! | `stores` | whether stores answer, and how soon |
//! | `tables` | the tables that are watched |
//! | `problems` | what is wrong, told from all of these |
//! | `files` | lists of objects, one of them in full |
//! | `again` | set-aside objects requested again |
//! | `plant` | these together as a [`Plant`](operations::Plant) |

mod again;
mod args;
mod files;
mod heavy;
mod lanes;
mod letters;
mod plant;
mod problems;
mod stores;
mod tables;

use std::future::Future;
use std::time::Duration;

pub use args::ClusterArgs;
pub use plant::ClusterPlant;

/// Longest wait for one part of a status. What does not answer by then is a problem in it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer, or why there is none in time.
async fn within<T, E: ToString>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
