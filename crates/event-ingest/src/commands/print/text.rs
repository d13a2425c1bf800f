//! Values as people read them.

use chrono::{DateTime, Utc};

/// Text of strangers for a terminal: control characters would move its cursor.
pub(crate) fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), " ")
}

/// The same on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A point in time to the second, in UTC; `-` if there is none.
pub(crate) fn time(time: impl Into<Option<DateTime<Utc>>>) -> String {
    time.into().map_or_else(|| "-".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A number with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size in bytes, rounded to a unit that people read.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let Some(largest) = UNITS.iter().enumerate().rev().find(|(power, _)| bytes >> (10 * (power + 1)) > 0)
    else {
        return format!("{bytes} B");
    };
    let (power, unit) = largest;
    let tenths = (u128::from(bytes) * 10) >> (10 * (power + 1));
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_enough_to_be_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1_023, 1_024, 1_600, 5 << 30, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB", "16383.9 PiB"]
        );
    }

    #[test]
    fn strangers_do_not_move_the_cursor() {
        assert_eq!(one_line("a\tb\u{1b}[2J\n"), "a b [2J ");
        assert_eq!(printable("a\tb\u{1b}[2J\n"), "a\tb [2J\n");
    }
}
