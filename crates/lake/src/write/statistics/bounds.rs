//! Bounds of a column: from Parquet's statistics to Iceberg's single values.

use iceberg::spec::{Datum, PrimitiveLiteral, PrimitiveType};
use parquet::file::statistics::Statistics;

/// Which of the two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Lower,
    Upper,
}

/// A bound over row groups.
#[derive(Debug)]
pub(super) enum Bound {
    /// No row group had values yet.
    Open,
    /// Holds for all row groups so far.
    Known(Datum),
    /// A row group had values and gave no bound: nothing can be said of the file.
    Lost,
}

impl Bound {
    /// Takes in a row group that has values, and the bound that it gives.
    pub(super) fn merge(&mut self, end: End, next: Option<Datum>) {
        let wider = |next: &Datum, held: &Datum| match end {
            End::Lower => next < held,
            End::Upper => next > held,
        };
        *self = match (std::mem::replace(self, Bound::Lost), next) {
            (Bound::Open, Some(next)) => Bound::Known(next),
            (Bound::Known(held), Some(next)) => Bound::Known(if wider(&next, &held) { next } else { held }),
            (Bound::Lost, _) | (_, None) => Bound::Lost,
        };
    }

    pub(super) fn known(&self) -> Option<Datum> {
        match self {
            Bound::Known(datum) => Some(datum.clone()),
            Bound::Open | Bound::Lost => None,
        }
    }
}

/// The bound of a column of type `kind` that a chunk's statistics give. Text is cut to `length` characters, binary
/// to as many bytes: a lower bound by leaving the rest out, an upper one to the next value after all that begin alike.
pub(super) fn of(end: End, kind: &PrimitiveType, statistics: &Statistics, length: usize) -> Option<Datum> {
    let bytes = match end {
        End::Lower => statistics.min_bytes_opt()?,
        End::Upper => statistics.max_bytes_opt()?,
    };
    match (kind, statistics) {
        (PrimitiveType::String, Statistics::ByteArray(_)) => {
            cut_text(end, whole_characters(end, bytes)?, length).map(Datum::string)
        }
        (PrimitiveType::Binary, Statistics::ByteArray(_)) => cut_bytes(end, bytes, length).map(Datum::binary),
        _ => exact(end, kind, statistics, bytes),
    }
}

/// Bounds of types that are not cut. Parquet's plain bytes are Iceberg's single-value bytes, save for a decimal kept
/// as an integer: little-endian there, big-endian here.
fn exact(end: End, kind: &PrimitiveType, statistics: &Statistics, bytes: &[u8]) -> Option<Datum> {
    use PrimitiveType as K;
    use Statistics as S;
    let fits = match (kind, statistics) {
        (K::Boolean, S::Boolean(_)) | (K::Int | K::Date, S::Int32(_)) | (K::Float, S::Float(_)) => true,
        // Columns of these may have been narrower when the file was written.
        (K::Long, S::Int32(_) | S::Int64(_)) | (K::Double, S::Float(_) | S::Double(_)) => true,
        (K::Time | K::Timestamp | K::Timestamptz | K::TimestampNs | K::TimestamptzNs, S::Int64(_)) => true,
        (K::Decimal { .. }, S::Int32(_) | S::Int64(_) | S::FixedLenByteArray(_)) => true,
        // A part of a value is no bound here.
        (K::Uuid, S::FixedLenByteArray(_)) => bytes.len() == 16,
        (K::Fixed(length), S::FixedLenByteArray(_)) => u64::try_from(bytes.len()).is_ok_and(|n| n == *length),
        _ => false,
    };
    if !fits {
        return None;
    }
    let datum = match (kind, statistics) {
        (K::Decimal { .. }, S::Int32(_) | S::Int64(_)) => {
            let turned: Vec<u8> = bytes.iter().rev().copied().collect();
            Datum::try_from_bytes(&turned, kind.clone())
        }
        _ => Datum::try_from_bytes(bytes, kind.clone()),
    };
    datum.ok().filter(|datum| !datum.is_nan()).map(|datum| both_zeros(end, datum))
}

/// Zero is one value to those who compare numbers and two to those who order them: the bound holds for both.
fn both_zeros(end: End, datum: Datum) -> Datum {
    let sign = if end == End::Lower { -1.0 } else { 1.0 };
    match datum.literal() {
        PrimitiveLiteral::Float(value) if value.0 == 0.0 => Datum::float(0_f32.copysign(sign as f32)),
        PrimitiveLiteral::Double(value) if value.0 == 0.0 => Datum::double(0_f64.copysign(sign)),
        _ => datum,
    }
}

/// Whether the bounds of a UUID column hold in both orders that readers have: Java compared the halves of a UUID as
/// signed numbers before Iceberg did it byte by byte.
pub(super) fn agreed(lower: Option<&Datum>, upper: Option<&Datum>) -> bool {
    let negative = |bound: Option<&Datum>| match bound.map(Datum::literal) {
        Some(PrimitiveLiteral::UInt128(value)) => Some(value >> 127 == 1),
        _ => None,
    };
    negative(lower).is_some() && negative(lower) == negative(upper)
}

