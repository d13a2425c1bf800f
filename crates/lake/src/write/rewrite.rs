//! Mode `rewrite`: decode, align to the table's columns, encode. Memory is a row group of output and a few
//! batches, whatever the input looks like.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{DataFile, TableMetadata};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::align::align;
use super::data_file::{DataFileWriter, delete_uncommitted};
use crate::error::{Error, Result};
use crate::ledger::Part;
use crate::source::{ParquetSource, ReadError};
use crate::storage::Stores;

/// Data files, and which of them hold which source's rows.
#[derive(Debug)]
pub struct Rewritten {
    /// The files, closed and described, part of no snapshot yet.
    pub files: Vec<DataFile>,
    /// For each source, in order, what became of it.
    pub sources: Vec<Placed>,
}

/// Where the rows of one source are.
#[derive(Debug, Default, Clone)]
pub struct Placed {
    /// Rows written.
    pub rows: u64,
    /// The row groups that hold them; none for a source without rows.
    pub parts: Vec<Part>,
}

impl Placed {
    /// Takes in where the next batch went: on from the last part, or into another file.
    fn add(&mut self, part: Part) {
        match self.parts.last_mut() {
            _ if part.row_groups == 0 => {}
            Some(last) if last.file == part.file => {
                last.row_groups = part.first_row_group + part.row_groups - last.first_row_group;
            }
            _ => self.parts.push(part),
        }
    }
}

/// Why nothing was written. Files that were begun are gone again.
#[derive(Debug)]
pub enum RewriteError {
    /// The source at this index is at fault; the others were not looked at to the end.
    Source(usize, ReadError),
    /// The table's side failed.
    Sink(Error),
}

/// Writes the rows of `sources`, one after the other, into new data files of `table`, at its current schema.
/// Each source must have passed [`super::check`] against that schema. If the future is dropped, writing ends after
/// the batch that is under way, and what was written is deleted.
///
/// # Errors
/// See [`RewriteError`].
pub async fn rewrite(
    stores: Arc<Stores>,
    table: Arc<TableMetadata>,
    sources: Vec<ParquetSource>,
) -> Result<Rewritten, RewriteError> {
    let runtime = Handle::current();
    let (answer, written) = oneshot::channel();
    // Encoding keeps a core busy for long stretches: it has a thread of its own beside the decoder's.
    tokio::task::spawn_blocking(move || runtime.block_on(encode(stores, table, sources, answer)));
    written.await.map_err(|e| {
        RewriteError::Sink(Error::unavailable("writing data files was cut short").caused_by(e))
    })?
}

type Answer = oneshot::Sender<Result<Rewritten, RewriteError>>;

/// Answers with the files; deletes them if nobody takes the answer.
async fn encode(stores: Arc<Stores>, table: Arc<TableMetadata>, sources: Vec<ParquetSource>, answer: Answer) {
    let result = match schema_to_arrow_schema(table.current_schema()) {
        Ok(schema) => {
            let schema = Arc::new(schema);
            let mut writer = DataFileWriter::new(stores.clone(), table, schema.clone());
            let result = fill(&mut writer, &schema, &sources, &answer).await;
            if result.is_err() {
                writer.abandon().await;
            }
            result
        }
        Err(e) => Err(RewriteError::Sink(
            Error::invalid("the table has a column type that cannot be written").caused_by(e),
        )),
    };
    if let Err(Ok(unwanted)) = answer.send(result) {
        delete_uncommitted(&stores, &unwanted.files).await;
    }
}

async fn fill(
    writer: &mut DataFileWriter,
    schema: &SchemaRef,
    sources: &[ParquetSource],
    answer: &Answer,
) -> Result<Rewritten, RewriteError> {
    let mut placed = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        let mut place = Placed::default();
        let mut batches = source.batches();
        while let Some(batch) = batches.recv().await {
            if answer.is_closed() {
                return Err(RewriteError::Sink(Error::unavailable(
                    "nobody waits for the data files any more",
                )));
            }
            let batch = batch.map_err(|error| RewriteError::Source(index, error))?;
            let aligned = align(&batch, schema)
                .map_err(|reason| RewriteError::Source(index, ReadError::Content(reason)))?;
            place.add(writer.write(&aligned).await.map_err(RewriteError::Sink)?);
        }
        place.rows = source.rows();
        placed.push(place);
    }
    let files = writer.finish().await.map_err(RewriteError::Sink)?;
    Ok(Rewritten { files, sources: placed })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::TryStreamExt;
    use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt};
    use parquet::arrow::ArrowWriter;

    use super::super::data_file::tests::table_at;
    use super::*;
    use crate::source::{Resolved, resolve};

    #[tokio::test]
    async fn data_files_are_left_only_where_somebody_waits_for_them() {
        let (table, batch) = table_at("s3://b/t".to_owned());
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let store = Arc::new(InMemory::new());
        store.put(&Path::from("a"), writer.into_inner().unwrap().into()).await.unwrap();
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        stores.lend("b", store.clone());
        let wanted = RequestedObject { uri: ObjectUri::new("b", "a").unwrap(), hint: ObjectHint::default() };
        let Resolved::Object(object) = resolve(&stores, "s3", &wanted).await.unwrap() else {
            panic!("it was just put")
        };
        let source = ParquetSource::open(object).await.unwrap();
        let files = async || {
            let found: Vec<_> = store.list(Some(&Path::from("t"))).try_collect().await.unwrap();
            found.len()
        };

        let (answer, gone) = oneshot::channel();
        drop(gone);
        encode(stores.clone(), table.clone(), vec![source.clone()], answer).await;
        assert_eq!(files().await, 0);

        let written = rewrite(stores, table, vec![source]).await.unwrap();
        assert_eq!((written.files.len(), written.sources[0].rows), (1, 1));
        assert_eq!(files().await, 1);
    }
}
