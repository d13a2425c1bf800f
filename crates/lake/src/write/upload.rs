//! Bytes on their way into one new object.
//!
//! Small objects go out in one request, larger ones in parts while the rest is still being made. Parts under way are
//! bounded over all uploads that share the slots.

use std::sync::Arc;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayloadMut};
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

/// One object being written. It exists only once [`Upload::complete`] has succeeded. It is completed or aborted.
pub(super) struct Upload {
    at: Location,
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
    pub(super) fn new(at: Location, slots: Slots) -> Self {
        Self { at, slots, buffer: buffer(), state: State::Held }
    }

    /// Bytes that wait in memory for their part to be full.
    pub(super) fn held(&self) -> usize {
        self.buffer.content_length()
    }

    /// Takes in what still goes into the part that waits; how much that was. A full part has to be sent before more.
    ///
    /// # Errors
    /// The upload is over.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> object_store::Result<usize> {
        let taken = bytes.len().min(self.room()?);
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Whether the part that waits takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.held() == PART_BYTES
    }

    /// Writes all of these bytes, which are not copied.
    ///
    /// # Errors
    /// What the store said.
    pub(super) async fn put(&mut self, mut bytes: Bytes) -> object_store::Result<()> {
        while !bytes.is_empty() {
            let taken = bytes.len().min(self.room()?);
            self.buffer.push(bytes.split_to(taken));
            if self.is_full() {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    // All parts but the last have the same length: some stores insist on it.
    fn room(&self) -> object_store::Result<usize> {
        match self.state {
            State::Held | State::Parts(_) => Ok(PART_BYTES - self.held()),
            State::Completing | State::Aborted => Err(over()),
        }
    }

    /// Sends the part that waits, as soon as there is a slot for it.
    ///
    /// # Errors
    /// What the store said, to this or an earlier part.
    pub(super) async fn send_part(&mut self) -> object_store::Result<()> {
        if matches!(self.state, State::Held) {
            let upload = self.at.store.put_multipart(&self.at.path).await?;
            self.state = State::Parts(Parts { upload, tasks: JoinSet::new() });
        }
        let State::Parts(parts) = &mut self.state else { return Err(over()) };
        let slot = self.slots.clone().acquire_owned().await;
        let slot = slot.expect("the slots are never closed while an upload holds them");
        while let Some(sent) = parts.tasks.try_join_next() {
            settled(sent)?;
        }
        let part = parts.upload.put_part(std::mem::replace(&mut self.buffer, buffer()).freeze());
        parts.tasks.spawn(async move {
            let sent = part.await;
            drop(slot);
            sent
        });
        Ok(())
    }

    /// Sends the rest and makes the object.
    ///
    /// # Errors
    /// What the store said. The object may be there nevertheless.
    pub(super) async fn complete(&mut self) -> object_store::Result<()> {
        if matches!(self.state, State::Parts(_)) && self.held() > 0 {
            self.send_part().await?;
        }
        let rest = std::mem::take(&mut self.buffer);
        match std::mem::replace(&mut self.state, State::Completing) {
            State::Parts(mut parts) => {
                let finished = parts.finish().await;
                if finished.is_err() {
                    parts.abort().await;
                }
                finished
            }
            State::Held => self.at.store.put(&self.at.path, rest.freeze()).await.map(|_| ()),
            state @ (State::Completing | State::Aborted) => {
                self.state = state;
                Err(over())
            }
        }
    }

    /// Gives up. `true`: the object may be there, since its completion had been begun.
    pub(super) async fn abort(&mut self) -> bool {
        self.buffer = PutPayloadMut::new();
        match std::mem::replace(&mut self.state, State::Aborted) {
            State::Held | State::Aborted => false,
            State::Parts(mut parts) => {
                parts.abort().await;
                false
            }
            State::Completing => true,
        }
    }
}

impl Parts {
    async fn finish(&mut self) -> object_store::Result<()> {
        while let Some(sent) = self.tasks.join_next().await {
            settled(sent)?;
        }
        self.upload.complete().await.map(|_| ())
    }

    /// What cannot be taken back is left to the bucket's own rules for unfinished uploads.
    async fn abort(&mut self) {
        self.tasks.shutdown().await;
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(%error, "an unfinished upload is left behind");
        }
    }
}

fn buffer() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(BLOCK_BYTES)
}

fn settled(sent: Result<object_store::Result<()>, tokio::task::JoinError>) -> object_store::Result<()> {
    sent.unwrap_or_else(|e| Err(object_store::Error::JoinError { source: e }))
}

fn over() -> object_store::Error {
    object_store::Error::Generic { store: "upload", source: "the upload is over".into() }
}
