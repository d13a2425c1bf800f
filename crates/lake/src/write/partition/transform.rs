//! Iceberg's transforms, on columns.
//!
//! Only bucketing is left to the `iceberg` crate: its days before 1970 are wrong within the second before midnight, its
//! truncation knows no large binary, and some of its arithmetic overflows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Int32Array, LargeBinaryArray, LargeStringArray, PrimitiveArray,
    StringArray, new_null_array,
};
use arrow_schema::{DataType, TimeUnit};
use iceberg::spec::Transform;
use iceberg::transform::create_transform_function;

const NANOS_PER_MICRO: i64 = 1_000;
const MICROS_PER_HOUR: i64 = 3_600_000_000;
const HOURS_PER_DAY: i64 = 24;
const MICROS_PER_DAY: i64 = MICROS_PER_HOUR * HOURS_PER_DAY;

/// The values of a column under a transform; nulls stay null.
///
/// # Errors
/// The transform does not take such a column; the text says so.
pub(in crate::write) fn apply(transform: Transform, column: &ArrayRef) -> Result<ArrayRef, String> {
    let unfit = || format!("transform {transform} does not take values of type {}", column.data_type());
    match transform {
        Transform::Identity => Ok(column.clone()),
        Transform::Void => Ok(new_null_array(column.data_type(), column.len())),
        Transform::Year => map_days(column, |day| year_and_month(day).0 - 1970).ok_or_else(unfit),
        Transform::Month => map_days(column, |day| {
            let (year, month) = year_and_month(day);
            (year - 1970) * 12 + month - 1
        })
        .ok_or_else(unfit),
        Transform::Day => {
            let days = map_days(column, |day| day).ok_or_else(unfit)?;
            Ok(Arc::new(days.as_primitive::<Int32Type>().reinterpret_cast::<Date32Type>()))
        }
        Transform::Hour => hours(column).ok_or_else(unfit),
        Transform::Bucket(count) if i32::try_from(count).is_ok_and(|count| count > 0) => {
            let bucket = create_transform_function(&transform).map_err(|e| e.to_string())?;
            bucket.transform(micros(column)).map_err(|_| unfit())
        }
        Transform::Truncate(width) if i32::try_from(width).is_ok_and(|width| width > 0) => {
            truncate(column, width).ok_or_else(unfit)
        }
        Transform::Bucket(_) | Transform::Truncate(_) | Transform::Unknown => {
            Err(format!("transform {transform} cannot be worked out"))
        }
    }
}

/// Times of nanoseconds as microseconds, anything else as it is: Iceberg buckets both alike.
fn micros(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = column.as_primitive::<TimestampNanosecondType>();
            Arc::new(nanos.unary::<_, TimestampMicrosecondType>(|n| n.div_euclid(NANOS_PER_MICRO)))
        }
        _ => column.clone(),
    }
}

/// An integer made of each value's day since 1970.
fn map_days(column: &ArrayRef, of_day: impl Fn(i64) -> i64) -> Option<ArrayRef> {
    // Days of any time that fits in 64 bits, and what is made of them, fit in 32.
    let narrow = |n: i64| i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX });
    let result: Int32Array = match micros(column).data_type() {
        DataType::Date32 => column.as_primitive::<Date32Type>().unary(|day| narrow(of_day(i64::from(day)))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => micros(column)
            .as_primitive::<TimestampMicrosecondType>()
            .unary(|time| narrow(of_day(time.div_euclid(MICROS_PER_DAY)))),
        _ => return None,
    };
    Some(Arc::new(result))
}

fn hours(column: &ArrayRef) -> Option<ArrayRef> {
    let times = micros(column);
    let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
    // The hours of 64 bits of microseconds need 33: the last of them are past the year 246,000.
    let hour = |time: i64| {
        let hour = time.div_euclid(MICROS_PER_HOUR);
        i32::try_from(hour).unwrap_or(if hour < 0 { i32::MIN } else { i32::MAX })
    };
    Some(Arc::new(times.unary::<_, Int32Type>(hour)))
}

