//! Waiting for a condition.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits until `probe` gives a value, looking again and again; panics with `what` when it has not by the deadline. A
/// look that takes longer than that is given up.
///
/// This waits on a condition that can be observed. It is no way to give something time to happen, nor to show that it
/// does not: for that, wait for something that comes after it.
pub async fn eventually<T>(what: &str, deadline: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Ok(Some(value)) = timeout_at(end, probe()).await {
            return value;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn gives_the_first_value() {
        let looks = Cell::new(0);
        let value = eventually("the third look", Duration::from_secs(10), async || {
            looks.set(looks.get() + 1);
            (looks.get() == 3).then_some("seen")
        })
        .await;
        assert_eq!((value, looks.get()), ("seen", 3));
    }

    #[tokio::test]
    #[should_panic(expected = "not within 0ns: the moon is blue")]
    async fn names_what_did_not_happen() {
        eventually("the moon is blue", Duration::ZERO, async || None::<()>).await;
    }

    #[tokio::test]
    #[should_panic(expected = "not within 1ms: an answer")]
    async fn a_look_that_never_ends_is_given_up() {
        eventually("an answer", Duration::from_millis(1), async || {
            std::future::pending::<Option<()>>().await
        })
        .await;
    }
}
