//! From listings to rows: what `ingest` and `reconcile` share.
//!
//! ```text
//! source ──▶ listing, a page at a time ──▶ rules ──▶ [judge, 200 of a table at a time] ──▶ requests of 200 ──▶ lake
//! ```
//!
//! Nothing here holds more than a page of a listing, [`groups::MAX_HELD`] objects between two stations, and the
//! requests under way. [`Load`] is the line; it never decides what is right: the rules, the machine of
//! [`lake::reconcile`] and the sink do.

mod groups;
mod loader;
mod report;
mod retry;
mod source;
mod summary;
#[cfg(test)]
mod tests;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::Utc;
use futures::{Stream, StreamExt};
use ingest_core::{IngestRequest, ObjectUri, RequestedObject, Route, RuleSet, Verdict as RuleVerdict};
use lake::AllowList;
use lake::allow::OUTSIDE;
use lake::reconcile::{Candidate, Policy, Verdict};
use lake::storage::listing::Listed;
use light_worker::Ingest;
use tokio_util::sync::CancellationToken;

use super::exit::{self, Interrupted};
use crate::survey::Judge;

pub(crate) use groups::{FULL, Groups};
pub(crate) use loader::{Loader, attempt};
pub(crate) use report::{Report, Style};
use retry::Retry;
pub(crate) use source::{Found, Source, find};

/// Keys after which everything under way is finished, so that the walk can be taken up again from there.
const CHECKPOINT_KEYS: u64 = 100_000;

/// The line from listed objects to requests.
pub(crate) struct Load<J, I> {
    /// Which objects are wanted, and for which table.
    rules: RuleSet,
    /// Name of the store that objects are in.
    store: String,
    policy: Policy,
    /// What may be read.
    allow: AllowList,
    /// Compares with ledger and quarantine; without it every wanted object is requested.
    judge: Option<J>,
    /// Carries out requests; without it nothing is ingested.
    loader: Option<Loader<I>>,
    candidates: Groups<Candidate>,
    requests: Groups<RequestedObject>,
    report: Report,
    stop: CancellationToken,
    /// Everything up to this object is done.
    position: Option<ObjectUri>,
}

/// What a [`Load`] is made of.
pub(crate) struct Parts<J, I> {
    pub(crate) rules: RuleSet,
    pub(crate) store: String,
    pub(crate) policy: Policy,
    pub(crate) allow: AllowList,
    pub(crate) judge: Option<J>,
    pub(crate) loader: Option<Loader<I>>,
    pub(crate) report: Report,
    pub(crate) stop: CancellationToken,
}

impl<J: Judge, I: Ingest> Load<J, I> {
    pub(crate) fn new(parts: Parts<J, I>) -> Self {
        Self {
            rules: parts.rules,
            store: parts.store,
            policy: parts.policy,
            allow: parts.allow,
            judge: parts.judge,
            loader: parts.loader,
            candidates: Groups::default(),
            requests: Groups::default(),
            report: parts.report,
            stop: parts.stop,
            position: None,
        }
    }

    /// Takes in a listing of a bucket, until its end or until the process is to stop.
    ///
    /// # Errors
    /// A listing, a look-up or a request that failed for good.
    pub(crate) async fn take_all(
        &mut self,
        bucket: &str,
        listing: impl Stream<Item = lake::Result<Listed>>,
    ) -> anyhow::Result<()> {
        let mut listing = std::pin::pin!(listing);
        let mut last = String::new();
        let mut since_checkpoint = 0;
        while let Some(Some(listed)) = self.stop.run_until_cancelled(listing.next()).await {
            let listed = listed?;
            let uri = ObjectUri::new(bucket, &listed.key)?;
            last.clone_from(&listed.key);
            self.report.seen();
            match self.rules.judge_listed(&uri, listed.size) {
                RuleVerdict::Route(route) => self.take(route, uri, listed).await?,
                RuleVerdict::Ignored(reason) | RuleVerdict::Unmatched(reason) => self.report.ignored(reason),
                RuleVerdict::Refused { text, .. } => self.report.set_aside(uri.to_string(), &text)?,
            }
            since_checkpoint += 1;
            if since_checkpoint == CHECKPOINT_KEYS {
                since_checkpoint = 0;
                self.settle().await?;
                self.position = Some(ObjectUri::new(bucket, &last)?);
            }
        }
        if !self.stop.is_cancelled() {
            self.settle().await?;
            if !last.is_empty() {
                self.position = Some(ObjectUri::new(bucket, &last)?);
            }
        }
        Ok(())
    }

    /// Takes in an object that was named itself.
    ///
    /// # Errors
    /// A look-up or a request that failed for good.
    pub(crate) async fn take_named(
        &mut self,
        route: Arc<Route>,
        uri: ObjectUri,
        listed: Listed,
    ) -> anyhow::Result<()> {
        self.report.seen();
        self.take(route, uri, listed).await
    }

