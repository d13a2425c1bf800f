//! What belongs to column chunks beside their pages: page indexes and Bloom filters.

use crate::source::pages::Walked;
use crate::source::thrift::{Kind, Malformed, Reader};
use crate::write::PageBounds;

/// Codes of Thrift's compact protocol: a list of structs, a list with its length apart, and fields that follow
/// the one before.
const STRUCTS: u8 = 0x0C;
const LONG_LIST: u8 = 0xF0;
const NEXT_LIST: u8 = 0x19;
const NEXT_I32: u8 = 0x15;
const NEXT_I64: u8 = 0x16;
const STOP: u8 = 0;

/// The offset index of a chunk that begins at `start`, made from what its pages say; none if they do not tell
/// their rows.
pub(super) fn offset_index(walked: &Walked, start: u64) -> Option<Vec<u8>> {
    let mut index = vec![NEXT_LIST, LONG_LIST | STRUCTS];
    varint(&mut index, walked.pages.len() as u64);
    for page in &walked.pages {
        index.push(NEXT_I64);
        zigzag(&mut index, start + page.offset);
        index.push(NEXT_I32);
        zigzag(&mut index, page.length);
        index.push(NEXT_I64);
        zigzag(&mut index, page.first_row?);
        index.push(STOP);
    }
    index.push(STOP);
    Some(index)
}

fn zigzag(to: &mut Vec<u8>, value: u64) {
    varint(to, value << 1);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Whether `index` is a column index of a chunk with so many data pages, from its first byte to its last. A reader
/// that finds one index of a file wrong may refuse the file, and one that skips pages by wrong bounds hides rows, so
/// that each part is looked at: the bounds of each page that has values hold.
pub(super) fn is_column_index(index: &[u8], pages: usize, judge: PageBounds) -> bool {
    let wrong = Err(Malformed::Wrong("it is no column index"));
    let mut nulls = Vec::new();
    let mut ordered = false;
    let mut smallest = Vec::new();
    let mut largest = Vec::new();
    let mut reader = Reader::new(index);
    let read = reader.fields(|reader, id, kind| {
        let count = match (id, kind) {
            (1, Kind::List) => reader.elements(|reader, kind| match (kind, reader.byte()?) {
                (Kind::True | Kind::False, value @ (0..=2)) => {
                    nulls.push(value == 1);
                    Ok(())
                }
                _ => wrong,
            })?,
            (2 | 3, Kind::List) => {
                let bounds = if id == 2 { &mut smallest } else { &mut largest };
                reader.elements(|reader, kind| match kind {
                    Kind::Binary => {
                        bounds.push(reader.binary()?);
                        Ok(())
                    }
                    _ => wrong,
                })?
            }
            (4, Kind::Integer) => {
                ordered = (0..=2).contains(&reader.i32()?);
                return Ok(());
            }
            (5, Kind::List) => reader.elements(numbers)?,
            // Histograms of levels: as many as there are levels, for each page.
            (6 | 7, Kind::List) => {
                let count = reader.elements(numbers)?;
                if count.is_multiple_of(pages) { pages } else { return wrong }
            }
            _ => return wrong,
        };
        if count == pages { Ok(()) } else { wrong }
    });
    let whole = [nulls.len(), smallest.len(), largest.len()] == [pages; 3];
    let holds = |page: usize| nulls[page] || judge.hold(smallest[page], largest[page]);
    read.is_ok() && reader.left() == 0 && ordered && whole && (0..pages).all(holds)
}

fn numbers(reader: &mut Reader<'_>, kind: Kind) -> Result<(), Malformed> {
    match kind {
        Kind::Integer if reader.integer()? >= 0 => Ok(()),
        _ => Err(Malformed::Wrong("it has something else than counts")),
    }
}

/// Whether `filter` is a Bloom filter of the one kind that there is, from its first byte to its last.
pub(super) fn is_bloom_filter(filter: &[u8]) -> bool {
    let mut reader = Reader::new(filter);
    let mut length = None;
    let mut known = 0;
    let read = reader.fields(|reader, id, kind| match (id, kind) {
        (1, Kind::Integer) => {
            length = usize::try_from(reader.i32()?).ok();
            Ok(())
        }
        // Algorithm, hash and compression: unions of which only the first member is defined.
        (2..=4, Kind::Struct) => reader.fields(|reader, member, kind| {
            known += usize::from(member == 1);
            reader.skip(kind)
        }),
        (_, other) => reader.skip(other),
    });
    read.is_ok() && known == 3 && length == Some(reader.left())
}
