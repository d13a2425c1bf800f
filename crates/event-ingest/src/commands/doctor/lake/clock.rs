//! Whether the clocks here and there agree: ages of files decide what may be deleted, and signed requests are refused
//! where they differ by a quarter of an hour.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::finding::{Check, Finding};

/// A difference that nobody has to care for. Stores tell whole seconds.
const TOLERATED: TimeDelta = TimeDelta::seconds(5);
/// A difference that makes ages wrong: half the hour below which nothing is ever deleted.
const TOO_LARGE: TimeDelta = TimeDelta::minutes(10);
/// How long a catalog may take to say what time it is.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// What another clock said between two looks at ours.
pub(super) fn judge(
    check: &Check,
    before: DateTime<Utc>,
    theirs: DateTime<Utc>,
    after: DateTime<Utc>,
) -> Finding {
    // Seconds that were cut off are no difference.
    let ahead = theirs - after;
    let behind = before - (theirs + TimeDelta::seconds(1));
    let off = ahead.max(behind).max(TimeDelta::zero());
    let seconds = off.num_seconds();
    let detail = format!("it is {seconds} s {} of this one", if ahead > behind { "ahead" } else { "behind" });
    if off <= TOLERATED {
        return check.ok("agrees with this one");
    }
    let mend = "let NTP set both clocks";
    if off < TOO_LARGE { check.warn(detail, mend) } else { check.fail(detail, mend) }
}

/// The clock of a catalog that speaks HTTP, by the date of any answer.
pub(super) async fn of_catalog(uri: &str) -> Option<Finding> {
    let check = Check::of("clock", "catalog");
    if !uri.starts_with("http") {
        return None;
    }
    let before = Utc::now();
    let asked = async {
        let client = reqwest::Client::builder().timeout(ANSWERS_WITHIN).build().ok()?;
        let answer = client.get(format!("{}/v1/config", uri.trim_end_matches('/'))).send().await.ok()?;
        let date = answer.headers().get(http::header::DATE)?.to_str().ok()?.to_owned();
        DateTime::parse_from_rfc2822(&date).ok()
    };
    let theirs = asked.await;
    let after = Utc::now();
    Some(match theirs {
        Some(theirs) => judge(&check, before, theirs.to_utc(), after),
        None => check.skipped("its answers carry no date"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        let now = DateTime::from_timestamp(1_000_000, 900_000_000).unwrap();
        let of = |seconds: i64| {
            let theirs = DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap();
            judge(&Check::of("clock", "store"), now, theirs, now + TimeDelta::milliseconds(20))
        };
        assert_eq!(of(0).state, State::Ok, "whole seconds are told");
        assert_eq!((of(5).state, of(-5).state), (State::Ok, State::Ok));
        let ahead = of(60);
        assert!(ahead.state == State::Warn && ahead.detail.contains("59 s ahead"), "{ahead:?}");
        let behind = of(-3600);
        assert!(behind.state == State::Fail && behind.detail.contains("behind"), "{behind:?}");
    }
}
