//! Columns of simple types, filled from texts.

use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder,
    Float32Builder, Float64Builder, Int32Builder, Int64Builder, LargeBinaryBuilder, LargeStringBuilder,
    StringBuilder, Time64MicrosecondBuilder,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use uuid::Uuid;

use super::super::rejected::{Flaw, excerpt};
use super::number;
use super::times::{Times, time};

/// Bytes of a UUID, which Arrow holds as a fixed number of bytes.
const UUID_BYTES: i32 = 16;
/// Characters of a UUID with its hyphens.
const UUID_TEXT: usize = 36;

/// A column that is being filled.
#[derive(Debug)]
pub(in super::super) struct Leaf {
    data_type: DataType,
    cells: Cells,
    /// Bytes of one cell, used again for each.
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Cells {
    Boolean(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    /// Counts of the unit; in UTC if the flag is set.
    Timestamp(Int64Builder, TimeUnit, bool),
    Text(StringBuilder),
    LargeText(LargeStringBuilder),
    Fixed(FixedSizeBinaryBuilder, i32),
    Binary(BinaryBuilder),
    LargeBinary(LargeBinaryBuilder),
}

/// Does the same with whichever builder it is.
macro_rules! each {
    ($cells:expr, $builder:ident => $do:expr) => {
        match $cells {
            Cells::Boolean($builder) => $do,
            Cells::Int($builder) => $do,
            Cells::Long($builder) | Cells::Timestamp($builder, ..) => $do,
            Cells::Float($builder) => $do,
            Cells::Double($builder) => $do,
            Cells::Decimal($builder, ..) => $do,
            Cells::Date($builder) => $do,
            Cells::Time($builder) => $do,
            Cells::Text($builder) => $do,
            Cells::LargeText($builder) => $do,
            Cells::Fixed($builder, _) => $do,
            Cells::Binary($builder) => $do,
            Cells::LargeBinary($builder) => $do,
        }
    };
}

impl Leaf {
    /// A column of this type; none if text cannot hold it.
    pub(in super::super) fn new(data_type: &DataType) -> Option<Self> {
        let cells = match data_type {
            DataType::Boolean => Cells::Boolean(BooleanBuilder::new()),
            DataType::Int32 => Cells::Int(Int32Builder::new()),
            DataType::Int64 => Cells::Long(Int64Builder::new()),
            DataType::Float32 => Cells::Float(Float32Builder::new()),
            DataType::Float64 => Cells::Double(Float64Builder::new()),
            DataType::Decimal128(precision, scale) => {
                let cells = Decimal128Builder::new().with_data_type(data_type.clone());
                Cells::Decimal(cells, *precision, *scale)
            }
            DataType::Date32 => Cells::Date(Date32Builder::new()),
            DataType::Time64(TimeUnit::Microsecond) => Cells::Time(Time64MicrosecondBuilder::new()),
            DataType::Timestamp(unit, zone) => Cells::Timestamp(Int64Builder::new(), *unit, zone.is_some()),
            DataType::Utf8 => Cells::Text(StringBuilder::new()),
            DataType::LargeUtf8 => Cells::LargeText(LargeStringBuilder::new()),
            DataType::FixedSizeBinary(bytes) => Cells::Fixed(FixedSizeBinaryBuilder::new(*bytes), *bytes),
            DataType::Binary => Cells::Binary(BinaryBuilder::new()),
            DataType::LargeBinary => Cells::LargeBinary(LargeBinaryBuilder::new()),
            _ => return None,
        };
        Some(Self { data_type: data_type.clone(), cells, scratch: Vec::new() })
    }

    /// Bytes that a cell takes beside its text, and a null as well.
    pub(in super::super) fn cell_bytes(&self) -> usize {
        match &self.cells {
            Cells::Fixed(_, bytes) => usize::try_from(*bytes).unwrap_or(0),
            Cells::Decimal(..) => size_of::<i128>(),
            // Mostly less.
            _ => size_of::<i64>(),
        }
    }

    /// Whether an empty text is a value.
    pub(in super::super) fn holds_text(&self) -> bool {
        matches!(self.cells, Cells::Text(_) | Cells::LargeText(_))
    }

    pub(in super::super) fn null(&mut self) {
        each!(&mut self.cells, cells => cells.append_null());
    }

    /// Adds a cell: the value that the text stands for, or null if it is none of this type.
    ///
    /// # Errors
    /// Why it is none.
    pub(in super::super) fn text(&mut self, text: &str, times: &Times) -> Result<(), Flaw> {
        let added = self.add(text, times);
        added.map_err(|why| {
            self.null();
            let colon = if why.is_empty() { "" } else { ": " };
            Flaw::new(format!("{} is no {}{colon}{why}", excerpt(text), name(&self.data_type)))
        })
    }

    fn add(&mut self, text: &str, times: &Times) -> Result<(), &'static str> {
        match &mut self.cells {
            Cells::Boolean(cells) => cells.append_value(boolean(text).ok_or("")?),
            Cells::Int(cells) => {
                let value = number::integer(text).ok_or("")?;
                cells.append_value(i32::try_from(value).map_err(|_| "it takes more than 32 bits")?);
            }
            Cells::Long(cells) => cells.append_value(number::integer(text).ok_or("")?),
            Cells::Float(cells) => cells.append_value(number::float(text).ok_or("")?),
            Cells::Double(cells) => cells.append_value(number::double(text).ok_or("")?),
            Cells::Decimal(cells, precision, scale) => {
                cells.append_value(number::decimal(text, *precision, *scale)?);
            }
            Cells::Date(cells) => cells.append_value(times.date(text).ok_or("")?),
            Cells::Time(cells) => cells.append_value(time(text).ok_or("")?),
            Cells::Timestamp(cells, unit, utc) => {
                let stamp = times.stamp(text).ok_or("")?;
                let offset = match (*utc, stamp.offset.or(times.zone)) {
                    (true, Some(offset)) => offset,
                    (true, None) => return Err("it has no zone, and `text.timezone` is not set"),
                    (false, _) if stamp.offset.is_some() => return Err("it has a zone, the column has none"),
                    (false, _) => 0,
                };
                cells.append_value(stamp.count(*unit, offset)?);
            }
            Cells::Text(cells) => cells.append_value(text),
            Cells::LargeText(cells) => cells.append_value(text),
            Cells::Fixed(cells, bytes) => {
                fixed(text, *bytes, &mut self.scratch)?;
                cells.append_value(&self.scratch).map_err(|_| "")?;
            }
            Cells::Binary(cells) => {
                unhex(text, &mut self.scratch)?;
                cells.append_value(&self.scratch);
            }
            Cells::LargeBinary(cells) => {
                unhex(text, &mut self.scratch)?;
                cells.append_value(&self.scratch);
            }
        }
        Ok(())
    }

    /// The cells so far; the column is empty again.
    pub(in super::super) fn finish(&mut self) -> ArrayRef {
        match &mut self.cells {
            Cells::Timestamp(cells, ..) => {
                let counts = ArrayBuilder::finish(cells);
                let counts = counts.to_data().into_builder();
                let counts = counts.data_type(self.data_type.clone()).build();
                arrow_array::make_array(counts.expect("each timestamp is held as 64 bits"))
            }
            cells => each!(cells, cells => Arc::new(cells.finish())),
        }
    }
}

/// `true` and `false` in any case, `1` and `0`.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn fixed(text: &str, bytes: i32, into: &mut Vec<u8>) -> Result<(), &'static str> {
    if bytes == UUID_BYTES && text.len() == UUID_TEXT {
        into.clear();
        into.extend_from_slice(Uuid::parse_str(text).map_err(|_| "not a UUID")?.as_bytes());
        return Ok(());
    }
    unhex(text, into)?;
    if i32::try_from(into.len()) == Ok(bytes) { Ok(()) } else { Err("it has another length") }
}

