//! The frames of PostgreSQL's protocol, as far as a proxy has to know them.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads a stream message by message. Waiting for one may be given up and taken up again.
pub(super) struct Messages<R> {
    stream: R,
    buffer: BytesMut,
    /// Until the start-up message has gone by, a client's messages have no type byte.
    typed: bool,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    pub(super) fn of_client(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new(), typed: false }
    }

    pub(super) fn of_server(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new(), typed: true }
    }

    /// From now on messages have a type byte.
    pub(super) fn started(&mut self) {
        self.typed = true;
    }

    /// The next message, type and length included; none at the end of the stream.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let head = usize::from(self.typed);
            if let Some(length) = self.buffer.get(head..head + 4) {
                let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize + head;
                if self.buffer.len() >= length {
                    return Ok(Some(self.buffer.split_to(length).freeze()));
                }
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// One byte that is no message: the answer to a client that asks for encryption.
    pub(super) async fn byte(&mut self) -> io::Result<u8> {
        while self.buffer.is_empty() {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.get_u8())
    }
}

/// The zero-terminated strings at the beginning of a typed message's body.
pub(super) fn strings(message: &Bytes) -> impl Iterator<Item = String> {
    message[5..].split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned())
}
