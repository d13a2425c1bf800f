//! What an ingest would do, without doing it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use iceberg::TableCreation;
use iceberg::spec::{Schema, TableMetadata, TableMetadataBuilder};
use ingest_core::{FileOutcome, FileStatus, IngestRequest, RequestedObject};

use super::plan::{Known, plan, schema_after};
use super::publish::{MAX_PLANS, Step, options_of};
use super::slice::{Done, Slice};
use super::{Lake, SLICE_OBJECTS, Tally};
use crate::error::{Error, ErrorKind, Result};
use crate::options::TableOptions;

/// What would become of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The file, as the request names it.
    pub file: String,
    /// `splice`, `rewrite` or `register`; for a file that would not be written `skipped`, `quarantined` or
    /// `forbidden`.
    pub way: String,
    /// Why.
    pub why: String,
}

impl Lake {
    /// Decides for each file of a request how it would get into the table, from footers, ledger and table alone.
    /// Nothing is written; a table that is missing is planned for as it would be made, whether it may be made or
    /// not. Page by page a file is looked at only when it is written: one that is planned to be spliced can turn out to be
    /// damaged.
    ///
    /// # Errors
    /// Those of [`Lake::ingest`] that come before anything is written.
    pub async fn preview(&self, request: &IngestRequest) -> Result<Vec<Preview>> {
        let mut tally = Tally::new(request.objects.len());
        let admitted = self.admit(request, &mut tally)?;
        let mut previews: Vec<Option<Preview>> = vec![None; request.objects.len()];
        for objects in admitted.chunks(SLICE_OBJECTS) {
            for (place, preview) in self.preview_slice(request, objects).await? {
                previews[place] = Some(preview);
            }
        }
        let forbidden = tally.files.into_iter().map(|outcome| {
            outcome.map(|outcome| Preview {
                file: outcome.file,
                way: FileStatus::Forbidden.as_str().to_owned(),
                why: outcome.reason.unwrap_or_default(),
            })
        });
        Ok(previews
            .into_iter()
            .zip(forbidden)
            .filter_map(|(planned, forbidden)| planned.or(forbidden))
            .collect())
    }

    async fn preview_slice(
        &self,
        request: &IngestRequest,
        objects: &[(usize, &RequestedObject)],
    ) -> Result<Vec<(usize, Preview)>> {
        let mut slice = Slice::new(&self.config.store_name, objects, self.resolve_all(objects).await?);
        let known = self.tables.look(&request.table).await?;
        let mut imagination = None;
        for _ in 0..MAX_PLANS {
            let found = match &known {
                Some((_, ledger, head)) => ledger.look_up(head, &slice.identities()).await?,
                None => HashMap::new(),
            };
            slice.note_ledger(&found);
            if !slice.is_unsettled() {
                break;
            }
            let table = known.as_ref().map(|(table, _, _)| table.metadata());
            let options = options_of(request, table.map(TableMetadata::properties))?;
            if let Step::Again = self.open_files(request, &options, table, &mut slice).await? {
                continue;
            }
            let ready = slice.ready();
            let Some((first, source)) = ready.first() else { break };
            let table = match (&known, &imagination) {
                (Some((table, _, _)), _) => table.metadata_ref(),
                (None, Some(imagined)) => Arc::clone(imagined),
                (None, None) => match schema_after(source, &options, Utc::now()) {
                    Ok(schema) => imagination.insert(imagined(&options, request, schema)?).clone(),
                    Err(reason) => {
                        slice.set_unfit(*first, reason);
                        slice.release();
                        continue;
                    }
                },
            };
            let ledger = known.as_ref().map(|(_, ledger, head)| (ledger, head));
            let barred = self.barred(ledger, &slice, options.mode).await?;
            let plan = plan(&table, &options, ready, &Known { barred, ..Known::default() }, Utc::now())?;
            for (place, reason) in plan.unfit {
                slice.set_unfit(place, reason);
            }
            for file in plan.files {
                let written = Done { rows: 0, mode: file.way.as_str(), why: file.why, note: None };
                slice.set_done(file.place, 0, written);
            }
        }
        if slice.is_unsettled() {
            return Err(Error::new(ErrorKind::Busy, "the files change faster than they can be looked at"));
        }
        let preview = |(place, outcome): (usize, FileOutcome)| {
            let way = outcome.mode.unwrap_or_else(|| outcome.status.as_str().to_owned());
            let why = outcome.mode_reason.or(outcome.reason).unwrap_or_default();
            (place, Preview { file: outcome.file, way, why })
        };
        Ok(slice.into_outcomes().into_iter().map(preview).collect())
    }
}

/// The table that would be made for a request.
fn imagined(options: &TableOptions, request: &IngestRequest, schema: Schema) -> Result<Arc<TableMetadata>> {
    let design = options.creation.design(schema, HashMap::new())?;
    let creation = TableCreation::builder()
        .name(request.table.name().to_owned())
        .location("file:///imagined".to_owned())
        .schema(design.schema)
        .partition_spec(design.spec)
        .sort_order(design.order)
        .properties(design.properties)
        .build();
    let made = TableMetadataBuilder::from_table_creation(creation).and_then(TableMetadataBuilder::build);
    let made =
        made.map_err(|e| Error::invalid(format!("table `{}` cannot be made", request.table)).caused_by(e))?;
    Ok(Arc::new(made.metadata))
}
