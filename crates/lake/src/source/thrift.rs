//! Reading Thrift's compact protocol out of bytes that are not trusted: nothing is allocated, nothing nests without
//! end, and no list is longer than what is left to hold it.

/// Structs and lists within one another. Parquet's own need 7.
const MAX_DEPTH: usize = 32;
/// Bytes of the longest varint: 64 bits, 7 a byte.
const MAX_VARINT: u32 = 10;

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// They end too early; with more of them it may be right.
    Cut,
    /// They are wrong, whatever follows.
    Wrong(&'static str),
}

impl Malformed {
    /// What to tell of bytes of which there are no more.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Malformed::Cut => "it ends too early, or a length in it is too large",
            Malformed::Wrong(reason) => reason,
        }
    }
}

/// Type of a field or an element. A field of type `True` or `False` is its own value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    True,
    False,
    Byte,
    /// 16, 32 and 64 bits look the same.
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
}

impl Kind {
    fn of(code: u8) -> Result<Self, Malformed> {
        Ok(match code {
            1 => Kind::True,
            2 => Kind::False,
            3 => Kind::Byte,
            4..=6 => Kind::Integer,
            7 => Kind::Double,
            8 => Kind::Binary,
            9 | 10 => Kind::List,
            11 => Kind::Map,
            12 => Kind::Struct,
            _ => return Err(Malformed::Wrong("it has a field of an unknown type")),
        })
    }
}

/// Reads on from where the last read ended.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// How many bytes were not read yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Hands each field of a struct to `field`, which reads the value or skips it.
    pub(crate) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, i16, Kind) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.nested(|reader| {
            let mut id = 0i16;
            loop {
                let header = reader.byte()?;
                if header == 0 {
                    return Ok(());
                }
                id = match header >> 4 {
                    0 => i16::try_from(reader.integer()?)
                        .map_err(|_| Malformed::Wrong("it has a field id out of range"))?,
                    step => id
                        .checked_add(i16::from(step))
                        .ok_or(Malformed::Wrong("it has a field id out of range"))?,
                };
                field(reader, id, Kind::of(header & 0x0F)?)?;
            }
        })
    }

    /// Begins a list: the type and the number of its elements. Each takes a byte at least, so that there are never
    /// more than bytes left.
    pub(crate) fn list(&mut self) -> Result<(Kind, usize), Malformed> {
        let header = self.byte()?;
        if header == 0 {
            // Some writers give an empty list no element type.
            return Ok((Kind::Byte, 0));
        }
        let count = match header >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Malformed::Cut)?,
            count => usize::from(count),
        };
        if count > self.rest.len() {
            return Err(Malformed::Cut);
        }
        Ok((Kind::of(header & 0x0F)?, count))
    }

    /// Hands each element of a list to `element`.
    pub(crate) fn elements(
        &mut self,
        mut element: impl FnMut(&mut Self, Kind) -> Result<(), Malformed>,
    ) -> Result<usize, Malformed> {
        self.nested(|reader| {
            let (kind, count) = reader.list()?;
            for _ in 0..count {
                element(reader, kind)?;
            }
            Ok(count)
        })
    }

    pub(crate) fn integer(&mut self) -> Result<i64, Malformed> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        i32::try_from(self.integer()?).map_err(|_| Malformed::Wrong("it has a number out of range"))
    }

    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Cut)?;
        self.take(length)
    }

    /// Skips the value of a field.
    pub(crate) fn skip(&mut self, kind: Kind) -> Result<(), Malformed> {
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.take(1).map(drop),
            Kind::Integer => self.varint().map(drop),
            Kind::Double => self.take(8).map(drop),
            Kind::Binary => self.binary().map(drop),
            Kind::List => self.elements(Self::skip_element).map(drop),
            Kind::Map => Err(Malformed::Wrong("it has a map, which Parquet does not use")),
            Kind::Struct => self.fields(Self::skip_field),
        }
    }

    /// Skips an element of a list: there, a truth value is a byte of its own.
    pub(crate) fn skip_element(&mut self, kind: Kind) -> Result<(), Malformed> {
        self.skip(if matches!(kind, Kind::True | Kind::False) { Kind::Byte } else { kind })
    }

    fn skip_field(&mut self, _: i16, kind: Kind) -> Result<(), Malformed> {
        self.skip(kind)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<T, Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed::Wrong("it nests too deep"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// One byte, which is also a truth value in a list.
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed::Cut)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for place in 0..MAX_VARINT {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Wrong("it has a number without end"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_read_as_they_are_written() {
        let read = |bytes: &[u8]| Reader::new(bytes).integer();
        assert_eq!((read(&[0]), read(&[1]), read(&[0x80, 1])), (Ok(0), Ok(-1), Ok(64)));
        assert_eq!(read(&[0x80]), Err(Malformed::Cut));
        assert!(matches!(read(&[0xFF; 11]), Err(Malformed::Wrong(_))));
    }

    #[test]
    fn a_list_longer_than_its_bytes_is_cut() {
        assert_eq!(Reader::new(&[0xF5, 0xFF, 0xFF, 0xFF, 0x7F, 1, 2]).list(), Err(Malformed::Cut));
        assert_eq!(Reader::new(&[0x25, 1, 2]).list(), Ok((Kind::Integer, 2)));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let lists = [0x19u8; 10_000];
        assert!(matches!(Reader::new(&lists).skip(Kind::List), Err(Malformed::Wrong(_))));
        let structs = [0x1Cu8; 10_000];
        assert!(matches!(Reader::new(&structs).skip(Kind::Struct), Err(Malformed::Wrong(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_skipped_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Reader::new(&bytes).skip(Kind::Struct);
        }
    }
}