    /// Notes a source that was named and may not be read.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(crate) fn leave_out(&mut self, source: &Source) -> io::Result<()> {
        self.report.forbidden(source.to_string(), OUTSIDE)
    }

    async fn take(&mut self, route: Arc<Route>, uri: ObjectUri, listed: Listed) -> anyhow::Result<()> {
        if !self.allow.allows_source(&uri) {
            return Ok(self.report.forbidden(uri.to_string(), OUTSIDE)?);
        }
        // A key may name the table, so that it is known only here.
        if let Err(error) = self.allow.check_table(&route.table) {
            return Ok(self.report.forbidden(uri.to_string(), &error.to_string())?);
        }
        let candidate = Candidate::new(&self.store, uri, listed, &self.policy, Utc::now());
        if self.judge.is_none() {
            return self.request(&route, candidate).await;
        }
        match self.candidates.add(route, candidate) {
            Some((route, candidates)) => self.judge(&route, candidates).await,
            None => Ok(()),
        }
    }

    async fn judge(&mut self, route: &Arc<Route>, candidates: Vec<Candidate>) -> anyhow::Result<()> {
        let Some(judge) = &mut self.judge else { return Ok(()) };
        let mut retry = Retry::new(&self.stop);
        let judged = loop {
            match judge.judge(&route.table, candidates.clone()).await {
                Ok(judged) => break judged,
                Err(error) => retry.after(error).await?,
            }
        };
        for (candidate, verdict) in judged {
            match verdict {
                Verdict::InTable => self.report.in_table(),
                Verdict::Recent => self.report.recent(),
                Verdict::Gone => self.report.gone(),
                Verdict::RolledBack => self.report.rolled_back(candidate.uri().to_string())?,
                Verdict::Quarantined => {
                    self.report.set_aside(candidate.uri().to_string(), "it was quarantined before")?;
                }
                Verdict::Unaddressable(reason) => {
                    self.report.set_aside(candidate.uri().to_string(), reason)?;
                }
                Verdict::Missing => self.request(route, candidate).await?,
            }
        }
        Ok(())
    }

    /// Requests an object, once there are enough of them.
    async fn request(&mut self, route: &Arc<Route>, candidate: Candidate) -> anyhow::Result<()> {
        let (file, table) = (candidate.uri().to_string(), route.table.to_string());
        self.report.missing(&file, &table, candidate.size())?;
        if self.loader.is_none() {
            return Ok(());
        }
        match self.requests.add(route.clone(), candidate.into_request()) {
            Some((route, objects)) => self.send(&route, objects).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, route: &Route, objects: Vec<RequestedObject>) -> anyhow::Result<()> {
        let Some(loader) = &mut self.loader else { return Ok(()) };
        let request =
            IngestRequest::new(route.table.clone(), route.format, route.options.clone(), objects, Utc::now());
        if let Some(result) = loader.begin(request).await? {
            self.report.done(&result)?;
        }
        Ok(())
    }

    /// Finishes everything that was taken in.
    ///
    /// # Errors
    /// A look-up or a request that failed for good.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        while let Some((route, candidates)) = self.candidates.take_largest() {
            self.judge(&route, candidates).await?;
        }
        while let Some((route, objects)) = self.requests.take_largest() {
            self.send(&route, objects).await?;
        }
        self.drain().await
    }

    /// Lets the requests end that are under way, all of them, whatever fails among them: what they did is reported.
    /// What was not requested yet is forgotten. The first failure is the one that counts.
    async fn drain(&mut self) -> anyhow::Result<()> {
        let Some(loader) = &mut self.loader else { return Ok(()) };
        let mut outcome = Ok(());
        loop {
            let ended = match loader.next().await {
                Ok(None) => return outcome,
                Ok(Some(result)) => self.report.done(&result).map_err(Into::into),
                Err(error) => Err(error),
            };
            outcome = outcome.and(ended);
        }
    }

    /// Writes the summary, and says how the command ended. `again` says how to go on after the given object was the
    /// last of which everything before is done, if there is one.
    ///
    /// # Errors
    /// The failure that ended the work, or that it was interrupted.
    pub(crate) async fn end(
        mut self,
        outcome: anyhow::Result<()>,
        again: impl FnOnce(Option<&ObjectUri>) -> String,
    ) -> anyhow::Result<ExitCode> {
        let drained = self.drain().await;
        self.report.end()?;
        let again = again(self.position.as_ref());
        outcome
            .and(drained)
            .map_err(|error| anyhow::anyhow!("{error:#}. What is ingested stays. {again}"))?;
        if self.stop.is_cancelled() {
            return Err(Interrupted::but(format!("what is ingested stays. {again}")).into());
        }
        Ok(exit::done(self.report.summary().all_in()))
    }
}
