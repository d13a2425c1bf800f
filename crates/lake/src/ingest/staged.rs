//! Publishing what a job staged: read it, check it, hand it over to the committer; and again whenever the table turns
//! out to be another.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use iceberg::spec::DataFile;
use ingest_core::staged::{KnownObject, Stage, Staged, StagedList, StagedObject};
use ingest_core::{IngestResult, ObjectIdentity, RequestedObject};

use super::Lake;
use super::flight::{Landing, Prepared};
use super::tables::View;
use crate::claims::Claim;
use crate::commit::protocol::Footing;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Entry, Found, ObjectName};
use crate::observe;
use crate::stage::{self, Arrival, Unfit, added_files, arrival, check, ends_at};

/// Looks at a table before the caller is asked to come again. Each but the first follows a change that touches the stage.
const MAX_LOOKS: usize = 5;

/// What became of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// Its rows are in the table, by this call or an earlier one, and what was rejected is set aside.
    Published(IngestResult),
    /// It does not fit the table as it is now.
    Conflict(Conflict),
}

/// Why a stage has to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Why, in words.
    pub reason: String,
    /// The staged objects that are in the table by another way, or can never get in: a new stage does without these
    /// versions. None if it is the table that changed.
    pub known: Vec<KnownObject>,
}

/// A list and the names under which the ledger knows its objects.
pub(super) struct Listed<'a> {
    pub(super) staged: &'a Staged,
    pub(super) list: &'a StagedList,
    /// Of each staged object.
    identities: Vec<ObjectIdentity>,
    /// Of each rejected object, if it has one.
    pub(super) rejected: Vec<Option<ObjectIdentity>>,
    claim: Arc<Claim>,
}

/// What the ledger has of a list's objects.
pub(super) type Known = HashMap<ObjectIdentity, Found>;

impl Lake {
    /// Publishes what a job staged, in one commit with the ledger, and sets aside what it rejected. Said again it changes
    /// nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] and [`ErrorKind::Forbidden`]: this stage will never be published.
    /// [`Error::retryable`] says whether the same call may succeed later.
    pub async fn publish_staged(&self, staged: &Staged) -> Result<Publication> {
        self.config.allow.check_table(&staged.table)?;
        // Before the claim: whoever holds what this one waits for needs no place here.
        let _publisher =
            self.publishers.acquire().await.map_err(|e| Error::unavailable("shutting down").caused_by(e))?;
        let list = self.staged_list(staged).await?;
        let listed = self.listed(staged, &list).await?;
        for _ in 0..MAX_LOOKS {
            if let Some(publication) = self.publish_listed(&listed).await? {
                return Ok(publication);
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!(
                "`{}` changed {MAX_LOOKS} times while stage {} was published",
                staged.table, staged.request_id
            ),
        ))
    }

    async fn listed<'a>(&self, staged: &'a Staged, list: &'a StagedList) -> Result<Listed<'a>> {
        let identities = list.staged.iter().map(|staged| {
            let object = &staged.object;
            self.identity(object).ok_or_else(|| Error::invalid(format!("`{}` has no version", object.uri)))
        });
        let identities: Vec<ObjectIdentity> = identities.collect::<Result<_>>()?;
        let rejected: Vec<_> = list.rejected.iter().map(|rejected| self.identity(&rejected.object)).collect();
        let wanted: Vec<ObjectIdentity> =
            identities.iter().chain(rejected.iter().flatten()).cloned().collect();
        let claim = Arc::new(self.claims.acquire(&staged.table, &wanted).await);
        Ok(Listed { staged, list, identities, rejected, claim })
    }

    /// The name of what a list says of an object. A key that cannot be addressed has none: nothing was looked up under it.
    fn identity(&self, object: &RequestedObject) -> Option<ObjectIdentity> {
        if object.uri.unaddressable().is_some() {
            return None;
        }
        let (version, etag) = (object.hint.version_id.as_deref(), object.hint.etag.as_deref());
        ObjectIdentity::of(&self.config.store_name, &object.uri, version, etag)
    }

