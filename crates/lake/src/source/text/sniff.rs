//! Files that are no text, told by how they begin.

/// Bytes after a magic that are looked at: text has no control characters there, the formats have.
const LOOKED_AT: usize = 64;

/// Bytes at the beginning of a file that [`sniff`] wants to see; a shorter file is shorter.
pub(super) const SNIFFED: usize = LOOKED_AT;

/// What each of these formats begins with.
const MAGICS: [(&[u8], &str); 8] = [
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"PAR1", "a Parquet file"),
    (b"PARE", "an encrypted Parquet file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"BZh", "bzip2 data"),
    (b"\xFD7zXZ\x00", "xz data"),
    (b"ARROW1", "an Arrow file"),
];

/// The format that a file which begins with these bytes has, if it is one that we know and do not take as text.
///
/// Some magics are words that a CSV header may begin with (`ORC`, `PAR1`), so what follows has to be no text either.
pub fn sniff(first: &[u8]) -> Option<&'static str> {
    let first = &first[..first.len().min(LOOKED_AT)];
    let (_, name) = MAGICS.iter().find(|(magic, _)| first.starts_with(magic))?;
    (!is_text(first)).then_some(name)
}

fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n');
    let whole = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => error.error_len().is_none(),
    };
    whole && !bytes.iter().any(control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_formats_are_named_and_words_that_look_like_them_are_not() {
        assert_eq!(sniff(b"Obj\x01\x04\x16avro.schema"), Some("an Avro file"));
        assert_eq!(sniff(b"ORC\x0a\x0b\x00\x00"), Some("an ORC file"));
        assert_eq!(sniff(b"PAR1\x15\x04\x15"), Some("a Parquet file"));
        assert_eq!(sniff("ORCID,Straße\n1,2\n".as_bytes()), None);
        assert_eq!(sniff(b"PAR1,PAR2\r\n\t"), None);
        assert_eq!(sniff(b""), None);
    }
}
