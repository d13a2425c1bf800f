//! The header of one page.

use parquet::basic::Encoding;

use crate::source::thrift::{Kind, Malformed, Reader};

/// A page header is at most this long. It may hold the smallest and the largest value, which are as long as values
/// are; writers cut them.
pub(crate) const MAX_HEADER: usize = 1024 * 1024;
/// A page is at most this long, as it stands in the file and once it is decompressed: a decoder has to hold it as a
/// whole. Writers aim at 1 MiB, `DuckDB` goes to 100 MB.
pub(crate) const MAX_PAGE: u32 = 256 * 1024 * 1024;

/// A page has at most this many values, nulls included: they may take a bit for thousands of them in the file, and
/// bytes each once decoded. Writers aim at 20,000 rows.
pub(crate) const MAX_VALUES: u32 = 64 * 1024 * 1024;

/// What a page header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// Bytes of the header itself.
    pub(crate) length: usize,
    /// Bytes of the page that follow the header; at most [`MAX_PAGE`].
    pub(crate) compressed: u32,
    /// Bytes of the page once it is decompressed; at most [`MAX_PAGE`].
    pub(crate) uncompressed: u32,
    /// CRC-32 of the bytes that follow the header.
    pub(crate) crc: Option<u32>,
    /// What it is a page of.
    pub(crate) page: Page,
}

/// What is special to a kind of page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// Values with their levels, compressed together.
    Data {
        values: u32,
        encoding: Option<Encoding>,
        definition: Option<Encoding>,
        repetition: Option<Encoding>,
    },
    /// Values; their levels stand before them, never compressed.
    DataV2 {
        values: u32,
        nulls: u32,
        rows: u32,
        encoding: Option<Encoding>,
        /// Bytes of the levels.
        levels: u32,
        is_compressed: bool,
    },
    /// The values that other pages refer to.
    Dictionary { values: u32, encoding: Option<Encoding> },
    /// Any other.
    Other,
}

/// The encodings that this crate has a use for; any other is none.
fn encoding(code: i32) -> Option<Encoding> {
    Some(match code {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        8 => Encoding::RLE_DICTIONARY,
        _ => return None,
    })
}

fn size(value: i32) -> Result<u32, Malformed> {
    u32::try_from(value).map_err(|_| Malformed::Wrong("it has a negative size or number"))
}

fn missing<T>(value: Option<T>) -> Result<T, Malformed> {
    value.ok_or(Malformed::Wrong("it lacks a field that every page has"))
}

impl PageHeader {
    /// Whether the page holds the values that others refer to.
    pub(crate) fn is_dictionary(&self) -> bool {
        matches!(self.page, Page::Dictionary { .. })
    }

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// [`Malformed::Cut`] if it may be right with more bytes.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = &bytes[..bytes.len().min(MAX_HEADER)];
        let mut reader = Reader::new(bytes);
        let (mut kind, mut crc) = (None, None);
        let [mut uncompressed, mut compressed] = [None; 2];
        let [mut data, mut dictionary, mut data_v2] = [const { None }; 3];
        let read = reader.fields(|reader, id, field| {
            match (id, field) {
                (1, Kind::Integer) => kind = Some(reader.i32()?),
                (2, Kind::Integer) => uncompressed = Some(size(reader.i32()?)?),
                (3, Kind::Integer) => compressed = Some(size(reader.i32()?)?),
                (4, Kind::Integer) => crc = Some(reader.i32()?.cast_unsigned()),
                (5, Kind::Struct) => data = Some(data_page(reader)?),
                (7, Kind::Struct) => dictionary = Some(dictionary_page(reader)?),
                (8, Kind::Struct) => data_v2 = Some(data_page_v2(reader)?),
                (_, other) => reader.skip(other)?,
            }
            Ok(())
        });
        match read {
            Err(Malformed::Cut) if bytes.len() == MAX_HEADER => {
                return Err(Malformed::Wrong("it is longer than a page header ever is"));
            }
            read => read?,
        }
        let page = match missing(kind)? {
            0 => missing(data)?,
            2 => missing(dictionary)?,
            3 => missing(data_v2)?,
            _ => Page::Other,
        };
        let header = Self {
            length: bytes.len() - reader.left(),
            compressed: missing(compressed)?,
            uncompressed: missing(uncompressed)?,
            crc,
            page,
        };
        if header.compressed > MAX_PAGE || header.uncompressed > MAX_PAGE {
            return Err(Malformed::Wrong("its page is larger than 256 MiB"));
        }
        let (Page::Data { values, .. } | Page::DataV2 { values, .. } | Page::Dictionary { values, .. }) =
            header.page
        else {
            return Ok(header);
        };
        if values > MAX_VALUES {
            return Err(Malformed::Wrong("its page has more than 67108864 values"));
        }
        if let Page::Dictionary { values, .. } = header.page
            && values > header.uncompressed
        {
            return Err(Malformed::Wrong("its dictionary has more values than bytes"));
        }
        if let Page::DataV2 { levels, .. } = header.page
            && levels > header.compressed.min(header.uncompressed)
        {
            return Err(Malformed::Wrong("its levels are longer than the page"));
        }
        Ok(header)
    }
}

fn data_page(reader: &mut Reader<'_>) -> Result<Page, Malformed> {
    let [mut values, mut value_encoding, mut definition, mut repetition] = [None; 4];
    reader.fields(|reader, id, field| {
        match (id, field) {
            (1, Kind::Integer) => values = Some(reader.i32()?),
            (2, Kind::Integer) => value_encoding = Some(reader.i32()?),
            (3, Kind::Integer) => definition = Some(reader.i32()?),
            (4, Kind::Integer) => repetition = Some(reader.i32()?),
            (_, other) => reader.skip(other)?,
        }
        Ok(())
    })?;
    Ok(Page::Data {
        values: size(missing(values)?)?,
        encoding: encoding(missing(value_encoding)?),
        definition: encoding(missing(definition)?),
        repetition: encoding(missing(repetition)?),
    })
}

fn dictionary_page(reader: &mut Reader<'_>) -> Result<Page, Malformed> {
    let [mut values, mut value_encoding] = [None; 2];
    reader.fields(|reader, id, field| {
        match (id, field) {
            (1, Kind::Integer) => values = Some(reader.i32()?),
            (2, Kind::Integer) => value_encoding = Some(reader.i32()?),
            (_, other) => reader.skip(other)?,
        }
        Ok(())
    })?;
    Ok(Page::Dictionary { values: size(missing(values)?)?, encoding: encoding(missing(value_encoding)?) })
}

fn data_page_v2(reader: &mut Reader<'_>) -> Result<Page, Malformed> {
    let mut numbers = [None; 6];
    let mut is_compressed = true;
    reader.fields(|reader, id, field| {
        match (id, field) {
            (1..=6, Kind::Integer) => numbers[usize::from(id.unsigned_abs()) - 1] = Some(reader.i32()?),
            (7, Kind::True | Kind::False) => is_compressed = field == Kind::True,
            (_, other) => reader.skip(other)?,
        }
        Ok(())
    })?;
    let [values, nulls, rows, value_encoding, definition, repetition] = numbers;
    let levels = size(missing(definition)?)?
        .checked_add(size(missing(repetition)?)?)
        .ok_or(Malformed::Wrong("its levels are longer than the page"))?;
    Ok(Page::DataV2 {
        values: size(missing(values)?)?,
        nulls: size(missing(nulls)?)?,
        rows: size(missing(rows)?)?,
        encoding: encoding(missing(value_encoding)?),
        levels,
        is_compressed,
    })
}
