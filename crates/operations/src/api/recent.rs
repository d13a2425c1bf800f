//! One status for all who look at the same time: many open pages cost as much as one.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::Plant;
use crate::model::Status;

/// For how long a status is given to others.
const FRESH: Duration = Duration::from_secs(1);

/// The last status. Who finds it too old makes a new one, and the others wait for that.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Option<(Instant, Status)>>);

impl Recent {
    pub(super) async fn of(&self, plant: &dyn Plant) -> Status {
        let mut last = self.0.lock().await;
        match &*last {
            Some((taken, status)) if taken.elapsed() < FRESH => status.clone(),
            _ => {
                let status = plant.status().await.judged();
                *last = Some((Instant::now(), status.clone()));
                status
            }
        }
    }
}