    /// One look at the table, and one flight if the stage fits it; none if it turned out to be another meanwhile.
    async fn publish_listed(&self, listed: &Listed<'_>) -> Result<Option<Publication>> {
        let Listed { staged, list, .. } = listed;
        let Some(view) = self.tables.view(&staged.table).await? else {
            if let (None, None) = (&staged.stage, &list.table_uuid) {
                let folder = staged.table.to_string();
                return self.answer(listed, &folder, &Known::new(), None).await.map(Some);
            }
            return Err(Error::invalid(format!("table `{}` does not exist", staged.table)));
        };
        let table = view.table.metadata();
        let uuid = table.uuid().to_string();
        let same = list.table_uuid.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(&uuid));
        if !same && (staged.stage.is_some() || list.table_uuid.is_some()) {
            return Err(Error::invalid(format!(
                "the stage is of table {}, and `{}` is {uuid} now",
                list.table_uuid.as_deref().unwrap_or("(none)"),
                staged.table
            )));
        }
        let known = view.ledger.look_up(&view.head, &listed.all_identities()).await?;
        let Some(stage) = &staged.stage else {
            return self.answer(listed, &uuid, &known, None).await.map(Some);
        };
        match self.look_at(listed, &view, stage, &known).await {
            Ok(Look::Published(snapshot_id)) => {
                self.answer(listed, &uuid, &known, Some((snapshot_id, false))).await.map(Some)
            }
            Ok(Look::Fits(files)) => match self.fly_stage(listed, view, stage, files).await? {
                Some(snapshot_id) => {
                    self.answer(listed, &uuid, &known, Some((snapshot_id, true))).await.map(Some)
                }
                None => Ok(None),
            },
            Ok(Look::Conflict(conflict)) => Ok(Some(Publication::Conflict(conflict))),
            Err(Unfit::Changed(reason)) => {
                Ok(Some(Publication::Conflict(Conflict { reason, known: Vec::new() })))
            }
            Err(Unfit::Never(reason)) => Err(Error::invalid(reason)),
            Err(Unfit::Failed(error)) => Err(error),
        }
    }

    /// Whether a stage is published, may be, or has to be made anew.
    async fn look_at(
        &self,
        listed: &Listed<'_>,
        view: &View,
        stage: &Stage,
        known: &Known,
    ) -> Result<Look, Unfit> {
        let table = view.table.metadata();
        match arrival(table, stage.snapshot_id) {
            Arrival::None => {}
            Arrival::Published(snapshot_id) => return Ok(Look::Published(snapshot_id)),
            Arrival::ByAnother(snapshot_id) => {
                return Err(Unfit::Failed(Error::inconsistent(format!(
                    "stage {} came into main by snapshot {snapshot_id} of another program: its rows are there and the \
                     ledger does not know them. Roll main back to before it",
                    stage.snapshot_id
                ))));
            }
        }
        let branch = ends_at(table, &stage.branch);
        let in_table = listed.known(|identity| known.contains_key(identity));
        if branch.is_none() && in_table.len() == listed.identities.len() {
            // Published, and so long ago that its snapshot has expired.
            let newest = listed.identities.iter().filter_map(|identity| known.get(identity)).next_back();
            return Ok(Look::Published(newest.map_or(stage.snapshot_id, |found| found.snapshot_id)));
        }
        if !in_table.is_empty() {
            return Ok(Look::Conflict(Conflict {
                reason: format!(
                    "{} of the staged objects came into the table by another way",
                    in_table.len()
                ),
                known: in_table,
            }));
        }
        if branch != Some(stage.snapshot_id) {
            return Err(Unfit::Changed(match branch {
                None => format!("branch `{}` is gone", stage.branch),
                Some(other) => format!("branch `{}` ends at snapshot {other}", stage.branch),
            }));
        }
        let snapshot = table.snapshot_by_id(stage.snapshot_id).ok_or_else(|| {
            Unfit::Failed(Error::inconsistent(format!("branch `{}` ends nowhere", stage.branch)))
        })?;
        check(table, snapshot, listed.list)?;
        if let Some(conflict) = self.rivalled(listed, view).await? {
            return Ok(Look::Conflict(conflict));
        }
        Ok(Look::Fits(added_files(&view.table, snapshot, listed.list).await?))
    }

    /// Sets aside what cannot get in beside another version of its key, which is a data file where it is.
    async fn rivalled(&self, listed: &Listed<'_>, view: &View) -> Result<Option<Conflict>> {
        let rivals = view.ledger.rivals(&view.head, &self.ownable(listed), false).await?;
        if rivals.is_empty() {
            return Ok(None);
        }
        let reason =
            "another version of its key is in the table already, and the key is all that readers go by";
        let folder = view.table.metadata().uuid().to_string();
        let known = listed.known(|identity| rivals.contains(&ObjectName::of(identity)));
        for (StagedObject { object, .. }, identity) in listed.list.staged.iter().zip(&listed.identities) {
            if rivals.contains(&ObjectName::of(identity)) {
                self.set_object_aside(listed, &folder, object, Some(identity), reason).await?;
            }
        }
        Ok(Some(Conflict { reason: reason.to_owned(), known }))
    }

    fn ownable(&self, listed: &Listed<'_>) -> Vec<ObjectName> {
        let objects = listed.list.staged.iter().zip(&listed.identities);
        let ownable = objects.filter(|(staged, _)| self.config.allow.allows_owning(&staged.object.uri));
        ownable.map(|(_, identity)| ObjectName::of(identity)).collect()
    }

    /// Sends a stage that fits into `main`; none if the table turned out to be another.
    async fn fly_stage(
        &self,
        listed: &Listed<'_>,
        view: View,
        stage: &Stage,
        files: Vec<DataFile>,
    ) -> Result<Option<i64>> {
        let paths: Vec<String> = files.iter().map(|file| file.file_path().to_owned()).collect();
        let prepared = Prepared {
            footing: Footing { stage: Some(stage.clone()), ..view.footing() },
            evolved: None,
            properties: HashMap::new(),
            // The branch's as well: they are never ours to delete.
            kept: files,
            ownable: self.ownable(listed),
            files: Vec::new(),
            stores: self.tables.catalog.stores(&view.table),
            entries: listed.entries(&paths),
            sizes: listed.list.staged.iter().filter_map(|staged| staged.object.hint.size).collect(),
            _claim: listed.claim.clone(),
        };
        // A look at the table may be large: it is loaded again for the flight.
        drop(view);
        let committer = self.committers.of(&listed.staged.table);
        let committing = self.tables.observed.begin(observe::Stage::Commit);
        let landing = committer.submit(prepared, committer.expect()).await;
        drop(committing);
        match landing {
            Landing::Committed { snapshot_id } => Ok(Some(snapshot_id)),
            Landing::Replan { .. } => Ok(None),
            Landing::GaveUp { error, .. } => Err(error),
        }
    }
}

