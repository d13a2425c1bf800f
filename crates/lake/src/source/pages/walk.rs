//! A walk over the pages of one column chunk while its bytes pass by.

use std::collections::BTreeMap;

use crc32fast::Hasher;
use parquet::basic::{Encoding, PageType};

use super::header::{MAX_HEADER, Page, PageHeader};
use crate::source::thrift::Malformed;

/// Pages of one chunk. More of them would make an index that is worth nothing; they are noted one by one.
const MAX_PAGES: usize = 100_000;

/// What the footer says of a chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// Bytes, headers included.
    pub(crate) length: u64,
    /// Values, nulls included.
    pub(crate) values: u64,
    /// Rows of the row group.
    pub(crate) rows: u64,
    /// Whether the chunk has a codec.
    pub(crate) compressed: bool,
    /// The largest definition level of the column.
    pub(crate) definition: i16,
    /// The largest repetition level of the column.
    pub(crate) repetition: i16,
    /// Bits of a plain value, if all take as many.
    pub(crate) bits: Option<u64>,
}

/// What is the matter with a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is damaged.
    Wrong(String),
    /// It may be right, but not every reader would say so: it is better decoded and encoded anew.
    Unusual(String),
}

/// Where a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PagePlace {
    /// Bytes from the start of the chunk.
    pub(crate) offset: u64,
    /// Bytes, header included.
    pub(crate) length: u64,
    /// The first of its rows in the row group; unknown where rows are not told from values.
    pub(crate) first_row: Option<u64>,
}

/// What was found in a chunk that is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Its data pages, in order.
    pub(crate) pages: Vec<PagePlace>,
    /// Whether a dictionary stands before them.
    pub(crate) dictionary: bool,
    /// Bytes that it has once decompressed, headers included.
    pub(crate) uncompressed: u64,
    /// How many pages of each type have which encoding; by their numbers in the format.
    pub(crate) encodings: BTreeMap<(i32, i32), (PageType, Encoding, i32)>,
    values: u64,
    rows: Option<u64>,
}

/// Checks a chunk that is fed piece by piece, wherever the pieces are cut.
#[derive(Debug)]
pub(crate) struct ChunkWalk {
    expected: Expected,
    /// Bytes fed.
    at: u64,
    /// A header that is not there as a whole yet.
    begun: Vec<u8>,
    page: Option<Body>,
    found: Walked,
}

/// The page that is under way.
#[derive(Debug)]
struct Body {
    left: u32,
    crc: Option<(Hasher, u32)>,
}

impl ChunkWalk {
    pub(crate) fn new(expected: Expected) -> Self {
        let found = Walked { rows: Some(0), ..Walked::default() };
        Self { expected, at: 0, begun: Vec::new(), page: None, found }
    }

