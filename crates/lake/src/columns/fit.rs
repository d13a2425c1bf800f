//! Which types hold each value of another.

use arrow_schema::{DataType, TimeUnit};

/// Digits of the largest unsigned 64-bit integer.
pub(super) const U64_DIGITS: u8 = 20;

/// The zone under which INT96 times are read. Nothing in a file says whether they are instants or times on a wall:
/// Iceberg and Spark take them for instants, Arrow and DuckDB do not. So they fit columns of both kinds. Other times
/// never have this zone in a file's schema: theirs is `UTC`.
pub(super) const INT96_ZONE: &str = "+00:00";

/// Whether each value of one type has an exact counterpart in another. What depends on the value is checked when it
/// is converted: times finer than a microsecond, bytes that have to be UTF-8, decimals wider than their type says.
pub(super) fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Date32, Date64, Decimal128, Decimal256, FixedSizeBinary, Float16, Float32, Float64, Int8, Int16,
        Int32, Int64, Null, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64,
    };
    match (from, to) {
        (Int8 | Int16 | UInt8 | UInt16, Int32 | Int64) | (Int32 | UInt32, Int64) => true,
        (UInt64, Decimal128(precision, 0)) => *precision >= U64_DIGITS,
        (Float16, Float32 | Float64) | (Float32, Float64) => true,
        (Decimal128(from, from_scale) | Decimal256(from, from_scale), Decimal128(to, to_scale)) => {
            from_scale == to_scale && from <= to
        }
        (Timestamp(_, from), Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, to)) => {
            from.is_some() == to.is_some() || from.as_deref() == Some(INT96_ZONE)
        }
        // Many writers leave out that their bytes are text.
        (from, to) if binary(from) && text(to) => true,
        (FixedSizeBinary(_), to) if binary(to) => true,
        // Nulls and nothing else.
        (Null, _) => true,
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
            (utc(TimeUnit::Microsecond), utc(TimeUnit::Nanosecond)),
            (T::Timestamp(TimeUnit::Microsecond, Some(INT96_ZONE.into())), utc(TimeUnit::Microsecond)),
            (
                T::Timestamp(TimeUnit::Microsecond, Some(INT96_ZONE.into())),
                T::Timestamp(TimeUnit::Microsecond, None),
            ),
            (T::LargeUtf8, T::Utf8),
            (T::Binary, T::Utf8),
            (T::FixedSizeBinary(3), T::Binary),
            (T::Decimal256(38, 2), T::Decimal128(38, 2)),
            (T::Null, T::Int32),
        ];
        let no = [
            (T::Int64, T::Int32),
            (T::UInt32, T::Int32),
            (T::UInt64, T::Int64),
            (T::Float64, T::Float32),
            (T::Decimal128(9, 2), T::Decimal128(18, 3)),
            (T::Decimal256(39, 2), T::Decimal128(38, 2)),
            (T::Timestamp(TimeUnit::Microsecond, None), utc(TimeUnit::Microsecond)),
            (utc(TimeUnit::Microsecond), T::Timestamp(TimeUnit::Microsecond, None)),
            (T::FixedSizeBinary(3), T::FixedSizeBinary(4)),
            (T::Binary, T::FixedSizeBinary(4)),
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
