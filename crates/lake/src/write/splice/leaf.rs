//! Which columns of values are the table's as they stand, and what a data file says of them.

use iceberg::spec::{NestedField, PrimitiveType};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::Type;

/// Digits that a 32-bit and a 64-bit integer hold.
const INT32_DIGITS: u32 = 9;
const INT64_DIGITS: u32 = 18;
/// Bytes of a UUID.
const UUID_BYTES: i32 = 16;

/// Which forms of a column of values are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::write) enum Forms {
    /// The one that Iceberg's writers use for the type.
    Own,
    /// That, and those that Iceberg's readers take for it as well: narrower types that it may have been promoted from, and
    /// other widths of integers and decimals.
    Readable,
}

/// A file's annotation of a column, whichever of the two ways it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Plain,
    Signed(u8),
    Text,
    Date,
    Time(TimeUnit),
    Timestamp { unit: TimeUnit, utc: bool },
    Decimal { precision: i32, scale: i32 },
    Uuid,
    Other,
}

impl Meaning {
    fn of(file: &Type) -> Self {
        let info = file.get_basic_info();
        match info.logical_type_ref() {
            Some(LogicalType::String) => Meaning::Text,
            Some(LogicalType::Date) => Meaning::Date,
            Some(LogicalType::Uuid) => Meaning::Uuid,
            Some(LogicalType::Integer { bit_width, is_signed: true }) => {
                u8::try_from(*bit_width).map_or(Meaning::Other, Meaning::Signed)
            }
            Some(LogicalType::Time { unit, .. }) => Meaning::Time(*unit),
            Some(LogicalType::Timestamp { is_adjusted_to_u_t_c, unit }) => {
                Meaning::Timestamp { unit: *unit, utc: *is_adjusted_to_u_t_c }
            }
            Some(LogicalType::Decimal { scale, precision }) => {
                Meaning::Decimal { precision: *precision, scale: *scale }
            }
            Some(_) => Meaning::Other,
            None => match info.converted_type() {
                ConvertedType::NONE => Meaning::Plain,
                ConvertedType::UTF8 => Meaning::Text,
                ConvertedType::DATE => Meaning::Date,
                ConvertedType::INT_8 => Meaning::Signed(8),
                ConvertedType::INT_16 => Meaning::Signed(16),
                ConvertedType::INT_32 => Meaning::Signed(32),
                ConvertedType::INT_64 => Meaning::Signed(64),
                ConvertedType::TIME_MICROS => Meaning::Time(TimeUnit::MICROS),
                // The old annotation has no zone-less form: it is an instant.
                ConvertedType::TIMESTAMP_MICROS => Meaning::Timestamp { unit: TimeUnit::MICROS, utc: true },
                ConvertedType::DECIMAL => {
                    Meaning::Decimal { precision: file.get_precision(), scale: file.get_scale() }
                }
                _ => Meaning::Other,
            },
        }
    }
}

/// The column of the output for the file's column of values `file`, which becomes the table's `field`. It says the
/// same of the values in the one way that Iceberg writers use, under the table's `name` and id.
///
/// # Errors
/// Why the values as they stand are not the table's; the text goes after the column's name.
pub(super) fn leaf(
    file: &Type,
    field: &NestedField,
    kind: &PrimitiveType,
    name: &str,
    forms: Forms,
) -> Result<Type, String> {
    let physical = file.get_physical_type();
    let length = match file {
        Type::PrimitiveType { type_length, .. } => *type_length,
        Type::GroupType { .. } => return Err("is a group of columns in the file".to_owned()),
    };
    let meaning = Meaning::of(file);
    let readable = forms == Forms::Readable && promoted(kind, physical, meaning);
    let Some(logical) = fitting(kind, physical, length, meaning).or(readable.then_some(None)) else {
        let annotation = match meaning {
            Meaning::Plain => String::new(),
            _ => format!(" ({:?}/{})", meaning, file.get_basic_info().converted_type()),
        };
        return Err(format!(
            "is kept as {physical}{annotation}, which the table's {kind} does not take as it stands"
        ));
    };
    let info = file.get_basic_info();
    let mut builder = Type::primitive_type_builder(name, physical)
        .with_repetition(info.repetition())
        .with_id(Some(field.id))
        .with_length(length);
    if let Some(LogicalType::Decimal { scale, precision }) = logical {
        builder = builder.with_precision(precision).with_scale(scale);
    }
    builder.with_logical_type(logical).build().map_err(|e| format!("cannot be described: {e}"))
}