/// A lower bound that was cut within a character still holds up to there; an upper one cannot be told from damage.
fn whole_characters(end: End, bytes: &[u8]) -> Option<&str> {
    match (std::str::from_utf8(bytes), end) {
        (Ok(text), _) => Some(text),
        (Err(e), End::Lower) => std::str::from_utf8(&bytes[..e.valid_up_to()]).ok(),
        (Err(_), End::Upper) => None,
    }
}

fn cut_text(end: End, text: &str, length: usize) -> Option<String> {
    let Some((cut, _)) = text.char_indices().nth(length) else { return Some(text.to_owned()) };
    if end == End::Lower {
        return Some(text[..cut].to_owned());
    }
    let mut head: Vec<char> = text[..cut].chars().collect();
    while let Some(last) = head.pop() {
        if let Some(next) = successor(last) {
            head.push(next);
            return Some(head.into_iter().collect());
        }
    }
    None
}

fn cut_bytes(end: End, bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    if end == End::Lower || bytes.len() <= length {
        return Some(bytes[..bytes.len().min(length)].to_vec());
    }
    let mut head = bytes[..length].to_vec();
    while let Some(last) = head.pop() {
        if last < u8::MAX {
            head.push(last + 1);
            return Some(head);
        }
    }
    None
}

fn successor(c: char) -> Option<char> {
    // Surrogates are no characters.
    if c == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(c) + 1) }
}

#[cfg(test)]
mod tests {
    use parquet::data_type::ByteArray;
    use parquet::file::statistics::ValueStatistics;

    use super::*;

    fn text(end: End, value: &str) -> Option<Datum> {
        let value = ByteArray::from(value);
        let statistics = ValueStatistics::new(Some(value.clone()), Some(value), None, Some(0), false);
        of(end, &PrimitiveType::String, &Statistics::ByteArray(statistics), 2)
    }

    #[test]
    fn text_is_cut_at_characters_and_rounded_away_from_the_values() {
        assert_eq!(text(End::Lower, "äöü"), Some(Datum::string("äö")));
        assert_eq!(text(End::Upper, "äöü"), Some(Datum::string("ä÷")));
        assert_eq!(text(End::Upper, "äö"), Some(Datum::string("äö")));
        assert_eq!(text(End::Upper, "a\u{10FFFF}x"), Some(Datum::string("b")));
        assert_eq!(text(End::Upper, "\u{10FFFF}\u{10FFFF}x"), None);
        assert_eq!(text(End::Upper, "a\u{D7FF}x"), Some(Datum::string("a\u{E000}")));
    }

    #[test]
    fn an_upper_bound_of_bytes_without_a_successor_is_none() {
        assert_eq!(cut_bytes(End::Upper, &[1, 0xff, 0], 2), Some(vec![2]));
        assert_eq!(cut_bytes(End::Upper, &[0xff, 0xff, 0], 2), None);
        assert_eq!(cut_bytes(End::Lower, &[0xff, 0xff, 0], 2), Some(vec![0xff, 0xff]));
    }

    #[test]
    fn zeros_are_widened_and_nan_is_no_bound() {
        let bound = |end, value: f64| {
            let statistics = Statistics::double(Some(value), Some(value), None, Some(0), false);
            of(end, &PrimitiveType::Double, &statistics, 16)
        };
        let bits = |datum: Datum| datum.to_bytes().unwrap().to_vec();
        assert_eq!(bound(End::Lower, 0.0).map(bits), Some((-0.0_f64).to_le_bytes().to_vec()));
        assert_eq!(bound(End::Upper, -0.0).map(bits), Some(0.0_f64.to_le_bytes().to_vec()));
        assert_eq!(bound(End::Upper, f64::NAN), None);
    }

    #[test]
    fn a_row_group_without_a_bound_takes_it_from_the_file() {
        let mut bound = Bound::Open;
        bound.merge(End::Lower, Some(Datum::long(2)));
        bound.merge(End::Lower, Some(Datum::long(1)));
        assert_eq!(bound.known(), Some(Datum::long(1)));
        bound.merge(End::Lower, None);
        bound.merge(End::Lower, Some(Datum::long(0)));
        assert_eq!(bound.known(), None);
    }

    #[test]
    fn uuids_have_bounds_only_where_signed_and_unsigned_orders_agree() {
        let uuid = |first: u8| Datum::uuid(uuid::Uuid::from_bytes([first; 16]));
        assert!(agreed(Some(&uuid(1)), Some(&uuid(0x7f))));
        assert!(!agreed(Some(&uuid(1)), Some(&uuid(0x80))));
        assert!(!agreed(Some(&uuid(1)), None));
    }
}
