//! A look at a footer's bytes before they are decoded.
//!
//! The decoder allocates as many elements as a list says it has, and descends as deep as the schema says it is. A
//! process does not survive either when the numbers are absurd, so they are checked first.

use super::thrift::{Kind, Malformed, Reader};

/// Bytes that a footer may take in memory once it is decoded, by the estimates below.
const MAX_DECODED: usize = 512 * 1024 * 1024;
/// Groups within one another in a schema. Decoders descend into them on their stack.
const MAX_NESTING: usize = 100;
/// What the decoder holds for a column chunk, for an element of another list of structs, texts or lists, and for
/// an element of a list of numbers; rounded up.
const CHUNK_BYTES: usize = 1024;
const ELEMENT_BYTES: usize = 256;
const NUMBER_BYTES: usize = 8;

/// Fields of `FileMetaData`, `RowGroup` and `SchemaElement`.
const SCHEMA: i16 = 2;
const ROW_GROUPS: i16 = 4;
const ENCRYPTION: i16 = 8;
const COLUMNS: i16 = 1;
const CHILDREN: i16 = 5;

/// Checks that a footer can be decoded in bounded memory.
///
/// # Errors
/// The text says what is wrong with it.
pub(super) fn check(footer: &[u8]) -> Result<(), String> {
    let mut guard = Guard::default();
    let mut encrypted = false;
    Reader::new(footer)
        .fields(|reader, id, kind| match (id, kind) {
            (SCHEMA, Kind::List) => guard.schema(reader),
            (ROW_GROUPS, Kind::List) => guard.row_groups(reader),
            (id, _) => {
                encrypted |= id == ENCRYPTION;
                guard.value(reader, kind)
            }
        })
        .map_err(|e| format!("damaged: its footer cannot be read: {}", e.reason()))?;
    if encrypted {
        return Err("columns of the file are encrypted; encrypted Parquet is not supported".to_owned());
    }
    Ok(())
}

#[derive(Default)]
struct Guard {
    decoded: usize,
}

impl Guard {
    /// Notes `count` elements before anything is made for them.
    fn count(&mut self, count: usize, bytes: usize) -> Result<(), Malformed> {
        self.decoded = self.decoded.saturating_add(count.saturating_mul(bytes));
        if self.decoded > MAX_DECODED {
            return Err(Malformed::Wrong("its lists are too long"));
        }
        Ok(())
    }

    fn value(&mut self, reader: &mut Reader<'_>, kind: Kind) -> Result<(), Malformed> {
        match kind {
            Kind::Struct => reader.fields(|reader, _, kind| self.value(reader, kind)),
            Kind::List => self.list(reader, ELEMENT_BYTES, |guard, reader, kind| match kind {
                Kind::Struct | Kind::List => guard.value(reader, kind),
                _ => reader.skip_element(kind),
            }),
            _ => reader.skip(kind),
        }
    }

    fn list(
        &mut self,
        reader: &mut Reader<'_>,
        bytes: usize,
        mut element: impl FnMut(&mut Self, &mut Reader<'_>, Kind) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let (kind, count) = reader.clone().list()?;
        let simple = !matches!(kind, Kind::Struct | Kind::List | Kind::Binary);
        self.count(count, if simple { NUMBER_BYTES } else { bytes })?;
        reader.elements(|reader, kind| element(self, reader, kind)).map(drop)
    }

    fn row_groups(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        self.list(reader, ELEMENT_BYTES, |guard, reader, kind| {
            structure(kind)?;
            reader.fields(|reader, id, kind| match (id, kind) {
                (COLUMNS, Kind::List) => guard.list(reader, CHUNK_BYTES, Self::value),
                _ => guard.value(reader, kind),
            })
        })
    }

    /// The schema is a tree in the order of a walk from its root: each element says how many of the next are its
    /// children.
    fn schema(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let left = reader.clone().list()?.1;
        // Children that are still to come, for each group on the way down.
        let mut open = vec![1usize];
        let mut seen = 0;
        self.list(reader, ELEMENT_BYTES, |guard, reader, kind| {
            structure(kind)?;
            let mut children = 0;
            reader.fields(|reader, id, kind| match (id, kind) {
                (CHILDREN, Kind::Integer) => {
                    children = usize::try_from(reader.i32()?)
                        .map_err(|_| Malformed::Wrong("its schema has a negative number of children"))?;
                    Ok(())
                }
                _ => guard.value(reader, kind),
            })?;
            seen += 1;
            while open.last() == Some(&0) {
                open.pop();
            }
            let siblings = open.last_mut().ok_or(Malformed::Wrong("its schema has more than one root"))?;
            *siblings -= 1;
            if children > left - seen {
                return Err(Malformed::Wrong("its schema has fewer columns than it says"));
            }
            open.push(children);
            if open.len() > MAX_NESTING {
                return Err(Malformed::Wrong("its schema nests too deep"));
            }
            Ok(())
        })
    }
}

fn structure(kind: Kind) -> Result<(), Malformed> {
    if kind == Kind::Struct { Ok(()) } else { Err(Malformed::Wrong("it has a list of the wrong type")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field header, one field on from the last.
    const LIST: u8 = 0x19;
    const STRUCTS: u8 = 0xFC;

    /// A number as lists and lengths have it.
    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn schema(elements: &[Option<u64>]) -> Vec<u8> {
        let mut footer = vec![LIST + 0x10, STRUCTS];
        footer.extend(varint(elements.len() as u64));
        for children in elements {
            if let Some(children) = children {
                footer.push(0x55);
                footer.extend(varint(children << 1));
            }
            footer.push(0);
        }
        footer.push(0);
        footer
    }

    #[test]
    fn a_schema_is_a_tree() {
        check(&schema(&[Some(2), Some(1), None, None])).unwrap();
        check(&schema(&[Some(2), None, Some(1), None])).unwrap();
        for wrong in [&[None, None][..], &[Some(1), None, None], &[Some(1 << 30), None]] {
            let reason = check(&schema(wrong)).unwrap_err();
            assert!(reason.contains("schema"), "{reason}");
        }
    }

    #[test]
    fn a_schema_that_nests_without_end_is_refused() {
        let mut elements = vec![Some(1); 1000];
        elements.push(None);
        assert!(check(&schema(&elements)).unwrap_err().contains("deep"));
    }

    #[test]
    fn counts_that_would_take_all_memory_are_refused() {
        // 2^30 row groups in a footer of a few bytes.
        let mut footer = vec![LIST + 0x30, STRUCTS];
        footer.extend(varint(1 << 30));
        footer.extend([0, 0]);
        assert!(check(&footer).unwrap_err().contains("too early"));
        // Row groups that are there, but empty: a byte each in the file, hundreds in memory.
        let many = 4 * 1024 * 1024;
        let mut footer = vec![LIST + 0x30, STRUCTS];
        footer.extend(varint(many as u64));
        footer.extend(std::iter::repeat_n(0, many + 1));
        assert!(check(&footer).unwrap_err().contains("too long"));
    }
}
