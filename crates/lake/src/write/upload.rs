//! Bytes on their way into one new object, written from a blocking thread.
//!
//! Small objects go out in one request, larger ones in parts while the rest is still being made. Parts under way are
//! bounded over all uploads that share the slots.

use std::io;
use std::sync::Arc;

use object_store::{MultipartUpload, ObjectStoreExt, PutPayloadMut};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::storage::Location;

/// Bytes of one part of a multipart upload: the least that S3 asks for, since each open file may hold as much.
const PART_BYTES: usize = 5 * 1024 * 1024;
/// Parts under way at once, over all uploads of one writer.
const PARTS_IN_FLIGHT: usize = 2;
/// Granularity of the buffer: what an upload that was just begun costs.
const BLOCK_BYTES: usize = 64 * 1024;

/// Room for parts under way; shared by uploads.
pub(super) type Slots = Arc<Semaphore>;

/// The room that one writer's uploads share.
pub(super) fn slots() -> Slots {
    Arc::new(Semaphore::new(PARTS_IN_FLIGHT))
}

/// One object being written. It exists only once [`Upload::complete`] has succeeded.
pub(super) struct Upload {
    at: Location,
    runtime: Handle,
    slots: Slots,
    buffer: PutPayloadMut,
    state: State,
}

enum State {
    /// Nothing was sent yet.
    Held,
    /// Parts were sent.
    Parts(Parts),
    /// Completion was begun: the object may be there, whatever the answer was.
    Completing,
    /// Given up.
    Aborted,
}

struct Parts {
    upload: Box<dyn MultipartUpload>,
    tasks: JoinSet<object_store::Result<()>>,
}

impl Upload {
    /// Begins an upload. Its methods block on `runtime`: they are for a blocking thread.
    pub(super) fn new(at: Location, runtime: Handle, slots: Slots) -> Self {
        let buffer = PutPayloadMut::new().with_block_size(BLOCK_BYTES);
        Self { at, runtime, slots, buffer, state: State::Held }
    }

    /// Bytes that wait in memory for their part to be full.
    pub(super) fn held(&self) -> usize {
        self.buffer.content_length()
    }

    /// Sends the rest and makes the object.
    ///
    /// # Errors
    /// What the store said. The object may be there nevertheless.
    pub(super) fn complete(&mut self) -> object_store::Result<()> {
        if matches!(self.state, State::Parts(_)) && self.held() > 0 {
            self.send_part()?;
        }
        let rest = std::mem::take(&mut self.buffer);
        match std::mem::replace(&mut self.state, State::Completing) {
            State::Parts(mut parts) => self.runtime.clone().block_on(async {
                let finished = finish(&mut parts).await;
                if finished.is_err() {
                    parts.abort().await;
                }
                finished
            }),
            State::Held => {
                let runtime = self.runtime.clone();
                runtime.block_on(self.at.store.put(&self.at.path, rest.freeze()))?;
                Ok(())
            }
            state @ (State::Completing | State::Aborted) => {
                self.state = state;
                Err(over())
            }
        }
    }

    /// Gives up. `true`: the object may be there, since its completion had been begun.
    pub(super) fn abort(&mut self) -> bool {
        self.buffer = PutPayloadMut::new();
        match std::mem::replace(&mut self.state, State::Aborted) {
            State::Held | State::Aborted => false,
            State::Parts(mut parts) => {
                self.runtime.clone().block_on(parts.abort());
                false
            }
            State::Completing => true,
        }
    }

    fn send_part(&mut self) -> object_store::Result<()> {
        let runtime = self.runtime.clone();
        if matches!(self.state, State::Held) {
            let upload = runtime.block_on(self.at.store.put_multipart(&self.at.path))?;
            self.state = State::Parts(Parts { upload, tasks: JoinSet::new() });
        }
        let State::Parts(parts) = &mut self.state else { return Err(over()) };
        let slot = runtime
            .block_on(self.slots.clone().acquire_owned())
            .expect("the slots are never closed while an upload holds them");
        while let Some(sent) = parts.tasks.try_join_next() {
            settled(sent)?;
        }
        let buffer = PutPayloadMut::new().with_block_size(BLOCK_BYTES);
        let part = parts.upload.put_part(std::mem::replace(&mut self.buffer, buffer).freeze());
        let send = async move {
            let sent = part.await;
            drop(slot);
            sent
        };
        parts.tasks.spawn_on(send, &runtime);
        Ok(())
    }
}

async fn finish(parts: &mut Parts) -> object_store::Result<()> {
    while let Some(sent) = parts.tasks.join_next().await {
        settled(sent)?;
    }
    parts.upload.complete().await.map(|_| ())
}

impl Parts {
    /// What cannot be taken back is left to the bucket's own rules for unfinished uploads.
    async fn abort(&mut self) {
        self.tasks.shutdown().await;
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(%error, "an unfinished upload is left behind");
        }
    }
}

fn settled(sent: Result<object_store::Result<()>, tokio::task::JoinError>) -> object_store::Result<()> {
    sent.unwrap_or_else(|e| Err(object_store::Error::JoinError { source: e }))
}

fn over() -> object_store::Error {
    object_store::Error::Generic { store: "upload", source: "the upload is over".into() }
}

impl io::Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.state, State::Completing | State::Aborted) {
            return Err(io::Error::other(over()));
        }
        // All parts but the last have the same length: some stores insist on it.
        let taken = bytes.len().min(PART_BYTES - self.held());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.held() == PART_BYTES {
            self.send_part().map_err(io::Error::other)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
