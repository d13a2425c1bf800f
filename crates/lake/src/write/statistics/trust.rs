//! What of a foreign file's statistics can be relied on. The rest is dropped: it could hide rows.

use std::cmp::Ordering;

use parquet::basic::{ColumnOrder, LogicalType, SortOrder, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescriptor;

use super::writers::believed;

/// What can be relied on of the statistics of a chunk of leaf `leaf`: bounds, the null count, or both. Nothing of a
/// writer that is not known to be right, nothing of statistics that contradict themselves, and nothing of what is
/// within lists and maps: Arrow C++ counts too few nulls there (arrow#51097), and no bound there is one of rows. Nor of
/// what is within a struct that may be null: `DuckDB` does not count the nulls that come from the struct.
pub fn trusted(file: &FileMetaData, leaf: usize, chunk: &ColumnChunkMetaData) -> Option<Statistics> {
    let statistics = chunk.statistics().filter(|_| believed(file.created_by()))?;
    let values = u64::try_from(chunk.num_values()).ok()?;
    let nulls = statistics.null_count_opt();
    let column = chunk.column_descr();
    let optional = column.self_type().is_optional();
    if column.max_rep_level() > 0 || column.max_def_level() > i16::from(optional) {
        return None;
    }
    let bounded = statistics.min_bytes_opt().is_some() || statistics.max_bytes_opt().is_some();
    let lie = nulls.is_some_and(|nulls| {
        nulls > values || (column.max_def_level() == 0 && nulls > 0) || (bounded && nulls == values)
    });
    if lie {
        return None;
    }
    let order = order(file, leaf, column).filter(|_| !statistics.is_min_max_deprecated());
    let keep = bounded && order.is_some_and(|order| ordered(order, statistics));
    (keep || nulls.is_some()).then(|| limited(statistics, keep))
}

/// How to judge the bounds in the column indexes of leaf `leaf`; none if readers may skip no page by them.
pub fn trusted_pages(file: &FileMetaData, leaf: usize) -> Option<PageBounds> {
    let column = file.schema_descr().column(leaf);
    let order = order(file, leaf, &column).filter(|_| believed(file.created_by()))?;
    Some(PageBounds { physical: column.physical_type(), length: column.type_length(), order })
}

/// The type and the order of a column's bounds, as its column indexes have them: in plain bytes.
#[derive(Debug, Clone, Copy)]
pub struct PageBounds {
    physical: PhysicalType,
    length: i32,
    order: Order,
}

impl PageBounds {
    /// Whether these are values of the column, the first at most the second, and neither is NaN.
    pub fn hold(self, min: &[u8], max: &[u8]) -> bool {
        fn numbers<const N: usize, T: PartialOrd>(min: &[u8], max: &[u8], read: fn([u8; N]) -> T) -> bool {
            let both = min.try_into().ok().zip(max.try_into().ok());
            both.is_some_and(|(min, max)| read(min) <= read(max))
        }
        let ordered = || self.order.bytes(min, max).is_some_and(Ordering::is_le);
        match self.physical {
            PhysicalType::BOOLEAN => numbers(min, max, u8::from_le_bytes),
            PhysicalType::INT32 => numbers(min, max, i32::from_le_bytes),
            PhysicalType::INT64 => numbers(min, max, i64::from_le_bytes),
            PhysicalType::FLOAT => numbers(min, max, f32::from_le_bytes),
            PhysicalType::DOUBLE => numbers(min, max, f64::from_le_bytes),
            PhysicalType::BYTE_ARRAY => ordered(),
            PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                let whole = |bound: &[u8]| usize::try_from(self.length) == Ok(bound.len());
                whole(min) && whole(max) && ordered()
            }
            PhysicalType::INT96 => false,
        }
    }
}

/// How the values of a column compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As numbers of their physical type, or byte by byte.
    Plain,
    /// As big-endian numbers in two's complement.
    Decimal,
}

impl Order {
    fn bytes(self, left: &[u8], right: &[u8]) -> Option<Ordering> {
        match self {
            Order::Plain => Some(left.cmp(right)),
            // Of one length, two's complement is ordered by the bytes once the sign bit is turned.
            Order::Decimal if left.len() == right.len() => {
                let (left, right) = (left.split_first()?, right.split_first()?);
                Some((left.0 ^ 0x80, left.1).cmp(&(right.0 ^ 0x80, right.1)))
            }
            Order::Decimal => None,
        }
    }
}

