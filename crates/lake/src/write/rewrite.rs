//! Mode `rewrite`: decode, align to the table's columns, encode. Memory is a row group of output and a few
//! batches, whatever the input looks like.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::align::align;
use super::data_file::{DataFileWriter, delete_uncommitted};
use super::outcome::{Placed, WriteError, Written};
use super::target::Target;
use crate::columns::Mapping;
use crate::error::{Error, Result};
use crate::source::{ReadError, Source};
use crate::storage::Stores;

/// A source, and how its columns become the table's.
#[derive(Debug, Clone)]
pub struct RewriteInput {
    /// What is read.
    pub source: Source,
    /// It was made for the source's schema and the target's columns, without a misfit.
    pub mapping: Arc<Mapping>,
}

/// Writes the rows of `sources`, one after the other, into new data files of `target`. If the future is dropped, writing ends after
/// the batch that is under way, and what was written is deleted.
///
/// # Errors
/// See [`WriteError`].
pub async fn rewrite(
    stores: Arc<Stores>,
    target: Target,
    sources: Vec<RewriteInput>,
) -> Result<Written, WriteError> {
    let runtime = Handle::current();
    let (answer, written) = oneshot::channel();
    // Encoding keeps a core busy for long stretches: it has a thread of its own beside the decoder's.
    tokio::task::spawn_blocking(move || runtime.block_on(encode(stores, target, sources, answer)));
    written
        .await
        .map_err(|e| WriteError::Sink(Error::unavailable("writing data files was cut short").caused_by(e)))?
}

type Answer = oneshot::Sender<Result<Written, WriteError>>;

/// Answers with the files; deletes them if nobody takes the answer.
async fn encode(stores: Arc<Stores>, target: Target, sources: Vec<RewriteInput>, answer: Answer) {
    let mut writer = DataFileWriter::new(stores.clone(), target.clone());
    let result = fill(&mut writer, &target, &sources, &answer).await;
    if result.is_err() {
        writer.abandon().await;
    }
    if let Err(Ok(unwanted)) = answer.send(result) {
        delete_uncommitted(&stores, &unwanted.files).await;
    }
}

async fn fill(
    writer: &mut DataFileWriter,
    target: &Target,
    sources: &[RewriteInput],
    answer: &Answer,
) -> Result<Written, WriteError> {
    let mut placed = Vec::with_capacity(sources.len());
    for (index, RewriteInput { source, mapping }) in sources.iter().enumerate() {
        let mut place = Placed::default();
        let mut batches = source.batches();
        while let Some(batch) = batches.recv().await {
            if answer.is_closed() {
                return Err(WriteError::Sink(Error::unavailable("nobody waits for the data files any more")));
            }
            let batch = batch.map_err(|error| WriteError::Sources(vec![(index, error)]))?;
            let aligned = align(&batch, mapping, &target.columns)
                .map_err(|reason| WriteError::Sources(vec![(index, ReadError::Content(reason))]))?;
            place.rows += batch.num_rows() as u64;
            place.add(writer.write(&aligned).await.map_err(WriteError::Sink)?);
        }
        placed.push(place);
    }
    let files = writer.finish().await.map_err(WriteError::Sink)?;
    Ok(Written { files, sources: placed })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::TryStreamExt;
    use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject};
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt};
    use parquet::arrow::ArrowWriter;

    use super::super::data_file::tests::table_at;
    use super::*;
    use crate::columns::{Matching, map};
    use crate::source::{Resolved, TextOptions, resolve};

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
        let source = Source::open(object, FileFormat::Parquet, &TextOptions::default(), None).await.unwrap();
        let target = Target::current(table).unwrap();
        let (mapping, misfits) = map(source.schema().fields(), target.columns.fields(), Matching::default());
        assert_eq!(misfits, []);
        let input = RewriteInput { source, mapping: Arc::new(mapping) };
        let files = async || {
            let found: Vec<_> = store.list(Some(&Path::from("t"))).try_collect().await.unwrap();
            found.len()
        };

        let (answer, gone) = oneshot::channel();
        drop(gone);
        encode(stores.clone(), target.clone(), vec![input.clone()], answer).await;
        assert_eq!(files().await, 0);

        let written = rewrite(stores, target, vec![input]).await.unwrap();
        assert_eq!((written.files.len(), written.sources[0].rows), (1, 1));
        assert_eq!(files().await, 1);
    }
}
