//! Formats of source files.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ObjectUri;

/// Format of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Separated values.
    Csv,
    /// One JSON object a line.
    Json,
}

/// A text that names no format. A retry never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format: expected parquet, csv or json")]
pub struct FormatError(String);

impl FileFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Csv, Self::Json];

    /// The format that the end of the key tells, in any letter case: `.parquet`, `.csv`, `.json`, `.jsonl`, `.ndjson`;
    /// those of text also before `.gz`, `.gzip` or `.zst`.
    pub fn from_suffix(uri: &ObjectUri) -> Option<Self> {
        let (stem, suffix) = uri.file_name().rsplit_once('.')?;
        let suffix = suffix.to_ascii_lowercase();
        let compressed = matches!(suffix.as_str(), "gz" | "gzip" | "zst");
        let suffix = if compressed { stem.rsplit_once('.')?.1.to_ascii_lowercase() } else { suffix };
        match suffix.as_str() {
            "parquet" if !compressed => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            _ => None,
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FileFormat {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| FormatError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_tells_the_format() {
        let format = |key: &str| FileFormat::from_suffix(&ObjectUri::new("b", key).unwrap());
        assert_eq!(format("in/a.parquet"), Some(FileFormat::Parquet));
        assert_eq!(format("in/a.snappy.PARQUET"), Some(FileFormat::Parquet));
        assert_eq!(format("a.csv"), Some(FileFormat::Csv));
        assert_eq!(format("a.ndjson"), Some(FileFormat::Json));
        assert_eq!(format("a.csv.gz"), Some(FileFormat::Csv));
        assert_eq!(format("a.JSONL.zst"), Some(FileFormat::Json));
        assert_eq!(format("a.parquet.gz"), None);
        assert_eq!(format("csv.gz"), None);
        for key in ["parquet", "a.csv/part-0", "a.txt", "a.", ""] {
            assert_eq!(format(key), None, "{key}");
        }
    }

    #[test]
    fn wire_names_agree() {
        for format in FileFormat::ALL {
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        assert!("Parquet".parse::<FileFormat>().is_err());
    }
}
