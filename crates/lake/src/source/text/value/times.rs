//! Dates, times and timestamps as text.

use arrow_schema::TimeUnit;
use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike};

/// Days from the first of January of the year 1 to that of 1970, as chrono counts.
const EPOCH_DAY: i32 = 719_163;
const SECONDS_A_DAY: i64 = 86_400;
const NANOS_PER_SECOND: u32 = 1_000_000_000;
/// Digits of a fraction that are looked at: nanoseconds.
const FRACTION_DIGITS: usize = 9;
/// Seconds that a zone may be off UTC: less than a day.
const MAX_OFFSET: i32 = 86_399;

/// A pattern of strftime.
pub(in super::super) type Pattern = Vec<Item<'static>>;

/// How dates and timestamps are written; ISO 8601 unless said otherwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in super::super) struct Times {
    pub(in super::super) date: Option<Pattern>,
    pub(in super::super) timestamp: Option<Pattern>,
    /// Seconds that the clock of timestamps without a zone is ahead of UTC.
    pub(in super::super) zone: Option<i32>,
}

/// A reading of a calendar and a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Seconds since 1970 on that clock.
    seconds: i64,
    nanos: u32,
    /// Seconds that the clock is ahead of UTC, where the text says so.
    pub(super) offset: Option<i32>,
}

impl Times {
    /// Reads a pattern; none if it is none.
    pub(in super::super) fn pattern(text: &str) -> Option<Pattern> {
        StrftimeItems::new(text).parse_to_owned().ok()
    }

    /// Reads the name of a zone: `UTC` or an offset.
    pub(in super::super) fn zone(text: &str) -> Option<i32> {
        if text == "UTC" { Some(0) } else { offset(text) }
    }

    /// Days since 1970.
    pub(super) fn date(&self, text: &str) -> Option<i32> {
        let date = match &self.date {
            None => iso_date(text.as_bytes())?,
            Some(pattern) => parsed(text, pattern)?.to_naive_date().ok()?,
        };
        Some(days(date))
    }

    /// A timestamp as the text has it.
    pub(super) fn stamp(&self, text: &str) -> Option<Stamp> {
        let Some(pattern) = &self.timestamp else { return iso_stamp(text) };
        let parsed = parsed(text, pattern)?;
        // A count of seconds is one since 1970 in UTC, whatever the clocks around say.
        let offset = parsed.offset().or(parsed.timestamp().map(|_| 0));
        let time: NaiveDateTime = match parsed.to_naive_datetime_with_offset(offset.unwrap_or(0)) {
            Ok(time) => time,
            // A pattern of a date alone means its first moment.
            Err(_) if parsed.hour_mod_12().is_none() => parsed.to_naive_date().ok()?.and_hms_opt(0, 0, 0)?,
            Err(_) => return None,
        };
        // A leap second, which no table holds.
        (time.nanosecond() < NANOS_PER_SECOND).then(|| stamp(time, offset))
    }
}

impl Stamp {
    /// Counts since 1970, on a clock that the text's own is `offset` seconds ahead of.
    ///
    /// # Errors
    /// The unit is too coarse, or the count too large.
    pub(super) fn count(self, unit: TimeUnit, offset: i32) -> Result<i64, &'static str> {
        let seconds = self.seconds - i64::from(offset);
        let (per_second, nanos) = per(unit);
        if !self.nanos.is_multiple_of(nanos) {
            return Err("the table holds no fraction that fine");
        }
        seconds
            .checked_mul(per_second)
            .and_then(|count| count.checked_add(i64::from(self.nanos / nanos)))
            .ok_or("the table holds no time that far from 1970")
    }
}

/// Units in a second, and nanoseconds in a unit.
fn per(unit: TimeUnit) -> (i64, u32) {
    match unit {
        TimeUnit::Second => (1, 1_000_000_000),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1),
    }
}

/// Microseconds since midnight.
pub(super) fn time(text: &str) -> Option<i64> {
    let (seconds, nanos, rest) = clock(text.as_bytes())?;
    let whole = nanos.is_multiple_of(1_000) && rest.is_empty();
    whole.then(|| seconds * 1_000_000 + i64::from(nanos / 1_000))
}

fn parsed(text: &str, pattern: &Pattern) -> Option<Parsed> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, pattern.iter()).ok()?;
    Some(parsed)
}

fn days(date: NaiveDate) -> i32 {
    chrono::Datelike::num_days_from_ce(&date) - EPOCH_DAY
}

fn stamp(time: NaiveDateTime, offset: Option<i32>) -> Stamp {
    let utc: DateTime<chrono::Utc> = time.and_utc();
    Stamp { seconds: utc.timestamp(), nanos: time.nanosecond(), offset }
}

/// `YYYY-MM-DD`.
fn iso_date(text: &[u8]) -> Option<NaiveDate> {
    let [a, b, c, d, b'-', e, f, b'-', g, h] = text else { return None };
    let year = number(&[*a, *b, *c, *d])?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[*e, *f])?, number(&[*g, *h])?)
}