/// What the output says of values that a table's column of type `kind` takes as they stand; none if it does not.
fn fitting(
    kind: &PrimitiveType,
    physical: Physical,
    length: i32,
    meaning: Meaning,
) -> Option<Option<LogicalType>> {
    use Physical as P;
    use PrimitiveType as T;
    let time = |unit, is_adjusted_to_u_t_c| Some(LogicalType::Timestamp { is_adjusted_to_u_t_c, unit });
    let at = |wanted_unit: TimeUnit, wanted_utc: bool| {
        let fits =
            physical == P::INT64 && meaning == Meaning::Timestamp { unit: wanted_unit, utc: wanted_utc };
        fits.then(|| time(wanted_unit, wanted_utc))
    };
    match (kind, physical, meaning) {
        (T::Boolean, P::BOOLEAN, Meaning::Plain)
        | (T::Int, P::INT32, Meaning::Plain | Meaning::Signed(32))
        | (T::Long, P::INT64, Meaning::Plain | Meaning::Signed(64))
        | (T::Float, P::FLOAT, Meaning::Plain)
        | (T::Double, P::DOUBLE, Meaning::Plain)
        | (T::Binary, P::BYTE_ARRAY, Meaning::Plain) => Some(None),
        (T::Fixed(wanted), P::FIXED_LEN_BYTE_ARRAY, Meaning::Plain) => {
            (u64::try_from(length) == Ok(*wanted)).then_some(None)
        }
        (T::String, P::BYTE_ARRAY, Meaning::Text) => Some(Some(LogicalType::String)),
        (T::Date, P::INT32, Meaning::Date) => Some(Some(LogicalType::Date)),
        (T::Uuid, P::FIXED_LEN_BYTE_ARRAY, Meaning::Uuid) if length == UUID_BYTES => {
            Some(Some(LogicalType::Uuid))
        }
        (T::Time, P::INT64, Meaning::Time(TimeUnit::MICROS)) => {
            Some(Some(LogicalType::Time { is_adjusted_to_u_t_c: false, unit: TimeUnit::MICROS }))
        }
        (T::Timestamp, ..) => at(TimeUnit::MICROS, false),
        (T::Timestamptz, ..) => at(TimeUnit::MICROS, true),
        (T::TimestampNs, ..) => at(TimeUnit::NANOS, false),
        (T::TimestamptzNs, ..) => at(TimeUnit::NANOS, true),
        (T::Decimal { precision, scale }, _, Meaning::Decimal { precision: p, scale: s }) => {
            let same = u32::try_from(p) == Ok(*precision) && u32::try_from(s) == Ok(*scale);
            // Iceberg wants the smaller integer where it is enough.
            let kept = match physical {
                P::INT32 => *precision <= INT32_DIGITS,
                P::INT64 => *precision > INT32_DIGITS && *precision <= INT64_DIGITS,
                P::FIXED_LEN_BYTE_ARRAY => true,
                _ => false,
            };
            (same && kept).then_some(Some(LogicalType::Decimal { scale: s, precision: p }))
        }
        _ => None,
    }
}

/// Whether readers make such values the table's while they read.
fn promoted(kind: &PrimitiveType, physical: Physical, meaning: Meaning) -> bool {
    use Physical as P;
    use PrimitiveType as T;
    match (kind, physical, meaning) {
        (T::Int | T::Long, P::INT32, Meaning::Plain | Meaning::Signed(_)) => true,
        (T::Double, P::FLOAT, Meaning::Plain) => true,
        (
            T::Decimal { precision, scale },
            P::INT32 | P::INT64 | P::FIXED_LEN_BYTE_ARRAY,
            Meaning::Decimal { precision: p, scale: s },
        ) => u32::try_from(p).is_ok_and(|p| p <= *precision) && u32::try_from(s) == Ok(*scale),
        _ => false,
    }
}