/// Year and month (from 1) of a day since 1970 in the proleptic Gregorian calendar.
fn year_and_month(day: i64) -> (i64, i64) {
    // Years from March on, so that the leap day is the last of one; 400 of them have 146,097 days.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

fn truncate(column: &ArrayRef, width: u32) -> Option<ArrayRef> {
    let length = usize::try_from(width).ok()?;
    let text = |value: &str| value.char_indices().nth(length).map_or(value.len(), |(end, _)| end);
    Some(match column.data_type() {
        DataType::Int32 => {
            let width = i32::try_from(width).ok()?;
            let ints = column.as_primitive::<Int32Type>();
            Arc::new(ints.unary::<_, Int32Type>(|n| n.wrapping_sub(n.rem_euclid(width))))
        }
        DataType::Int64 => {
            let longs = column.as_primitive::<Int64Type>();
            let width = i64::from(width);
            Arc::new(longs.unary::<_, Int64Type>(|n| n.wrapping_sub(n.rem_euclid(width))))
        }
        DataType::Decimal128(_, _) => {
            let decimals = column.as_primitive::<Decimal128Type>();
            let width = i128::from(width);
            let cut: PrimitiveArray<Decimal128Type> = decimals.unary(|n| n.wrapping_sub(n.rem_euclid(width)));
            Arc::new(cut.with_data_type(column.data_type().clone()))
        }
        DataType::Utf8 => {
            let cut = column.as_string::<i32>().iter().map(|value| value.map(|value| &value[..text(value)]));
            Arc::new(cut.collect::<StringArray>())
        }
        DataType::LargeUtf8 => {
            let cut = column.as_string::<i64>().iter().map(|value| value.map(|value| &value[..text(value)]));
            Arc::new(cut.collect::<LargeStringArray>())
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>().iter();
            let cut = values.map(|value| value.map(|value| &value[..value.len().min(length)]));
            Arc::new(cut.collect::<BinaryArray>())
        }
        DataType::LargeBinary => {
            let values = column.as_binary::<i64>().iter();
            let cut = values.map(|value| value.map(|value| &value[..value.len().min(length)]));
            Arc::new(cut.collect::<LargeBinaryArray>())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        Date32Array, Decimal128Array, Int64Array, TimestampMicrosecondArray, TimestampNanosecondArray,
    };
    use chrono::{Datelike, NaiveDate};
    use proptest::prelude::*;

    use super::*;

    fn ints(transform: Transform, column: impl Array + 'static) -> Vec<Option<i32>> {
        let result = apply(transform, &(Arc::new(column) as ArrayRef)).unwrap();
        match result.data_type() {
            DataType::Date32 => result.as_primitive::<Date32Type>().iter().collect(),
            _ => result.as_primitive::<Int32Type>().iter().collect(),
        }
    }

    #[test]
    fn times_before_1970_belong_to_the_day_that_they_are_in() {
        let times = || TimestampMicrosecondArray::from(vec![0, -1, -86_400_000_000, -86_400_500_000]);
        assert_eq!(ints(Transform::Day, times()), [Some(0), Some(-1), Some(-1), Some(-2)]);
        assert_eq!(ints(Transform::Hour, times()), [Some(0), Some(-1), Some(-24), Some(-25)]);
        assert_eq!(ints(Transform::Month, times()), [Some(0), Some(-1), Some(-1), Some(-1)]);
        assert_eq!(ints(Transform::Year, times()), [Some(0), Some(-1), Some(-1), Some(-1)]);
        let nanos = TimestampNanosecondArray::from(vec![Some(-1), None]);
        assert_eq!(ints(Transform::Day, nanos), [Some(-1), None]);
    }

    #[test]
    fn no_value_is_too_large() {
        let ends = || TimestampMicrosecondArray::from(vec![i64::MIN, i64::MAX]);
        for transform in [Transform::Year, Transform::Month, Transform::Day, Transform::Hour] {
            assert_eq!(ints(transform, ends()).len(), 2);
        }
        assert_eq!(ints(Transform::Year, Date32Array::from(vec![i32::MIN, i32::MAX])).len(), 2);
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
        assert_eq!(apply(Transform::Truncate(7), &longs).unwrap().len(), 2);
    }

    #[test]
    fn truncation_is_towards_minus_infinity_and_by_characters() {
        let decimals: ArrayRef =
            Arc::new(Decimal128Array::from(vec![1065, -5]).with_precision_and_scale(9, 2).unwrap());
        let cut = apply(Transform::Truncate(50), &decimals).unwrap();
        assert_eq!(cut.as_primitive::<Decimal128Type>().values().as_ref(), &[1050, -50]);
        assert_eq!(cut.data_type(), decimals.data_type());
        let text: ArrayRef = Arc::new(StringArray::from(vec!["äöü", "a"]));
        let cut = apply(Transform::Truncate(2), &text).unwrap();
        assert_eq!(cut.as_ref(), &StringArray::from(vec!["äö", "a"]));
    }

    #[test]
    fn what_cannot_be_transformed_is_an_error() {
        let flags: ArrayRef = Arc::new(arrow_array::BooleanArray::from(vec![true]));
        for transform in [Transform::Day, Transform::Hour, Transform::Bucket(2), Transform::Truncate(2)] {
            assert!(apply(transform, &flags).is_err(), "{transform}");
        }
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        for transform in [Transform::Bucket(0), Transform::Truncate(0), Transform::Unknown] {
            assert!(apply(transform, &longs).is_err(), "{transform}");
        }
    }

    proptest! {
        #[test]
        fn years_and_months_are_those_of_the_calendar(day in -50_000_000i32..50_000_000) {
            if let Some(date) = NaiveDate::from_epoch_days(day) {
                let expected = (i64::from(date.year()), i64::from(date.month()));
                prop_assert_eq!(year_and_month(i64::from(day)), expected);
            }
        }
    }
}