fn unhex(text: &str, into: &mut Vec<u8>) -> Result<(), &'static str> {
    into.resize(text.len() / 2, 0);
    hex::decode_to_slice(text, into).map_err(|_| "bytes are written as two hexadecimal digits each")
}

/// What people call the type: Iceberg's names.
fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "long".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::Date32 => "date".to_owned(),
        DataType::Time64(_) => "time".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with zone".to_owned(),
        DataType::FixedSizeBinary(UUID_BYTES) => "uuid or fixed(16)".to_owned(),
        DataType::FixedSizeBinary(bytes) => format!("fixed({bytes})"),
        DataType::Binary | DataType::LargeBinary => "binary".to_owned(),
        _ => "string".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(data_type: DataType, text: &str) -> Result<String, String> {
        let mut leaf = Leaf::new(&data_type).unwrap();
        let added = leaf.text(text, &Times::default());
        let array = leaf.finish();
        assert_eq!((array.len(), array.data_type()), (1, &data_type));
        added.map_err(|flaw| flaw.reason)?;
        Ok(arrow_cast::display::array_value_to_string(&array, 0).unwrap())
    }

    #[test]
    fn each_type_takes_its_own_texts() {
        use DataType as T;
        let utc = T::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
        let local = T::Timestamp(TimeUnit::Microsecond, None);
        let uuid = "f79c3e09-677c-4bbd-a479-3f349cb785e7";
        let good = [
            (T::Boolean, "TRUE", "true"),
            (T::Int32, "-2147483648", "-2147483648"),
            (T::Int64, "12.0", "12"),
            (T::Float32, "1.5", "1.5"),
            (T::Float64, "nan", "NaN"),
            (T::Decimal128(9, 2), "1.5", "1.50"),
            (T::Date32, "2020-02-29", "2020-02-29"),
            (T::Time64(TimeUnit::Microsecond), "12:00", "12:00:00"),
            (utc.clone(), "2020-01-01 01:00+01:00", "2020-01-01T00:00:00Z"),
            (local.clone(), "2020-01-01 01:00", "2020-01-01T01:00:00"),
            (T::Utf8, "", ""),
            (T::FixedSizeBinary(16), uuid, "f79c3e09677c4bbda4793f349cb785e7"),
            (T::FixedSizeBinary(2), "0aFF", "0aff"),
            (T::LargeBinary, "00", "00"),
        ];
        for (t, text, shown) in good {
            assert_eq!(cell(t, text).as_deref(), Ok(shown), "{text}");
        }
        let bad = [
            (T::Boolean, "yes", "`yes` is no boolean"),
            (T::Int32, "2147483648", "`2147483648` is no int: it takes more than 32 bits"),
            (T::Float64, "1e999", "`1e999` is no double"),
            (T::Decimal128(9, 2), "1.505", "`1.505` is no decimal(9, 2): too many digits behind the point"),
            (
                utc,
                "2020-01-01 01:00",
                "`2020-01-01 01:00` is no timestamp with zone: it has no zone, and `text.timezone` is not set",
            ),
            (
                local,
                "2020-01-01 01:00Z",
                "`2020-01-01 01:00Z` is no timestamp: it has a zone, the column has none",
            ),
            (T::FixedSizeBinary(2), "0a", "`0a` is no fixed(2): it has another length"),
            (T::LargeBinary, "0", "`0` is no binary: bytes are written as two hexadecimal digits each"),
        ];
        for (t, text, reason) in bad {
            assert_eq!(cell(t, text), Err(reason.to_owned()));
        }
    }
}