/// `YYYY-MM-DD`, a `T` or a blank, `HH:MM`, perhaps `:SS` and a fraction, perhaps a zone.
fn iso_stamp(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(10)?;
    let date = iso_date(date)?;
    let [b'T' | b't' | b' ', rest @ ..] = rest else { return None };
    let (seconds, nanos, rest) = clock(rest)?;
    let zone = &text[text.len() - rest.len()..];
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    let offset = match zone {
        "" if rest.is_empty() => None,
        "Z" | "z" | "UTC" => Some(0),
        zone => Some(offset(zone)?),
    };
    Some(Stamp { seconds: i64::from(days(date)) * SECONDS_A_DAY + seconds, nanos, offset })
}

/// `HH:MM`, perhaps `:SS`, perhaps a fraction: seconds since midnight, nanoseconds, and what follows.
fn clock(text: &[u8]) -> Option<(i64, u32, &[u8])> {
    let [a, b, b':', c, d, rest @ ..] = text else { return None };
    let (hour, minute) = (number(&[*a, *b])?, number(&[*c, *d])?);
    let (second, nanos, rest) = match rest {
        [b':', e, f, rest @ ..] => {
            let (nanos, rest) = match rest {
                [b'.' | b',', rest @ ..] => fraction(rest)?,
                rest => (0, rest),
            };
            (number(&[*e, *f])?, nanos, rest)
        }
        rest => (0, 0, rest),
    };
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then(|| (i64::from(hour * 3_600 + minute * 60 + second), nanos, rest))
}

/// Nanoseconds, and what follows the digits. What is finer than nanoseconds has to be zero.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let (held, finer) = digits.split_at(digits.len().min(FRACTION_DIGITS));
    if held.is_empty() || finer.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let missing = u32::try_from(FRACTION_DIGITS - held.len()).ok()?;
    Some((number(held)? * 10u32.pow(missing), rest))
}

/// `+HH`, `+HHMM` or `+HH:MM`, in seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes() {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [a, b] => (number(&[*a, *b])?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
    (minutes < 60 && seconds <= MAX_OFFSET).then_some(sign * seconds)
}

/// At most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(times: &Times, text: &str) -> Option<i64> {
        let stamp = times.stamp(text)?;
        stamp.count(TimeUnit::Microsecond, stamp.offset.unwrap_or(0)).ok()
    }

    #[test]
    fn iso_timestamps_are_read_and_others_refused() {
        let iso = Times::default();
        let same = [
            "2020-01-02T03:04:05Z",
            "2020-01-02 03:04:05",
            "2020-01-02t05:04:05+02:00",
            "2020-01-02 05:04:05.000000000 +0200",
            "2020-01-01T22:04:05-05",
            "2020-01-02 03:04:05 UTC",
        ];
        for text in same {
            assert_eq!(micros(&iso, text), Some(1_577_934_245_000_000), "{text}");
        }
        assert_eq!(micros(&iso, "1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(micros(&iso, "2020-01-02T03:04:05.0000001Z"), None);
        let none = [
            "2020-01-02",
            "2020-13-02 00:00",
            "2020-02-30 00:00",
            "2020-01-02 24:00",
            "2020-01-02 00:00:60",
            "2020-01-02 00:00 ",
            "2020-01-02 00:00:00.",
            "2020-01-02 00:00+25",
            "2020-01-02 00:00:00 Mars",
            "20-01-02 00:00",
            "2020-01-0ä 00:00",
            "+020-01-02 00:00",
        ];
        for text in none {
            assert_eq!(iso.stamp(text), None, "{text}");
        }
    }

    #[test]
    fn patterns_take_the_place_of_iso() {
        let times = Times {
            date: Times::pattern("%d.%m.%Y"),
            timestamp: Times::pattern("%m/%d/%Y %I:%M %p"),
            zone: None,
        };
        assert_eq!(times.date("02.01.1970"), Some(1));
        assert_eq!(times.date("1970-01-02"), None);
        assert_eq!(micros(&times, "01/02/1970 12:30 AM"), Some(88_200_000_000));
        let counted = Times { timestamp: Times::pattern("%s"), ..Times::default() };
        assert_eq!(counted.stamp("5"), Some(Stamp { seconds: 5, nanos: 0, offset: Some(0) }));
        let seconds = Times { timestamp: Times::pattern("%Y-%m-%d %H:%M:%S"), ..Times::default() };
        assert_eq!(micros(&seconds, "1970-01-01 23:59:59"), Some(86_399_000_000));
        assert_eq!(micros(&seconds, "1970-01-01 23:59:60"), None);
        let day = Times { timestamp: Times::pattern("%Y%m%d"), ..Times::default() };
        assert_eq!(micros(&day, "19700102"), Some(86_400_000_000));
    }

    #[test]
    fn times_of_day() {
        assert_eq!(time("00:00"), Some(0));
        assert_eq!(time("23:59:59.999999"), Some(86_399_999_999));
        for text in ["24:00", "1:00", "00:00:00.0000001", "00:00Z", ""] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
