//! Opening the objects of a slice, and making the table that they are for.

use std::collections::HashMap;

use chrono::Utc;
use futures::{StreamExt, stream};
use iceberg::spec::TableMetadata;
use ingest_core::{FileFormat, IngestRequest};

use super::plan::schema_after;
use super::publish::{Ready, Step, options_of};
use super::slice::Slice;
use super::{LOOKUPS_IN_FLIGHT, Lake};
use crate::columns::Fitting;
use crate::error::{Error, ErrorKind, Result};
use crate::options::TableOptions;
use crate::source::Source;

/// Bytes of decoded footers that are held at once. The objects beyond them are planned after the first are committed.
const FOOTERS_BYTES: usize = 16 * 1024 * 1024;
/// Text files that are looked through at the same time.
const TEXTS_AT_ONCE: usize = 2;

impl Lake {
    /// Makes the table after the first file that can be read, or finds that there is none.
    pub(super) async fn begin_table(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<Ready> {
        if !self.config.create_tables {
            return Err(Error::invalid(format!(
                "table `{}` does not exist, and this instance was not told to make tables",
                request.table
            )));
        }
        let options = options_of(request, None)?;
        let mut unmade = None;
        for (index, object) in slice.pending() {
            let source = match Source::open(object, request.format, &options.text, None).await {
                Ok(source) => source,
                Err(error) => {
                    if let Step::Again = self.set_aside(slice, index, error).await? {
                        return Ok(Ready::Again);
                    }
                    continue;
                }
            };
            // A file that makes no table may still fit the one that another makes.
            match schema_after(&source, &options, Utc::now()) {
                Ok(schema) => match self.tables.create_table(&request.table, schema, &options.creation).await
                {
                    Ok(()) => return Ok(Ready::Again),
                    Err(error) if error.kind() == ErrorKind::Invalid => {
                        slice.set_unfit(index, error.to_string());
                        unmade = Some(error);
                    }
                    Err(error) => return Err(error),
                },
                Err(reason) => slice.set_unfit(index, reason),
            }
        }
        if let Some(error) = unmade {
            return Err(error);
        }
        slice.note_ledger(&HashMap::new());
        Ok(Ready::Nothing(request.table.to_string()))
    }

    /// Opens what is pending, as far as its footers fit in the memory that they may take.
    pub(super) async fn open_files(
        &self,
        request: &IngestRequest,
        options: &TableOptions,
        table: Option<&TableMetadata>,
        slice: &mut Slice<'_>,
    ) -> Result<Step> {
        let columns = match table {
            Some(table) => Some(Fitting::new(table, options.schema_policy, options.matching)?.columns),
            None => None,
        };
        let columns = columns.as_deref();
        let opening = slice.pending().into_iter().map(|(index, object)| async move {
            let others = columns.filter(|_| !options.text.header);
            let others = others.map(|table| options.added.others(&object.uri, table, options.matching));
            let columns = others.as_ref().or(columns);
            (index, Source::open(object, request.format, &options.text, columns).await)
        });
        let opening: Vec<_> = opening.collect();
        let at_once = match request.format {
            FileFormat::Parquet => LOOKUPS_IN_FLIGHT,
            // Each may hold a row and what it takes to decompress it.
            FileFormat::Csv | FileFormat::Json => TEXTS_AT_ONCE,
        };
        let mut opened = std::pin::pin!(stream::iter(opening).buffered(at_once));
        let mut held = 0;
        while let Some((index, source)) = opened.next().await {
            match source {
                Ok(source) => {
                    held += source.memory();
                    slice.set_ready(index, source);
                }
                Err(error) => {
                    if let Step::Again = self.set_aside(slice, index, error).await? {
                        return Ok(Step::Again);
                    }
                }
            }
            if held > FOOTERS_BYTES {
                break;
            }
        }
        Ok(Step::Finished)
    }
}
