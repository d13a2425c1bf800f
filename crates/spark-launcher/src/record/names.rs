//! The names of a record's files.

/// Hex digits of a record's id.
const ID_DIGITS: usize = 40;
/// The end of every file's name.
const SUFFIX: &str = ".json";

/// What a file of a record says. Each bears the number of an attempt: files of a record that is over are thus never
/// taken for those of the next record of the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// The request as it was taken; the number is that of the first attempt that this record may make.
    Request,
    /// What an attempt was asked for.
    Attempt,
    /// The backend has taken the attempt.
    Started,
    /// How the attempt ended.
    Ended,
    /// The record was given up after this attempt, or before the first one.
    Failed,
    /// A person wants more attempts: those up to this one count no more.
    Retried,
    /// A person does not want the record any more, whose first attempt this is.
    Cancelled,
}

impl Mark {
    const ALL: [Self; 7] = [
        Self::Request,
        Self::Attempt,
        Self::Started,
        Self::Ended,
        Self::Failed,
        Self::Retried,
        Self::Cancelled,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Attempt => "attempt",
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Cancelled => "cancelled",
        }
    }

    /// The name of the file.
    pub fn file(self, number: u32) -> String {
        format!("{}-{number}{SUFFIX}", self.as_str())
    }

    /// The mark and number in the name of a file; none if it is no file of a record.
    pub fn parse(file: &str) -> Option<(Self, u32)> {
        let (word, number) = file.strip_suffix(SUFFIX)?.split_once('-')?;
        let mark = Self::ALL.into_iter().find(|mark| mark.as_str() == word)?;
        // Only the spelling that we write.
        let number: u32 = number.parse().ok().filter(|n: &u32| *n > 0 && n.to_string() == number)?;
        Some((mark, number))
    }
}

/// The id of a closed record by the name of its file.
pub fn closed_id(file: &str) -> Option<&str> {
    file.strip_suffix(SUFFIX).filter(|id| is_id(id))
}

/// Whether a text is a record's id.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_was_written_and_no_other() {
        for mark in Mark::ALL {
            assert_eq!(Mark::parse(&mark.file(17)), Some((mark, 17)));
        }
        for other in
            ["attempt.json", "attempt-.json", "attempt-0.json", "attempt-01.json", "attempt-1", "x-1.json"]
        {
            assert_eq!(Mark::parse(other), None, "{other}");
        }
        assert!(is_id(&"0a".repeat(20)) && !is_id(&"0A".repeat(20)) && !is_id("0a"));
    }
}
