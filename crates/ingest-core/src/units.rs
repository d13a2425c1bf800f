//! Times and sizes as people write them: the same in flags, in the environment and in files.

use std::time::Duration;

/// Units of a duration, with their length in milliseconds.
const DURATION_UNITS: &[(&str, f64)] =
    &[("ms", 1.0), ("s", 1_000.0), ("m", 60_000.0), ("h", 3_600_000.0), ("d", 86_400_000.0)];

/// Units of a size, with their length in bytes.
const SIZE_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Reads a duration such as `500ms`, `30s`, `5m`, `1h` or `30d`. A plain number counts seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let millis = match scaled(text, DURATION_UNITS, 1_000.0) {
        Some(millis) if millis <= u32::MAX as f64 * 1_000.0 => millis,
        _ => {
            return Err(format!("expected a duration such as 500ms, 30s or 5m, was given {text:?}"));
        }
    };
    Ok(Duration::from_millis(millis as u64))
}

/// Reads a number of bytes such as `65536`, `64KiB`, `4MiB` or `500MB`. A plain number counts bytes.
pub fn byte_size(text: &str) -> Result<u64, String> {
    match scaled(text, SIZE_UNITS, 1.0) {
        Some(bytes) if bytes <= i64::MAX as f64 => Ok(bytes as u64),
        _ => Err(format!("expected a size such as 65536, 64KiB or 500MB, was given {text:?}")),
    }
}

/// A duration as [`duration`] reads it, in the largest unit that leaves a whole number.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    match units.into_iter().find(|(_, unit)| millis != 0 && millis.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

/// A number and its unit, as the product; `None` if either cannot be read or the number is negative.
fn scaled(text: &str, units: &[(&str, f64)], plain: f64) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "" => plain,
        unit => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_units_and_plain_seconds() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2 h"), Ok(Duration::from_secs(7_200)));
    }

    #[test]
    fn sizes_take_binary_and_decimal_units() {
        assert_eq!(byte_size("65536"), Ok(65_536));
        assert_eq!(byte_size("64MiB"), Ok(64 << 20));
        assert_eq!(byte_size("500MB"), Ok(500_000_000));
        assert_eq!(byte_size("0"), Ok(0));
    }

    #[test]
    fn errors_name_what_was_expected_and_given() {
        for wrong in ["", "fast", "-5s", "5 parsecs", "1e400d", "s", "."] {
            let error = duration(wrong).expect_err(wrong);
            assert!(error.contains("30s") && error.contains(&format!("{wrong:?}")), "{error}");
        }
        for wrong in ["", "big", "-1", "5 KiBs", "9999999TiB"] {
            let error = byte_size(wrong).expect_err(wrong);
            assert!(error.contains("64KiB") && error.contains(&format!("{wrong:?}")), "{error}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for (millis, text) in
            [(0, "0ms"), (1_500, "1500ms"), (30_000, "30s"), (90_000, "90s"), (86_400_000, "1d")]
        {
            let time = Duration::from_millis(millis);
            assert_eq!(show_duration(time), text);
            assert_eq!(duration(text), Ok(time));
        }
    }
}
