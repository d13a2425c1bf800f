//! An object as one stream of plain UTF-8 bytes.

use std::io::{self, Cursor, Read};

use bytes::{Buf, Bytes};
use flate2::read::MultiGzDecoder;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::options::Compression;
use super::sniff::{SNIFFED, sniff};
use crate::error::Error;
use crate::source::{ReadError, SourceObject};

/// Bytes that the first request fetches: often only the header is wanted.
const FIRST_PIECE: u64 = 256 * 1024;
/// Bytes that a request fetches in the end: enough that requests cost little beside their bytes.
const PIECE: u64 = 2 * 1024 * 1024;
/// Pieces that wait while one is worked on and another is fetched.
const PIECES_AHEAD: usize = 1;
/// The longest window that a zstd frame may ask for, as a power of two: 32 MiB, more than every level below
/// `--ultra` uses. The decoder holds a window in memory. The Spark job's figure is the same.
const MAX_ZSTD_WINDOW: u32 = 25;

/// The bytes of an object, fetched ahead by a task of their own. Read it on a blocking thread.
struct Pieces {
    pieces: mpsc::Receiver<Result<Bytes, object_store::Error>>,
    now: Bytes,
    /// Bytes of the object that did not come yet.
    left: u64,
}

/// Begins to fetch an object.
pub(super) fn fetch(runtime: &Handle, object: SourceObject) -> impl Read + Send + use<> {
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let left = object.size;
    runtime.spawn(async move {
        let (mut at, mut piece_bytes) = (0, FIRST_PIECE);
        while at < object.size {
            let end = object.size.min(at + piece_bytes);
            let piece = object.read(at..end).await;
            let failed = piece.is_err();
            // A receiver that is gone wants no more.
            if sender.send(piece).await.is_err() || failed {
                return;
            }
            (at, piece_bytes) = (end, PIECE.min(piece_bytes * 2));
        }
    });
    Pieces { pieces, now: Bytes::new(), left }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => {
                    self.now = piece.map_err(io::Error::other)?;
                    self.left = self.left.saturating_sub(self.now.len() as u64);
                }
                None if self.left == 0 => return Ok(0),
                // The task is gone, or pieces were shorter than asked for: that is no end of the file.
                None => return Err(io::Error::other(cut_short(self.left))),
            }
        }
        let taken = out.len().min(self.now.len());
        self.now.copy_to_slice(&mut out[..taken]);
        Ok(taken)
    }
}

/// The store's failure to hand out the last bytes of an object.
fn cut_short(left: u64) -> object_store::Error {
    object_store::Error::Generic {
        store: "source",
        source: format!("the last {left} bytes did not come").into(),
    }
}

/// The text in a stream: decompressed, without its byte-order mark.
///
/// # Errors
/// The stream failed, or holds something else.
pub(super) fn text(
    raw: impl Read + Send + 'static,
    compression: Compression,
) -> Result<Box<dyn Read + Send>, ReadError> {
    let (first, raw) = peek(raw)?;
    let compression = match compression {
        Compression::Auto => compression_of(&first).unwrap_or(Compression::None),
        given => given,
    };
    let plain: Box<dyn Read + Send> = match compression {
        Compression::Auto | Compression::None => Box::new(raw),
        // An empty object is an empty file, though no gzip data.
        Compression::Gzip if first.is_empty() => Box::new(raw),
        Compression::Gzip => Box::new(Named("gzip", MultiGzDecoder::new(raw))),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::new(raw).map_err(fault)?;
            decoder.window_log_max(MAX_ZSTD_WINDOW).map_err(fault)?;
            Box::new(Named("zstd", decoder))
        }
    };
    let (first, mut plain) = peek(plain)?;
    if let Some(format) = sniff(&first) {
        return Err(ReadError::Content(format!("the file is {format}, not text")));
    }
    if compression_of(&first).is_some() {
        return Err(ReadError::Content("the text in the file is itself gzip or zstd data".to_owned()));
    }
    if first.starts_with(&[0xFF, 0xFE]) || first.starts_with(&[0xFE, 0xFF]) {
        return Err(ReadError::Content("the file is UTF-16; send UTF-8".to_owned()));
    }
    if first.contains(&0) {
        return Err(ReadError::Content(
            "the file is not UTF-8 text: it has NUL bytes; is it UTF-16?".to_owned(),
        ));
    }
    if first.starts_with(&[0xEF, 0xBB, 0xBF]) {
        plain.read_exact(&mut [0; 3]).map_err(fault)?;
    }
    Ok(Box::new(plain))
}

/// How a stream that begins with these bytes is compressed, if it is.
fn compression_of(first: &[u8]) -> Option<Compression> {
    match first {
        [0x1F, 0x8B, ..] => Some(Compression::Gzip),
        // A frame; or one to be skipped, which some programs write before the others.
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// The first bytes of a stream, and the stream from its beginning.
fn peek(mut stream: impl Read + Send + 'static) -> Result<(Vec<u8>, impl Read + Send), ReadError> {
    let mut first = Vec::with_capacity(SNIFFED);
    stream.by_ref().take(SNIFFED as u64).read_to_end(&mut first).map_err(fault)?;
    Ok((first.clone(), Read::chain(Cursor::new(first), stream)))
}

/// A decoder whose errors say what it decodes.
struct Named<R>(&'static str, R);

impl<R: Read> Read for Named<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1.read(out).map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<object_store::Error>() => error,
            _ if error.kind() == io::ErrorKind::Interrupted => error,
            _ => io::Error::other(format!("the {} data is damaged or cut off: {error}", self.0)),
        })
    }
}

/// Whose fault it is that a stream failed: the store's error comes through the decoders as it was.
pub(super) fn fault(error: io::Error) -> ReadError {
    let text = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<object_store::Error>()) {
        Some(Ok(failure)) => match *failure {
            object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. } => {
                ReadError::Changed
            }
            other => ReadError::Store(Error::unavailable("cannot read a source object").caused_by(other)),
        },
        Some(Err(_)) | None => ReadError::Content(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_do_not_come_are_the_stores_fault_and_no_end() {
        for (left, whole) in [(5, true), (6, false)] {
            let (sender, pieces) = mpsc::channel(2);
            sender.try_send(Ok(Bytes::from_static(b"a\n1\n2"))).unwrap();
            drop(sender);
            let stream = Pieces { pieces, now: Bytes::new(), left };
            match text(stream, Compression::Auto) {
                Ok(_) => assert!(whole),
                Err(error) => assert!(!whole && matches!(error, ReadError::Store(_)), "{error:?}"),
            }
        }
    }
}
