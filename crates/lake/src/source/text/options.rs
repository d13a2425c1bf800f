//! What a table or a request says of its text files.

use super::value::Times;
use crate::options::OptionError;

const DELIMITER: &str = "csv.delimiter";
const QUOTE: &str = "csv.quote";
const ESCAPE: &str = "csv.escape";
const HEADER: &str = "csv.header";
const NULL: &str = "csv.null";
const TRIM: &str = "csv.trim";
const DATE_FORMAT: &str = "text.date-format";
const TIMESTAMP_FORMAT: &str = "text.timestamp-format";
const TIMEZONE: &str = "text.timezone";
const COMPRESSION: &str = "text.compression";
const BAD_ROWS: &str = "text.bad-rows";
const BAD_ROWS_LIMIT: &str = "text.bad-rows-limit";

/// Rows that may be left out of a file unless told otherwise.
const DEFAULT_LIMIT: u64 = 1_000;
/// Null markers that a table may have: each unquoted field is compared with each.
const MAX_NULL_MARKERS: usize = 64;

/// How text files are read.
#[derive(Debug, Clone, PartialEq)]
pub struct TextOptions {
    /// What separates fields. One ASCII character, not a letter of a line end.
    pub delimiter: u8,
    /// What a quoted field begins and ends with; none if quotes are data.
    pub quote: Option<u8>,
    /// What makes the next character of a quoted field data, beside the doubled quote.
    pub escape: Option<u8>,
    /// Whether the first row holds the names of the columns. Without it they are the table's, in its order.
    pub header: bool,
    /// What an unquoted field has to be to mean null, beside nothing at all.
    pub null: Vec<String>,
    /// Whether blanks around fields, outside of quotes, are no data.
    pub trim: bool,
    /// How dates and timestamps are written.
    pub(super) times: Times,
    /// How the file is compressed.
    pub compression: Compression,
    /// What becomes of a file with rows that cannot be taken.
    pub bad_rows: BadRows,
    /// Names of columns that differ only in the case of their letters are the same. Not an option of its own: it
    /// follows the table's.
    pub ignore_case: bool,
}

/// Option `text.compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As the first bytes of the file say.
    Auto,
    /// Not at all.
    None,
    /// One or more gzip members.
    Gzip,
    /// One or more zstd frames.
    Zstd,
}

/// Option `text.bad-rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRows {
    /// The file is at fault; its reason names the first bad row.
    Quarantine,
    /// They are left out and reported.
    Skip {
        /// Rows; with more of them the file is at fault.
        limit: u64,
    },
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            header: true,
            null: Vec::new(),
            trim: false,
            times: Times::default(),
            compression: Compression::Auto,
            bad_rows: BadRows::Quarantine,
            ignore_case: false,
        }
    }
}

impl TextOptions {
    /// The names of all options: of tables after `event-ingest.`, of requests as they are. What they mean is in
    /// `docs/text.md`.
    pub const NAMES: [&str; 12] = [
        DELIMITER,
        QUOTE,
        ESCAPE,
        HEADER,
        NULL,
        TRIM,
        DATE_FORMAT,
        TIMESTAMP_FORMAT,
        TIMEZONE,
        COMPRESSION,
        BAD_ROWS,
        BAD_ROWS_LIMIT,
    ];

    /// The options that `get` finds by their names, the others at their defaults.
    ///
    /// # Errors
    /// A value that is not known.
    pub fn of<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, OptionError> {
        let flag = |name: &str, default: bool| match get(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(given) => Err(bad(name, "`true` or `false`", given)),
        };
        let default = Self::default();
        let delimiter = match get(DELIMITER) {
            None => default.delimiter,
            Some(given) => character(given).ok_or_else(|| bad(DELIMITER, ONE_CHARACTER, given))?,
        };
        let mark = |name: &str, default: Option<u8>| match get(name) {
            None => Ok(default),
            Some("none") => Ok(None),
            Some(given) => match character(given) {
                Some(byte) if byte != delimiter => Ok(Some(byte)),
                _ => Err(bad(name, "`none` or one ASCII character other than the delimiter", given)),
            },
        };
        let quote = mark(QUOTE, default.quote)?;
        if quote == Some(delimiter) {
            return Err(bad(
                DELIMITER,
                "a character other than the quote",
                &char::from(delimiter).to_string(),
            ));
        }
        let limit = match get(BAD_ROWS_LIMIT) {
            None => DEFAULT_LIMIT,
            Some(given) => given.parse().map_err(|_| bad(BAD_ROWS_LIMIT, "a whole number of rows", given))?,
        };
        Ok(Self {
            delimiter,
            quote,
            escape: mark(ESCAPE, default.escape)?.filter(|escape| Some(*escape) != quote),
            header: flag(HEADER, default.header)?,
            null: markers(get(NULL))?,
            trim: flag(TRIM, default.trim)?,
            times: times(&get)?,
            compression: match get(COMPRESSION) {
                None | Some("auto") => Compression::Auto,
                Some("none") => Compression::None,
                Some("gzip") => Compression::Gzip,
                Some("zstd") => Compression::Zstd,
                Some(given) => return Err(bad(COMPRESSION, "`auto`, `none`, `gzip` or `zstd`", given)),
            },
            bad_rows: match get(BAD_ROWS) {
                None | Some("quarantine") => BadRows::Quarantine,
                Some("skip") => BadRows::Skip { limit },
                Some(given) => return Err(bad(BAD_ROWS, "`quarantine` or `skip`", given)),
            },
            ignore_case: false,
        })
    }
}

