//! `--since` of the commands that list.

use chrono::{DateTime, TimeDelta, Utc};
use service_kit::config::duration;

/// A time, or how long ago.
pub(crate) fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = duration(text)
        .map_err(|_| "expected a time, as in 2026-01-02T03:04:05Z, or how long ago, as in 2h".to_owned())?;
    let ago = TimeDelta::from_std(ago).map_err(|error| error.to_string())?;
    Utc::now().checked_sub_signed(ago).ok_or_else(|| "that is too long ago".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_while_ago() {
        assert_eq!(since("1970-01-01T00:00:07Z").unwrap(), DateTime::from_timestamp(7, 0).unwrap());
        assert!(since("2h").unwrap() < Utc::now() - TimeDelta::minutes(119));
        assert!(since("yesterday").unwrap_err().contains("2h"));
    }
}
