//! Value parsers for clap. Each error says what was expected and what was given; clap adds the setting's name.

use std::net::SocketAddr;
use std::time::Duration;

pub use ingest_core::units::{byte_size, duration};

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

/// Reads `key=value`; the value may be empty and may hold further `=`.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        // The text is not repeated: a forgotten key may leave a secret alone on the line.
        _ => Err("expected key=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_what_was_expected_and_given() {
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
