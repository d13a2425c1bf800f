//! Which type a column's texts show, none of which may lose anything by it.

use arrow_schema::{DataType, TimeUnit};

use super::number::{Shape, shape};
use super::times::Times;

/// The kinds of text that were seen in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Seen(u16);

const BOOLEAN: u16 = 1;
const NARROW: u16 = 1 << 1;
const WIDE: u16 = 1 << 2;
const DOUBLE: u16 = 1 << 3;
/// Words for doubles without digits. They make no double column by themselves: `nan` is bread, too.
const SPECIAL: u16 = 1 << 4;
const DATE: u16 = 1 << 5;
const LOCAL: u16 = 1 << 6;
const ZONED: u16 = 1 << 7;
const OTHER: u16 = 1 << 8;

impl Seen {
    /// Takes in a text that may be of any type.
    pub(in super::super) fn text(&mut self, text: &str, times: &Times) {
        // Once it is a column of texts it stays one.
        if self.0 & OTHER == 0 {
            self.0 |= kind(text, times);
        }
    }

    /// Takes in a text that is no number and no boolean, since it is quoted where those are not.
    pub(in super::super) fn quoted(&mut self, text: &str, times: &Times) {
        if self.0 & OTHER == 0 {
            self.0 |= time_kind(text, times).unwrap_or(OTHER);
        }
    }

    /// Whether nothing but nulls was seen.
    pub(in super::super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The type that holds all of it.
    pub(in super::super) fn data_type(self) -> DataType {
        const LONG: u16 = NARROW | WIDE;
        const FRACTION: u16 = NARROW | DOUBLE | SPECIAL;
        let only = |kinds: u16| self.0 != 0 && self.0 & !kinds == 0;
        // Spelt otherwise than the zone that stands for INT96, which fits columns without zone too.
        let utc = || Some("+0000".into());
        match self.0 {
            _ if only(BOOLEAN) => DataType::Boolean,
            _ if only(LONG) => DataType::Int64,
            seen if only(FRACTION) && seen & (NARROW | DOUBLE) != 0 => DataType::Float64,
            _ if only(DATE) => DataType::Date32,
            _ if only(LOCAL) => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ if only(ZONED) => DataType::Timestamp(TimeUnit::Microsecond, utc()),
            _ => DataType::Utf8,
        }
    }
}

fn kind(text: &str, times: &Times) -> u16 {
    let first = text.as_bytes().first().copied().unwrap_or(b' ');
    if first.is_ascii_alphabetic() && text.len() <= 8 {
        let word = text.to_ascii_lowercase();
        match word.as_str() {
            "true" | "false" => return BOOLEAN,
            "nan" | "inf" | "infinity" => return SPECIAL,
            _ => {}
        }
    }
    if matches!(text, "-inf" | "-Inf" | "-Infinity" | "-INF") {
        return SPECIAL;
    }
    // A pattern may make times of what looks like a number.
    if (times.date.is_some() || times.timestamp.is_some())
        && let Some(kind) = time_kind(text, times)
    {
        return kind;
    }
    if !matches!(first, b'0'..=b'9' | b'-' | b'.') {
        return OTHER;
    }
    match shape(text) {
        Some(Shape::Narrow) => NARROW,
        Some(Shape::Wide) => WIDE,
        Some(Shape::Double) => DOUBLE,
        None => time_kind(text, times).unwrap_or(OTHER),
    }
}

fn time_kind(text: &str, times: &Times) -> Option<u16> {
    // A pattern may take bare digits for times. Whether they are some, only the table can say.
    if text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if times.date(text).is_some() {
        return Some(DATE);
    }
    let stamp = times.stamp(text)?;
    let offset = stamp.offset.or(times.zone);
    // What is finer than a table holds stays a text.
    stamp.count(TimeUnit::Microsecond, offset.unwrap_or(0)).ok()?;
    Some(if offset.is_some() { ZONED } else { LOCAL })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(texts: &[&str]) -> DataType {
        let mut seen = Seen::default();
        for text in texts {
            seen.text(text, &Times::default());
        }
        seen.data_type()
    }

    #[test]
    fn bare_digits_are_numbers_whatever_a_pattern_makes_of_them() {
        for pattern in ["%s", "%Y%m%d"] {
            let times = Times { timestamp: Times::pattern(pattern), ..Times::default() };
            let kind = |text: &str| {
                let mut seen = Seen::default();
                seen.text(text, &times);
                seen.data_type()
            };
            assert_eq!(kind("20200102"), DataType::Int64, "{pattern}");
            assert_eq!(kind("00200102"), DataType::Utf8, "{pattern}");
            let mut seen = Seen::default();
            seen.quoted("20200102", &times);
            assert_eq!(seen.data_type(), DataType::Utf8, "{pattern}");
        }
    }

    #[test]
    fn the_type_holds_every_text_that_was_seen() {
        let timestamp = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        let cases: [(&[&str], DataType); 18] = [
            (&[], DataType::Utf8),
            (&["true", "False"], DataType::Boolean),
            (&["1", "-2"], DataType::Int64),
            (&["1", "2.5"], DataType::Float64),
            (&["1", "NaN", "-inf"], DataType::Float64),
            (&["NaN"], DataType::Utf8),
            (&["9007199254740993", "1"], DataType::Int64),
            (&["9007199254740993", "1.5"], DataType::Utf8),
            (&["99999999999999999999"], DataType::Utf8),
            (&["1", "007"], DataType::Utf8),
            (&["1", "true"], DataType::Utf8),
            (&["2020-01-01"], DataType::Date32),
            (&["2020-01-01T00:00:00"], timestamp(None)),
            (&["2020-01-01 00:00:00Z"], timestamp(Some("+0000"))),
            (&["2020-01-01T00:00:00", "2020-01-01 00:00:00Z"], DataType::Utf8),
            (&["2020-01-01", "2020-01-01 00:00:00"], DataType::Utf8),
            (&["2020-01-01 00:00:00.123456789"], DataType::Utf8),
            (&["2020-01-01", "x"], DataType::Utf8),
        ];
        for (texts, expected) in cases {
            assert_eq!(seen(texts), expected, "{texts:?}");
        }
    }
}