    /// Bytes of the chunk that are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.expected.length - self.at
    }

    /// Takes in the next bytes of the chunk, of which there are no more than are left.
    ///
    /// # Errors
    /// See [`Fault`].
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        if bytes.len() as u64 > self.left() {
            return Err(Fault::Wrong("it is longer than the footer says".to_owned()));
        }
        while !bytes.is_empty() {
            let taken = match &mut self.page {
                Some(page) => {
                    let taken = bytes.len().min(page.left as usize);
                    page.take(&bytes[..taken]);
                    taken
                }
                None => self.header(bytes)?,
            };
            self.at += taken as u64;
            bytes = &bytes[taken..];
            if self.page.as_ref().is_some_and(|page| page.left == 0) {
                self.page.take().expect("it was just seen").close()?;
            }
        }
        Ok(())
    }

    /// The chunk is over.
    ///
    /// # Errors
    /// See [`Fault`].
    pub(crate) fn finish(self) -> Result<Walked, Fault> {
        if self.left() > 0 || self.page.is_some() || !self.begun.is_empty() {
            return Err(Fault::Wrong("its last page is cut off".to_owned()));
        }
        let Expected { values, rows, .. } = self.expected;
        let found = self.found;
        if found.values != values {
            return Err(Fault::Wrong(format!(
                "the footer promises {values} values, the pages say {}",
                found.values
            )));
        }
        match found.rows {
            Some(found) if found != rows => {
                Err(Fault::Wrong(format!("the footer promises {rows} rows, the pages say {found}")))
            }
            _ => Ok(found),
        }
    }

    /// Reads a header and returns how many of `bytes` belong to it.
    fn header(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let before = self.begun.len();
        let header = if before == 0 {
            PageHeader::read(bytes)
        } else {
            self.begun.extend_from_slice(&bytes[..bytes.len().min(MAX_HEADER - before)]);
            PageHeader::read(&self.begun)
        };
        match header {
            Ok(header) => {
                self.begun.clear();
                let taken = header.length - before;
                self.begin(&header, self.at + taken as u64)?;
                Ok(taken)
            }
            Err(Malformed::Cut) => {
                if before == 0 {
                    self.begun.extend_from_slice(bytes);
                }
                Ok(self.begun.len() - before)
            }
            Err(Malformed::Wrong(reason)) => Err(Fault::Wrong(format!("a page header is damaged: {reason}"))),
        }
    }

    /// A page begins; its header ends at `end`.
    fn begin(&mut self, header: &PageHeader, end: u64) -> Result<(), Fault> {
        let length = header.length as u64 + u64::from(header.compressed);
        if u64::from(header.compressed) > self.expected.length - end {
            // Old writers give some chunks too short a length; the decoder knows what it makes of it.
            return unusual("a page goes on past the end that the footer gives");
        }
        let place = PagePlace {
            offset: end - header.length as u64,
            length,
            first_row: self.found.rows.filter(|_| self.found.pages.len() < MAX_PAGES),
        };
        self.found.uncompressed += header.length as u64 + u64::from(header.uncompressed);
        match header.page {
            Page::Data { values, encoding, definition, repetition } => {
                self.plain_size(header, self.expected.compressed)?;
                self.values_size(u64::from(header.uncompressed), values, 0, encoding)?;
                let levels = (self.expected.definition > 0 && definition != Some(Encoding::RLE))
                    || (self.expected.repetition > 0 && repetition != Some(Encoding::RLE));
                if levels {
                    return unusual("its levels have an old encoding");
                }
                // Without repetition a value is a row; with it, the header does not tell.
                let rows = (self.expected.repetition == 0).then_some(values);
                self.data(place, values, rows, encoding, PageType::DATA_PAGE)?;
            }
            Page::DataV2 { values, nulls, rows, encoding, levels, is_compressed } => {
                let compressed = self.expected.compressed && is_compressed;
                self.plain_size(header, compressed)?;
                if compressed && header.compressed == levels {
                    return unusual("it has a compressed page without values, which not every reader takes");
                }
                if nulls > values || rows > values || (self.expected.repetition == 0 && rows != values) {
                    return wrong("the numbers of values, nulls and rows of a page contradict one another");
                }
                let size = u64::from(header.uncompressed).saturating_sub(u64::from(levels));
                self.values_size(size, values, nulls, encoding)?;
                self.data(place, values, Some(rows), encoding, PageType::DATA_PAGE_V2)?;
            }
            Page::Dictionary { encoding, .. } => {
                self.plain_size(header, self.expected.compressed)?;
                if place.offset > 0 {
                    return wrong("a dictionary stands after another page");
                }
                match encoding {
                    Some(encoding @ (Encoding::PLAIN | Encoding::PLAIN_DICTIONARY)) => {
                        self.found.dictionary = true;
                        self.note(PageType::DICTIONARY_PAGE, encoding);
                    }
                    _ => return unusual("its dictionary has an encoding that not every reader takes"),
                }
            }
            Page::Other => return unusual("it has a page that is neither data nor dictionary"),
        }
        let crc = header.crc.map(|expected| (Hasher::new(), expected));
        self.page = Some(Body { left: header.compressed, crc });
        Ok(())
    }

    fn plain_size(&self, header: &PageHeader, compressed: bool) -> Result<(), Fault> {
        if !compressed && header.compressed != header.uncompressed {
            return wrong("a page that is not compressed has two sizes");
        }
        Ok(())
    }

    /// Plain values of a required column fill a page to the bit.
    fn values_size(&self, size: u64, values: u32, nulls: u32, encoding: Option<Encoding>) -> Result<(), Fault> {
        if self.expected.definition > 0 || self.expected.repetition > 0 {
            return Ok(());
        }
        let Some(bits) = self.expected.bits.filter(|_| encoding == Some(Encoding::PLAIN)) else { return Ok(()) };
        if nulls > 0 || size != (u64::from(values) * bits).div_ceil(8) {
            return wrong("a page of a required column does not have the bytes that its values take");
        }
        Ok(())
    }

    fn data(
        &mut self,
        place: PagePlace,
        values: u32,
        rows: Option<u32>,
        encoding: Option<Encoding>,
        page_type: PageType,
    ) -> Result<(), Fault> {
        match encoding {
            Some(Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY) if !self.found.dictionary => {
                return wrong("a page refers to a dictionary that is not there");
            }
            Some(encoding @ (Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY)) => {
                self.note(page_type, encoding);
            }
            _ => return unusual("its values have an encoding that not every reader takes"),
        }
        if self.found.pages.len() == MAX_PAGES {
            return unusual("it has too many pages");
        }
        self.found.pages.push(place);
        self.found.values += u64::from(values);
        self.found.rows = self.found.rows.zip(rows).map(|(before, rows)| before + u64::from(rows));
        if self.found.values > self.expected.values {
            return wrong("its pages have more values than the footer promises");
        }
        Ok(())
    }

    fn note(&mut self, page_type: PageType, encoding: Encoding) {
        let key = (page_type as i32, encoding as i32);
        self.found.encodings.entry(key).or_insert((page_type, encoding, 0)).2 += 1;
    }
}

impl Body {
    fn take(&mut self, bytes: &[u8]) {
        if let Some((hasher, _)) = &mut self.crc {
            hasher.update(bytes);
        }
        self.left -= u32::try_from(bytes.len()).expect("no more is taken than is left");
    }

    fn close(self) -> Result<(), Fault> {
        let Some((hasher, expected)) = self.crc else { return Ok(()) };
        if hasher.finalize() == expected {
            Ok(())
        } else {
            wrong("a page does not have the checksum that its header gives")
        }
    }
}

fn wrong<T>(reason: &str) -> Result<T, Fault> {
    Err(Fault::Wrong(reason.to_owned()))
}

fn unusual<T>(reason: &str) -> Result<T, Fault> {
    Err(Fault::Unusual(reason.to_owned()))
}
