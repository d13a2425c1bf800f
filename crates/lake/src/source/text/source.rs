//! One text object: its columns, and its rows as a stream of record batches.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use arrow_schema::{Fields, Schema, SchemaRef};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::decode::{Rows, decode};
use super::options::TextOptions;
use super::rejected::Rejected;
use super::window::Window;
use super::{csv, input, json, plan};
use crate::error::Error;
use crate::source::{BatchStream, ReadError, SourceObject};

/// Batches that wait between decoder and encoder: one is encoded while the next is decoded.
const BATCHES_AHEAD: usize = 2;

/// How a text file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Separated values.
    Csv,
    /// One JSON object a line.
    Json,
}

/// An opened text object: its columns are known.
#[derive(Clone)]
pub struct TextSource {
    object: SourceObject,
    format: TextFormat,
    options: Arc<TextOptions>,
    /// The columns, required where the table says so.
    fields: Fields,
    schema: SchemaRef,
    rejected: Arc<Mutex<Rejected>>,
}

impl fmt::Debug for TextSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextSource").field("object", &self.object).field("schema", &self.schema).finish()
    }
}

impl TextSource {
    /// Finds out which columns the file has. Those that `table` has as well get its types; the others get the
    /// narrowest type that holds each value of the whole file, which is read for it. Files of JSON lines are always
    /// read, since any line may have further keys.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn open(
        object: SourceObject,
        format: TextFormat,
        options: TextOptions,
        table: Option<&Schema>,
    ) -> Result<Self, ReadError> {
        let (runtime, table, options) = (Handle::current(), table.cloned(), Arc::new(options));
        let (from, how) = (object.clone(), options.clone());
        let look = move || {
            let fields = match rows(runtime, &from, format, &how)? {
                Rows::Csv(mut rows) => plan::csv(&mut rows, &how, table.as_ref())?,
                Rows::Json(mut rows) => plan::json(&mut rows, &how, table.as_ref())?,
            };
            let schema = Arc::new(Schema::new(plan::columns(&fields, &how)?.fields()));
            Ok((fields, schema))
        };
        let looked = tokio::task::spawn_blocking(move || guarded(look)).await;
        let (fields, schema) = looked.map_err(|e| {
            ReadError::Store(Error::unavailable("reading a text file was cut short").caused_by(e))
        })??;
        Ok(Self { object, format, options, fields, schema, rejected: Arc::default() })
    }

    /// The object that is read.
    pub fn object(&self) -> &SourceObject {
        &self.object
    }

    /// The file's columns. All may have nulls; where the table requires values, rows without are flawed.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes the file on a thread of its own. The stream ends after the last batch or the first error.
    pub fn batches(&self) -> BatchStream {
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let (source, runtime) = (self.clone(), Handle::current());
        tokio::task::spawn_blocking(move || {
            let result = guarded(|| {
                let rows = rows(runtime, &source.object, source.format, &source.options)?;
                // A receiver that is gone wants no more.
                let take = |batch| sender.blocking_send(Ok(batch)).is_ok();
                decode(rows, &source.fields, &source.schema, &source.options, take)
            });
            match result {
                Ok(rejected) => {
                    *source.rejected.lock().expect("no code panics while it holds this lock") = rejected
                }
                Err(error) => {
                    // A receiver that is gone no longer wants to know.
                    let _ = sender.blocking_send(Err(error));
                }
            }
        });
        receiver
    }

    /// The rows that were left out of [`batches`](Self::batches), once that stream has ended; none before.
    pub fn rejected(&self) -> Rejected {
        self.rejected.lock().expect("no code panics while it holds this lock").clone()
    }
}

/// Begins to read. To be called on a blocking thread.
fn rows(
    runtime: Handle,
    object: &SourceObject,
    format: TextFormat,
    options: &TextOptions,
) -> Result<Rows, ReadError> {
    let raw = input::fetch(&runtime, object.clone());
    let window = Window::new(input::text(raw, options.compression)?);
    Ok(match format {
        TextFormat::Csv => Rows::Csv(csv::Rows::new(window, options)),
        TextFormat::Json => Rows::Json(json::Rows::new(window)),
    })
}

/// Runs code over untrusted bytes: a panic there is the file's fault, and never a file that ends early.
fn guarded<T>(read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(ReadError::Content("not readable as text: the decoder gave up on its data".to_owned()))
    })
}