/// The order of a leaf's bounds: none where the file does not state the type's own order, or where writers are known
/// to differ: INT96, unsigned numbers, intervals, decimals of no fixed length, half floats.
fn order(file: &FileMetaData, leaf: usize, column: &ColumnDescriptor) -> Option<Order> {
    match file.column_orders()?.get(leaf)? {
        ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::SIGNED | SortOrder::UNSIGNED) => {}
        _ => return None,
    }
    let logical = column.logical_type_ref();
    let unsigned = matches!(
        ColumnOrder::sort_order_for_type(logical, column.converted_type(), column.physical_type()),
        SortOrder::UNSIGNED
    );
    let decimal = matches!(logical, Some(LogicalType::Decimal { .. }))
        || column.converted_type() == parquet::basic::ConvertedType::DECIMAL;
    match column.physical_type() {
        PhysicalType::BOOLEAN => Some(Order::Plain),
        PhysicalType::INT32 | PhysicalType::INT64 => (!unsigned).then_some(Order::Plain),
        PhysicalType::FLOAT | PhysicalType::DOUBLE => Some(Order::Plain),
        PhysicalType::BYTE_ARRAY => unsigned.then_some(Order::Plain),
        PhysicalType::FIXED_LEN_BYTE_ARRAY if decimal => Some(Order::Decimal),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => unsigned.then_some(Order::Plain),
        PhysicalType::INT96 => None,
    }
}

/// Whether the smallest value is at most the largest; NaN is neither.
fn ordered(order: Order, statistics: &Statistics) -> bool {
    fn numbers<T: PartialOrd>(min: Option<&T>, max: Option<&T>) -> bool {
        let number = |value: &T| value.partial_cmp(value).is_some();
        let both = min.zip(max).is_none_or(|(min, max)| min <= max);
        both && min.is_none_or(number) && max.is_none_or(number)
    }
    match statistics {
        Statistics::Boolean(s) => numbers(s.min_opt(), s.max_opt()),
        Statistics::Int32(s) => numbers(s.min_opt(), s.max_opt()),
        Statistics::Int64(s) => numbers(s.min_opt(), s.max_opt()),
        Statistics::Float(s) => numbers(s.min_opt(), s.max_opt()),
        Statistics::Double(s) => numbers(s.min_opt(), s.max_opt()),
        Statistics::Int96(_) => false,
        Statistics::ByteArray(_) | Statistics::FixedLenByteArray(_) => {
            let pair = statistics.min_bytes_opt().zip(statistics.max_bytes_opt());
            pair.is_none_or(|(min, max)| order.bytes(min, max).is_some_and(Ordering::is_le))
        }
    }
}