const ONE_CHARACTER: &str = "one ASCII character, or `tab`";

/// One ASCII character that can stand between others. A property file may have no way to hold a tab.
fn character(given: &str) -> Option<u8> {
    match given.as_bytes() {
        b"tab" | b"\\t" => Some(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'\r' | b'\n') => Some(*byte),
        _ => None,
    }
}

fn markers(given: Option<&str>) -> Result<Vec<String>, OptionError> {
    let markers: Vec<String> =
        given.unwrap_or_default().split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
    if markers.len() > MAX_NULL_MARKERS {
        return Err(bad(NULL, "at most 64 markers", given.unwrap_or_default()));
    }
    Ok(markers)
}

fn times<'a>(get: &impl Fn(&str) -> Option<&'a str>) -> Result<Times, OptionError> {
    let expected = "a pattern of strftime, as chrono has it";
    let mut times = Times::default();
    if let Some(given) = get(DATE_FORMAT) {
        times.date = Some(Times::pattern(given).ok_or_else(|| bad(DATE_FORMAT, expected, given))?);
    }
    if let Some(given) = get(TIMESTAMP_FORMAT) {
        times.timestamp = Some(Times::pattern(given).ok_or_else(|| bad(TIMESTAMP_FORMAT, expected, given))?);
    }
    if let Some(given) = get(TIMEZONE) {
        let zone =
            Times::zone(given).ok_or_else(|| bad(TIMEZONE, "`UTC` or an offset like `+02:00`", given))?;
        times.zone = Some(zone);
    }
    Ok(times)
}

fn bad(name: &str, expected: &'static str, given: &str) -> OptionError {
    OptionError::Value { name: name.to_owned(), expected, given: given.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(given: &[(&'static str, &'static str)]) -> Result<TextOptions, OptionError> {
        TextOptions::of(|name| given.iter().find(|(n, _)| *n == name).map(|(_, value)| *value))
    }

    #[test]
    fn every_option_is_read_by_its_name() {
        assert_eq!(options(&[]).unwrap(), TextOptions::default());
        let set = options(&[
            ("csv.delimiter", "tab"),
            ("csv.quote", "'"),
            ("csv.escape", "\\"),
            ("csv.header", "false"),
            ("csv.null", "NA,\\N"),
            ("csv.trim", "true"),
            ("text.date-format", "%d.%m.%Y"),
            ("text.timestamp-format", "%s"),
            ("text.timezone", "+02:00"),
            ("text.compression", "zstd"),
            ("text.bad-rows", "skip"),
            ("text.bad-rows-limit", "7"),
        ])
        .unwrap();
        let default = TextOptions::default();
        assert_eq!((set.delimiter, set.quote, set.escape), (b'\t', Some(b'\''), Some(b'\\')));
        assert_eq!((set.header, set.trim, set.null.len()), (false, true, 2));
        assert_eq!((set.compression, set.bad_rows), (Compression::Zstd, BadRows::Skip { limit: 7 }));
        assert!(set.times.date != default.times.date && set.times.timestamp != default.times.timestamp);
        assert_eq!(set.times.zone, Some(7_200));
    }

    #[test]
    fn values_that_mean_nothing_are_refused_by_name() {
        let given = [
            ("csv.delimiter", "||"),
            ("csv.delimiter", "\n"),
            ("csv.delimiter", "\""),
            ("csv.quote", ","),
            ("csv.header", "yes"),
            ("text.date-format", "%Q"),
            ("text.timezone", "Mars/Phobos"),
            ("text.compression", "rar"),
            ("text.bad-rows", "ignore"),
            ("text.bad-rows-limit", "-1"),
        ];
        for (name, value) in given {
            let error = options(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
