//! Making a table ready for files that another engine will stage: it never makes or alters a table.

use std::collections::HashMap;

use chrono::Utc;
use iceberg::spec::SchemaRef;
use ingest_core::{IngestRequest, RequestedObject};

use super::flight::{Landing, Prepared};
use super::plan::{Known, plan};
use super::publish::{MAX_PLANS, Ready, Step, options_of};
use super::slice::{Done, Slice};
use super::tables::View;
use super::{Lake, SLICE_OBJECTS, Tally};
use crate::error::{Error, ErrorKind, Result};
use crate::options::SchemaPolicy;

/// What a look at the files of a slice led to.
enum Look {
    /// The table has to get this schema first.
    Evolve(Box<View>, SchemaRef),
    /// There is more to look at.
    Again,
    /// The table takes every file that it will ever take of these.
    Ready,
}

impl Lake {
    /// Makes the table that a request is for, if it is missing and may be made, as the first file would that the
    /// light path takes; and under policy `evolve` gives it the columns that the request's files need, in a commit of its
    /// own. Files that do not fit are left for whoever reads them. Says whether there is a table now: no file may be able
    /// to make one.
    ///
    /// # Errors
    /// As [`Lake::ingest`].
    pub async fn make_ready(&self, request: &IngestRequest) -> Result<bool> {
        let admitted = self.admit(request, &mut Tally::new(request.objects.len()))?;
        for objects in admitted.chunks(SLICE_OBJECTS) {
            if self.is_ready(request).await? {
                return Ok(true);
            }
            self.make_ready_for(request, objects).await?;
        }
        Ok(self.tables.view(&request.table).await?.is_some())
    }

    /// Whether the table is there and its schema stays what it is.
    async fn is_ready(&self, request: &IngestRequest) -> Result<bool> {
        let Some(view) = self.tables.view(&request.table).await? else { return Ok(false) };
        let options = options_of(request, Some(view.table.metadata().properties()))?;
        Ok(options.schema_policy == SchemaPolicy::Strict)
    }

    async fn make_ready_for(
        &self,
        request: &IngestRequest,
        objects: &[(usize, &RequestedObject)],
    ) -> Result<()> {
        let committer = self.committers.of(&request.table);
        let mut slice = Slice::new(&self.config.store_name, objects, self.resolve_all(objects).await?);
        for _ in 0..MAX_PLANS {
            let (view, evolved) = match self.look_for_columns(request, &mut slice).await? {
                Look::Evolve(view, evolved) => (view, evolved),
                Look::Again => continue,
                Look::Ready => return Ok(()),
            };
            let prepared = Prepared {
                footing: view.footing(),
                evolved: Some(evolved),
                properties: HashMap::new(),
                kept: Vec::new(),
                ownable: Vec::new(),
                files: Vec::new(),
                stores: self.tables.catalog.stores(&view.table),
                entries: Vec::new(),
                sizes: Vec::new(),
                _claim: self.claims.acquire(&request.table, &[]).await.into(),
            };
            match committer.submit(prepared, committer.expect()).await {
                // What did not fit may fit the table that it is now.
                Landing::Committed { .. } => slice.look_again(),
                Landing::Replan { .. } => {}
                Landing::GaveUp { error, .. } => return Err(error),
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!("`{}` changed {MAX_PLANS} times while it was made ready", request.table),
        ))
    }

    /// Opens what is not settled of a slice, and settles what fits. Only this takes much memory.
    async fn look_for_columns(&self, request: &IngestRequest, slice: &mut Slice<'_>) -> Result<Look> {
        slice.release();
        let _writer =
            self.writers.acquire().await.map_err(|e| Error::unavailable("shutting down").caused_by(e))?;
        let Some(view) = self.tables.view(&request.table).await? else {
            return Ok(match self.begin_table(request, slice).await? {
                Ready::Again => Look::Again,
                Ready::Nothing(_) | Ready::Written(_) => Look::Ready,
            });
        };
        let table = view.table.metadata_ref();
        let options = options_of(request, Some(table.properties()))?;
        if options.schema_policy == SchemaPolicy::Strict {
            return Ok(Look::Ready);
        }
        slice.note_ledger(&view.ledger.look_up(&view.head, &slice.identities()).await?);
        if let Step::Again = self.open_files(request, &options, Some(&table), slice).await? {
            return Ok(Look::Again);
        }
        let plan = plan(&table, &options, slice.ready(), &Known::default(), Utc::now())?;
        for (place, reason) in plan.unfit {
            slice.set_unfit(place, reason);
        }
        if let Some(evolved) = plan.evolved {
            slice.release();
            return Ok(Look::Evolve(Box::new(view), evolved));
        }
        for file in plan.files {
            slice.set_done(
                file.place,
                0,
                Done { rows: 0, mode: file.way.as_str(), why: file.why, note: None },
            );
        }
        Ok(if slice.is_unsettled() { Look::Again } else { Look::Ready })
    }
}
