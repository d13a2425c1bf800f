//! Which types hold each value of another.

use arrow_schema::{DataType, TimeUnit};

/// Digits of the largest unsigned 64-bit integer.
pub(super) const U64_DIGITS: u8 = 20;

/// Whether each value of one type has an exact counterpart in another. Sub-microsecond times are checked
/// value by value when they are converted.
pub(super) fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Date32, Date64, Decimal128, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Time32, Time64,
        Timestamp, UInt8, UInt16, UInt32, UInt64,
    };
    match (from, to) {
        (Int8 | Int16 | UInt8 | UInt16, Int32 | Int64) | (Int32 | UInt32, Int64) => true,
        (UInt64, Decimal128(precision, 0)) => *precision >= U64_DIGITS,
        (Float16, Float32 | Float64) | (Float32, Float64) => true,
        (Decimal128(from, from_scale), Decimal128(to, to_scale)) => from_scale == to_scale && from <= to,
        (Timestamp(_, from), Timestamp(TimeUnit::Microsecond, to)) => from.is_some() == to.is_some(),
        (Time32(_) | Time64(_), Time64(TimeUnit::Microsecond)) | (Date64, Date32) => true,
        (from, to) => from == to || (binary(from) && binary(to)) || (text(from) && text(to)),
    }
}

fn binary(t: &DataType) -> bool {
    matches!(t, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn text(t: &DataType) -> bool {
    matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lossless_promotions_fit_and_lossy_ones_do_not() {
        use DataType as T;
        let utc = |unit| T::Timestamp(unit, Some("UTC".into()));
        let yes = [
            (T::Int32, T::Int64),
            (T::UInt32, T::Int64),
            (T::UInt64, T::Decimal128(20, 0)),
            (T::Float32, T::Float64),
            (T::Decimal128(9, 2), T::Decimal128(18, 2)),
            (utc(TimeUnit::Millisecond), utc(TimeUnit::Microsecond)),
            (T::LargeUtf8, T::Utf8),
        ];
        let no = [
            (T::Int64, T::Int32),
            (T::UInt32, T::Int32),
            (T::UInt64, T::Int64),
            (T::Float64, T::Float32),
            (T::Decimal128(9, 2), T::Decimal128(18, 3)),
            (T::Timestamp(TimeUnit::Microsecond, None), utc(TimeUnit::Microsecond)),
            (T::Utf8, T::Binary),
            (T::Int32, T::Utf8),
        ];
        for (from, to) in yes {
            assert!(fits(&from, &to), "{from} into {to}");
        }
        for (from, to) in no {
            assert!(!fits(&from, &to), "{from} into {to}");
        }
    }
}