/// What a look at a table led to.
enum Look {
    /// The stage's rows are in `main` since this snapshot.
    Published(i64),
    /// It may be published: these files.
    Fits(Vec<DataFile>),
    /// It has to be made anew.
    Conflict(Conflict),
}

impl Listed<'_> {
    fn all_identities(&self) -> Vec<ObjectIdentity> {
        self.identities.iter().chain(self.rejected.iter().flatten()).cloned().collect()
    }

    /// The staged objects whose identity is wanted.
    fn known(&self, wanted: impl Fn(&ObjectIdentity) -> bool) -> Vec<KnownObject> {
        let objects = self.list.staged.iter().zip(&self.identities);
        let wanted = objects.filter(|(_, identity)| wanted(identity));
        wanted.map(|(staged, _)| KnownObject::of(&staged.object)).collect()
    }

    /// What the ledger shall say, but for the snapshot and its time.
    fn entries(&self, files: &[String]) -> Vec<Entry> {
        let time = Utc::now();
        let rows: Vec<u64> = self.list.staged.iter().map(|staged| staged.rows).collect();
        let objects = self.list.staged.iter().zip(&self.identities).zip(stage::parts(&rows, files));
        let entry = |((staged, identity), parts): ((&StagedObject, &ObjectIdentity), _)| Entry {
            identity: identity.clone(),
            event_time: staged.object.hint.event_time,
            request_id: self.list.request_id.clone(),
            snapshot_id: 0,
            mode: stage::MODE.to_owned(),
            rows: staged.rows,
            parts,
            time,
        };
        objects.map(entry).collect()
    }
}
