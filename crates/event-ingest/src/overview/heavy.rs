//! Requests of the heavy path, as their records tell them.

use chrono::Utc;
use futures::{StreamExt, TryStreamExt, stream};
use lake::Result;
use operations::PlantError;
use operations::model::{Changed, HeavyAttempt, HeavyJob, HeavyState, HeavyStatus, Outcome, Page};
use operations::plant::ListQuery;
use spark_launcher::record::documents::Note;
use spark_launcher::record::names::Mark;
use spark_launcher::record::store::{Found, Listed, Records};
use spark_launcher::record::summary::Summary;

use super::failed;

/// Live records that are looked at for a status: those that were given up before all others, then the oldest.
const MAX_LOOKED_AT: usize = 200;
/// Records that are read at the same time.
const READS_IN_FLIGHT: usize = 8;
/// Where the pages of closed records begin.
const CLOSED: &str = "closed";

/// The heavy path at a glance, and the ids of requests that were given up.
///
/// # Errors
/// The records cannot be read.
pub async fn status(records: &Records) -> Result<(HeavyStatus, Vec<String>)> {
    let mut listed = records.list().await?;
    listed.sort_by_key(|listed| listed.numbers(Mark::Failed, 0).next().is_none());
    listed.truncate(MAX_LOOKED_AT);
    let mut status = HeavyStatus::default();
    let mut failed = Vec::new();
    for summary in live(records, &listed).await? {
        match state(&summary) {
            HeavyState::Failed => {
                status.failed += 1;
                failed.push(summary.record_id);
                continue;
            }
            HeavyState::Starting | HeavyState::Running => status.running += 1,
            HeavyState::Waiting | HeavyState::Cancelled | HeavyState::Done => status.waiting += 1,
        }
        status.oldest = [status.oldest, Some(summary.received)].into_iter().flatten().min();
    }
    Ok((status, failed))
}

/// A page: live ones, the oldest first, then one page of those that are over, the newest first.
///
/// # Errors
/// No page begins there, or the records cannot be read.
pub async fn page(records: &Records, query: &ListQuery) -> Result<Page<HeavyJob>, PlantError> {
    let fail = |error: lake::Error| failed(&error);
    if query.after.as_deref() == Some(CLOSED) {
        let mut items = Vec::new();
        for (id, _) in records.stories(query.limit).await.map_err(fail)? {
            let story = records.closed(&id).await.map_err(fail)?;
            items.extend(story.map(|story| job(Summary::from(story))));
        }
        return Ok(Page::last(items));
    }
    let mut listed = records.list().await.map_err(fail)?;
    if let Some(after) = &query.after {
        let place = listed.iter().position(|listed| listed.id == *after);
        let place = place
            .ok_or_else(|| PlantError::invalid("no page begins there: the list has changed, begin anew"))?;
        listed.drain(..=place);
    }
    let more = listed.len() > query.limit;
    listed.truncate(query.limit);
    let last = listed.last().map(|listed| listed.id.clone()).filter(|_| more);
    let items = live(records, &listed).await.map_err(fail)?.into_iter().map(job).collect();
    Ok(Page { items, next: Some(last.unwrap_or_else(|| CLOSED.to_owned())) })
}

/// Summaries of those that are still owned, in their order.
async fn live(records: &Records, listed: &[Listed]) -> Result<Vec<Summary>> {
    let reads: Vec<_> = listed
        .iter()
        .map(|listed| async move {
            match records.find(&listed.id).await? {
                Found::Live(record) => Summary::of(records, &record).await.map(Some),
                Found::Vacant(_) => Ok(None),
            }
        })
        .collect();
    let found: Vec<Option<Summary>> = stream::iter(reads).buffered(READS_IN_FLIGHT).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn state(summary: &Summary) -> HeavyState {
    match summary.state {
        "starting" => HeavyState::Starting,
        "running" => HeavyState::Running,
        "failed" => HeavyState::Failed,
        "cancelled" | "closed: cancelled" => HeavyState::Cancelled,
        "done" => HeavyState::Done,
        _ => HeavyState::Waiting,
    }
}

fn job(summary: Summary) -> HeavyJob {
    let attempts = summary.attempts.iter().map(|attempt| HeavyAttempt {
        number: attempt.number,
        started: attempt.started,
        ended: attempt.ended,
        how: attempt.how.map(|how| how.as_str().to_owned()),
        reason: attempt.reason.clone(),
    });
    HeavyJob {
        state: state(&summary),
        attempts: attempts.collect(),
        id: summary.record_id,
        request_id: summary.request_id,
        table: summary.table,
        application: summary.application,
        backend: summary.backend,
        files: summary.files as u64,
        bytes: summary.bytes,
        received: summary.received,
        closed: summary.closed,
        reason: summary.reason,
    }
}

/// What a person wants of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Let what was given up try again.
    Retry,
    /// End it with what runs for it.
    Cancel,
}

/// Has the launcher do it with its next scan.
///
/// # Errors
/// There is no such live request, it is not one to be tried again, or its records do not answer.
pub async fn change(records: &Records, id: &str, wish: Wish) -> Result<Changed, PlantError> {
    let fail = |error: lake::Error| failed(&error);
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(PlantError::invalid("expected the id of a record: hex digits"));
    }
    let Found::Live(record) = records.find(id).await.map_err(fail)? else {
        return Err(PlantError::not_found(format!("there is no live request `{id}`")));
    };
    let note = Note { time: Utc::now(), reason: None };
    let message = match wish {
        Wish::Retry if !record.failed => {
            return Err(PlantError::invalid(format!("`{id}` was not given up: it goes on by itself")));
        }
        Wish::Retry => {
            records.retry(&record, &note).await.map_err(fail)?;
            "it tries again with the launcher's next scan"
        }
        Wish::Cancel => {
            records.cancel(&record, &note).await.map_err(fail)?;
            "it ends with the launcher's next scan"
        }
    };
    let outcome = Outcome { id: id.to_owned(), done: true, message: message.to_owned() };
    Ok(Changed { outcomes: vec![outcome] })
}