/// The null count, with the bounds or without; never the count of distinct values, which few writers get right.
fn limited(statistics: &Statistics, bounds: bool) -> Statistics {
    macro_rules! copy {
        ($variant:ident, $held:expr) => {
            copy!($variant, $held, |min| min, |max| max)
        };
        ($variant:ident, $held:expr, $min:expr, $max:expr) => {{
            let min = $held.min_opt().filter(|_| bounds).cloned().map($min);
            let max = $held.max_opt().filter(|_| bounds).cloned().map($max);
            let values = ValueStatistics::new(min, max, None, $held.null_count_opt(), false);
            Statistics::$variant(
                values
                    .with_min_is_exact(bounds && $held.min_is_exact())
                    .with_max_is_exact(bounds && $held.max_is_exact()),
            )
        }};
    }
    match statistics {
        Statistics::Boolean(s) => copy!(Boolean, s),
        Statistics::Int32(s) => copy!(Int32, s),
        Statistics::Int64(s) => copy!(Int64, s),
        Statistics::Int96(s) => copy!(Int96, s),
        // The two zeros are one value to some writers: the bounds hold for both.
        Statistics::Float(s) => {
            copy!(Float, s, |v| if v == 0.0 { -0.0 } else { v }, |v| if v == 0.0 { 0.0 } else { v })
        }
        Statistics::Double(s) => {
            copy!(Double, s, |v| if v == 0.0 { -0.0 } else { v }, |v| if v == 0.0 { 0.0 } else { v })
        }
        Statistics::ByteArray(s) => copy!(ByteArray, s),
        Statistics::FixedLenByteArray(s) => copy!(FixedLenByteArray, s),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::ByteArray;
    use parquet::schema::parser::parse_message_type;
    use parquet::schema::types::SchemaDescriptor;

    use super::*;

    const GOOD: &str = "parquet-mr version 1.13.1 (build 1)";
    const VALUES: i64 = 10;

    fn file(leaf: &str, created_by: &str, orders: bool) -> FileMetaData {
        let root = parse_message_type(&format!("message m {{ {leaf}; }}")).unwrap();
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
        let column = schema.column(0);
        let order = ColumnOrder::sort_order_for_type(
            column.logical_type_ref(),
            column.converted_type(),
            column.physical_type(),
        );
        let orders = orders.then(|| vec![ColumnOrder::TYPE_DEFINED_ORDER(order)]);
        FileMetaData::new(1, VALUES, Some(created_by.to_owned()), None, schema, orders)
    }

    fn kept_of(file: &FileMetaData, statistics: Statistics) -> Option<Statistics> {
        let chunk = ColumnChunkMetaData::builder(file.schema_descr().column(0))
            .set_num_values(VALUES)
            .set_statistics(statistics)
            .build()
            .unwrap();
        trusted(file, 0, &chunk)
    }

    /// The bounds and the null count that are left.
    fn kept(leaf: &str, statistics: Statistics) -> Option<(bool, Option<u64>)> {
        let left = kept_of(&file(leaf, GOOD, true), statistics)?;
        Some((left.min_bytes_opt().is_some() && left.max_bytes_opt().is_some(), left.null_count_opt()))
    }

    fn ints(min: i32, max: i32, nulls: Option<u64>) -> Statistics {
        Statistics::int32(Some(min), Some(max), Some(3), nulls, false)
    }

    fn fixed(min: &[u8], max: &[u8]) -> Statistics {
        let value = |bytes: &[u8]| Some(ByteArray::from(bytes.to_vec()).into());
        Statistics::fixed_len_byte_array(value(min), value(max), None, Some(0), false)
    }

    #[test]
    fn bounds_in_a_types_own_order_are_carried_and_distinct_counts_are_not() {
        assert_eq!(kept("optional int32 a", ints(-1, 5, Some(1))), Some((true, Some(1))));
        let left = kept_of(&file("optional int32 a", GOOD, true), ints(-1, 5, Some(1))).unwrap();
        assert_eq!(left.distinct_count_opt(), None);
        let text = Statistics::byte_array(Some("a".into()), Some("ä".into()), None, Some(0), false);
        assert_eq!(kept("optional binary a (STRING)", text), Some((true, Some(0))));
    }

    #[test]
    fn without_a_stated_order_or_in_the_old_fields_only_the_null_count_is_left() {
        let leaf = "optional int32 a";
        let left = kept_of(&file(leaf, GOOD, false), ints(1, 2, Some(0))).unwrap();
        assert_eq!((left.min_bytes_opt(), left.null_count_opt()), (None, Some(0)));
        let old = Statistics::int32(Some(1), Some(2), None, Some(0), true);
        assert_eq!(kept(leaf, old), Some((false, Some(0))));
    }

    #[test]
    fn of_writers_that_are_not_known_to_be_right_nothing_is_left() {
        for created_by in ["parquet-mr version 1.8.1 (build 1)", "Polars", "unheard of 1.0"] {
            let file = file("optional int32 a", created_by, true);
            assert!(kept_of(&file, ints(1, 2, Some(0))).is_none(), "{created_by}");
        }
    }

    #[test]
    fn statistics_that_contradict_themselves_are_dropped() {
        assert_eq!(kept("optional int32 a", ints(1, 2, Some(11))), None);
        assert_eq!(kept("optional int32 a", ints(1, 2, Some(10))), None);
        assert_eq!(kept("required int32 a", ints(1, 2, Some(1))), None);
        assert_eq!(kept("optional int32 a", ints(2, 1, Some(0))), Some((false, Some(0))));
        assert_eq!(kept("optional int32 a", ints(2, 1, None)), None);
    }

    #[test]
    fn where_nulls_come_from_above_nothing_is_left() {
        let left = |group: &str| {
            let schema = parse_message_type(&format!("message m {{ {group} }}")).unwrap();
            let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
            let orders = Some(vec![ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::SIGNED)]);
            let file = FileMetaData::new(1, VALUES, Some(GOOD.to_owned()), None, schema, orders);
            kept_of(&file, ints(1, 2, Some(0))).is_some()
        };
        assert!(!left("optional group a (LIST) { repeated group list { optional int32 element; } }"));
        assert!(!left("optional group a { optional int32 x; }"));
        assert!(!left("optional group a { required int32 x; }"));
        assert!(left("required group a { optional int32 x; }"));
    }

    #[test]
    fn orders_that_writers_disagree_on_give_no_bounds() {
        assert_eq!(kept("optional int32 a (INTEGER(32,false))", ints(1, 2, Some(0))), Some((false, Some(0))));
        let interval = fixed(&[1; 12], &[2; 12]);
        assert_eq!(kept("optional fixed_len_byte_array(12) a (INTERVAL)", interval), Some((false, Some(0))));
        let half = fixed(&[1; 2], &[2; 2]);
        assert_eq!(kept("optional fixed_len_byte_array(2) a (FLOAT16)", half), Some((false, Some(0))));
        let decimal = Statistics::byte_array(Some("a".into()), Some("b".into()), None, Some(0), false);
        assert_eq!(kept("optional binary a (DECIMAL(9,2))", decimal), Some((false, Some(0))));
    }

    #[test]
    fn decimals_are_compared_as_signed_numbers() {
        let leaf = "optional fixed_len_byte_array(2) a (DECIMAL(4,2))";
        assert_eq!(kept(leaf, fixed(&[0xff, 0xff], &[0, 1])), Some((true, Some(0))));
        assert_eq!(kept(leaf, fixed(&[0, 1], &[0xff, 0xff])), Some((false, Some(0))));
    }

    #[test]
    fn nan_is_no_bound_and_zero_has_both_signs() {
        let doubles = |min, max| Statistics::double(Some(min), Some(max), None, Some(0), false);
        assert_eq!(kept("optional double a", doubles(f64::NAN, 1.0)), Some((false, Some(0))));
        assert_eq!(kept("optional double a", doubles(1.0, f64::NAN)), Some((false, Some(0))));
        let Some(Statistics::Double(left)) =
            kept_of(&file("optional double a", GOOD, true), doubles(0.0, -0.0))
        else {
            panic!("both are zero")
        };
        let signs = (left.min_opt().unwrap().is_sign_negative(), left.max_opt().unwrap().is_sign_negative());
        assert_eq!(signs, (true, false));
    }

    #[test]
    fn pages_are_skipped_by_bounds_of_the_columns_type_in_its_order() {
        let hold = |leaf: &str, min: &[u8], max: &[u8]| {
            trusted_pages(&file(leaf, GOOD, true), 0).is_some_and(|bounds| bounds.hold(min, max))
        };
        let int = "optional int32 a";
        assert!(hold(int, &(-1_i32).to_le_bytes(), &1_i32.to_le_bytes()));
        assert!(!hold(int, &1_i32.to_le_bytes(), &(-1_i32).to_le_bytes()));
        assert!(!hold(int, &[0; 3], &[0; 4]), "no number of that type");
        assert!(hold("optional double a", &1_f64.to_le_bytes(), &2_f64.to_le_bytes()));
        assert!(!hold("optional double a", &1_f64.to_le_bytes(), &f64::NAN.to_le_bytes()));
        assert!(hold("optional binary a (STRING)", b"a", "ä".as_bytes()));
        let decimal = "optional fixed_len_byte_array(2) a (DECIMAL(4,2))";
        assert!(hold(decimal, &[0xff, 0xff], &[0, 1]) && !hold(decimal, &[0, 1], &[0xff, 0xff]));
        assert!(!hold(decimal, &[0xff], &[0, 1]), "a part of a value");
        for leaf in ["optional int96 a", "optional int32 a (INTEGER(32,false))"] {
            assert!(trusted_pages(&file(leaf, GOOD, true), 0).is_none(), "{leaf}");
        }
        assert!(trusted_pages(&file(int, "Polars", true), 0).is_none());
        assert!(trusted_pages(&file(int, GOOD, false), 0).is_none());
    }
}
