//! Value parsers for clap. Each error says what was expected and what was given; clap adds the setting's name.

use std::net::SocketAddr;
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

/// Reads a [`duration`] above zero.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("expected a duration above zero, was given {text:?}")),
        time => Ok(time),
    }
}

/// Reads a whole number from 0.
pub fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0, was given {text:?}"))
}

/// Reads a whole number from 1.
pub fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("expected a whole number from 1, was given {text:?}")),
        Ok(number) => Ok(number),
    }
}

/// Reads a whole number from 1 to `max`.
pub fn number_from_one_to(
    max: usize,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {max}, was given {text:?}")),
    }
}

/// Reads an IP address with its port; names are not looked up.
pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("expected an IP address and a port such as 127.0.0.1:8080 or [::1]:8080, was given {text:?}")
    })
}

/// Reads a number of bytes such as `65536`, `64KiB`, `4MiB` or `500MB`. A plain number counts bytes.
pub fn byte_size(text: &str) -> Result<u64, String> {
    match scaled(text, SIZE_UNITS, 1.0) {
        Some(bytes) if bytes <= i64::MAX as f64 => Ok(bytes as u64),
        _ => Err(format!("expected a size such as 65536, 64KiB or 500MB, was given {text:?}")),
    }
}

/// Reads `key=value`; the value may be empty and may hold further `=`.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        // The text is not repeated: a forgotten key may leave a secret alone on the line.
        _ => Err("expected key=value".to_owned()),
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
        for (error, expected, given) in [
            (some_time("0s").map(drop), "above zero", "0s"),
            (number("-1").map(drop), "from 0", "-1"),
            (positive("0").map(drop), "from 1", "0"),
            (number_from_one_to(9)("10").map(drop), "from 1 to 9", "10"),
            (number_from_one_to(9)("0").map(drop), "from 1 to 9", "0"),
            (socket_address("localhost:80").map(drop), "127.0.0.1:8080", "localhost:80"),
        ] {
            let error = error.expect_err(given);
            assert!(error.contains(expected) && error.contains(&format!("{given:?}")), "{error}");
        }
    }

    #[test]
    fn numbers_are_taken_up_to_their_bounds() {
        assert_eq!((number("0"), positive("1")), (Ok(0), Ok(1)));
        assert_eq!((number_from_one_to(9)("1"), number_from_one_to(9)("9")), (Ok(1), Ok(9)));
    }

    #[test]
    fn pairs_keep_the_value_as_it_is() {
        assert_eq!(key_value("a=b=c "), Ok(("a".into(), "b=c ".into())));
        assert_eq!(key_value("a="), Ok(("a".into(), String::new())));
        assert!(!key_value("hunter2").expect_err("no key").contains("hunter2"));
        assert!(key_value("=x").is_err());
    }
}
