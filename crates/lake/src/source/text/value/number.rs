//! Numbers as text. What a type cannot hold exactly is refused, but for the rounding of binary fractions.

/// Digits that every double keeps.
const DOUBLE_DIGITS: usize = 15;
/// Digits up to which a double is asked whether it keeps them.
const MOST_DIGITS: usize = 40;
/// Digits that an exponent may have: more cannot lead to a number that any type holds.
const MOST_EXPONENT_DIGITS: usize = 6;

/// A whole number, also one that is written with a fraction of zeros, as a program writes that held it as a double.
pub(super) fn integer(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let (whole, fraction) = text.split_once('.')?;
    if fraction.is_empty() || fraction.bytes().any(|digit| digit != b'0') {
        return None;
    }
    whole.parse().ok()
}

/// A double, or a word for one of those that have no digits (`NaN`, `inf`, `-Infinity`, in any case).
pub(super) fn double(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (value.is_finite() || !has_digits(text)).then_some(value)
}

/// The same for a float.
pub(super) fn float(text: &str) -> Option<f32> {
    let value: f32 = text.parse().ok()?;
    (value.is_finite() || !has_digits(text)).then_some(value)
}

fn has_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The unscaled value of a decimal.
///
/// # Errors
/// Why this is none, or none that fits.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128, &'static str> {
    let parts = Parts::of(text).ok_or("not a decimal number")?;
    let mut value: i128 = 0;
    // How many digits behind the point the value has so far, once the exponent has moved the point.
    let mut behind = parts.fraction.len() as i64 - parts.exponent;
    let digits = || parts.whole.bytes().chain(parts.fraction.bytes());
    let count = parts.whole.len() + parts.fraction.len();
    // Zeros at the end are dropped as far as the scale does not want them.
    let zeros = digits().rev().take_while(|digit| *digit == b'0').count() as i64;
    let dropped = zeros.min((behind - i64::from(scale)).max(0));
    behind -= dropped;
    for digit in digits().take(count - usize::try_from(dropped).unwrap_or(0)) {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(digit - b'0')))
            .ok_or("too many digits")?;
    }
    if value == 0 {
        return Ok(0);
    }
    if behind > i64::from(scale) {
        return Err("too many digits behind the point");
    }
    let raise = u32::try_from(i64::from(scale) - behind).map_err(|_| "too many digits")?;
    let value =
        10i128.checked_pow(raise).and_then(|power| value.checked_mul(power)).ok_or("too many digits")?;
    let fits = 10i128.checked_pow(u32::from(precision)).is_none_or(|limit| value < limit);
    match (fits, parts.negative) {
        (false, _) => Err("too many digits"),
        (true, true) => Ok(-value),
        (true, false) => Ok(value),
    }
}

/// What a number's text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A long that a double holds as well.
    Narrow,
    /// A long that a double does not hold.
    Wide,
    /// A double that shows the same digits again.
    Double,
}

/// The type that shows the same number again; none for what is a number only to somebody who knows: a `+` or zeros
/// before it (telephone numbers, keys), more digits than a type keeps.
pub(super) fn shape(text: &str) -> Option<Shape> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let padded = unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
    if padded || text.starts_with('+') {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0" {
        let value: i64 = text.parse().ok()?;
        return Some(if value.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
            Shape::Narrow
        } else {
            Shape::Wide
        });
    }
    let parts = Parts::of(text)?;
    let value = double(text)?;
    let digits = format!("{}{}", parts.whole, parts.fraction);
    let digits = digits.trim_start_matches('0');
    if value == 0.0 {
        return digits.is_empty().then_some(Shape::Double);
    }
    let kept = match digits.trim_end_matches('0').len() {
        // Numbers near the least of all have fewer digits than the others.
        few if few <= DOUBLE_DIGITS && value.abs() > f64::MIN_POSITIVE => true,
        many if many > MOST_DIGITS => false,
        many => {
            let shown = format!("{:.*e}", many - 1, value.abs());
            let shown = shown.split('e').next().unwrap_or_default().replace('.', "");
            shown == digits[..many]
        }
    };
    kept.then_some(Shape::Double)
}

/// A decimal number in its parts.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0;
        number.then(|| Self { negative: mantissa.starts_with('-'), whole, fraction, exponent })
    }
}

fn exponent(text: &str) -> Option<i64> {
    let short = text.len() <= MOST_EXPONENT_DIGITS;
    if short { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let good = [
            ("12.34", 1234),
            ("-12.3", -1230),
            ("+5", 500),
            (".5", 50),
            ("1.5000", 150),
            ("1e2", 10_000),
            ("125e-2", 125),
            ("1250e-3", 125),
            ("0.000", 0),
            ("0e99999", 0),
            ("9999999.99", 999_999_999),
        ];
        for (text, value) in good {
            assert_eq!(decimal(text, 9, 2), Ok(value), "{text}");
        }
        for text in ["", ".", "-", "1.234", "10000000", "1e8", "1e99999", "0x1", "1,5", "NaN", "1e", " 1"] {
            assert!(decimal(text, 9, 2).is_err(), "{text}");
        }
        assert!(decimal(&"9".repeat(38), 38, 0).is_ok());
        assert!(decimal(&"9".repeat(39), 38, 0).is_err());
    }

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zeros() {
        let given =
            ["7", "007", "-7.0", "9223372036854775807", "7.5", "7.", "", "9223372036854775808", "1e3"];
        let expected = [Some(7), Some(7), Some(-7), Some(i64::MAX), None, None, None, None, None];
        assert_eq!(given.map(integer), expected);
    }

    #[test]
    fn shapes_keep_what_the_text_says() {
        let cases = [
            ("0", Some(Shape::Narrow)),
            ("-12", Some(Shape::Narrow)),
            ("9007199254740993", Some(Shape::Wide)),
            ("9223372036854775808", None),
            ("007", None),
            ("+49", None),
            ("-0", Some(Shape::Double)),
            ("1.0", Some(Shape::Double)),
            ("0.1", Some(Shape::Double)),
            ("0.30000000000000004", Some(Shape::Double)),
            ("0.12345678901234567891", None),
            ("9007199254740993.0", None),
            ("1e400", None),
            ("1e-400", None),
            ("00.5", None),
            ("1.2.3", None),
            ("", None),
            ("-", None),
        ];
        for (text, expected) in cases {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    proptest! {
        /// What a program writes of its longs and doubles is taken for them, and is them again.
        #[test]
        fn numbers_come_back(long: i64, double_bits: u64) {
            prop_assert!(matches!(shape(&long.to_string()), Some(Shape::Narrow | Shape::Wide)));
            prop_assert_eq!(integer(&long.to_string()), Some(long));
            let value = f64::from_bits(double_bits);
            if value.is_finite() {
                let text = format!("{value:e}");
                prop_assert!(shape(&text).is_some(), "{}", text);
                prop_assert_eq!(double(&text).map(f64::to_bits), Some(double_bits));
            }
        }

        #[test]
        fn decimals_come_back(unscaled in -10i128.pow(37)..10i128.pow(37), scale in 0i8..30) {
            let text = arrow_array::types::Decimal128Type::format_decimal(unscaled, 38, scale);
            prop_assert_eq!(decimal(&text, 38, scale), Ok(unscaled));
        }

        #[test]
        fn no_text_makes_a_number_panic(text in "[-+0-9.eE]{0,50}") {
            let _ = (shape(&text), integer(&text), double(&text), decimal(&text, 38, 10));
        }
    }

    use arrow_array::types::DecimalType;
}
