//! Two launchers over one storage, in every order that chance finds: requests come, scans overlap, launchers die between
//! any two steps, storage, table and Spark fail before or after they did what they were asked for, people cancel, retry,
//! mend and send again. What must always hold is checked after each event.

mod run;
mod store;
mod world;

use std::collections::BTreeSet;

use run::simulate;
use spark_launcher::decide::{Action, Limits, View, decide};
use spark_launcher::launcher::Rule;
use spark_launcher::record::Record;
use spark_launcher::record::closed::Closing;
use spark_launcher::sink::Standing;

/// Seeds of the usual run.
const SEEDS: u64 = 150;

#[test]
fn nobody_loses_a_request_and_everything_ends() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        match simulate(seed, decide) {
            Ok(what) => seen.extend(what),
            Err(wrong) => panic!("seed {seed}: {wrong}"),
        }
    }
    // A world in which these do not happen would prove little.
    let expected = [
        "set aside",
        "half done",
        "lie",
        "refused",
        "removed by hand",
        "no spark",
        "crash",
        "cancelled",
        "retried",
        "given up",
        "mended",
        "sent again",
        "owned",
        "in",
    ];
    for what in expected {
        assert!(seen.contains(what), "{what:?} never happened: {seen:?}");
    }
}

fn found(flaw: Rule) -> bool {
    (0..SEEDS).any(|seed| simulate(seed, flaw).is_err())
}

/// Believes the backend.
fn believes(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    use spark_launcher::record::documents::End;
    match record.newest().and_then(|newest| newest.ended.as_ref()) {
        Some(ended) if ended.how == End::Succeeded => Action::Close(Closing::Done),
        _ => decide(record, view, limits),
    }
}

/// Takes what was set aside before the record was taken for settled.
fn forgets_mending(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    let forgetful = Record { set_aside_before: std::collections::BTreeMap::new(), ..record.clone() };
    decide(&forgetful, view, limits)
}

/// Begins a new attempt while the newest one lives.
fn impatient(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    match decide(record, view, limits) {
        Action::Wait(spark_launcher::decide::Wait::Running(_)) => Action::Begin(record.next(), vec![0]),
        action => action,
    }
}

/// Never gives up.
fn stubborn(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    decide(record, view, &Limits { attempts: usize::MAX, ..limits.clone() })
}

/// Tries again what cannot be.
fn deaf(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    use spark_launcher::record::documents::End;
    let mut record = record.clone();
    for ended in record.attempts.iter_mut().filter_map(|marks| marks.ended.as_mut()) {
        ended.how = if ended.how == End::Refused { End::Failed } else { ended.how };
    }
    decide(&record, view, limits)
}

/// Closes what is half done.
fn hasty(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    let settled = |standings: &&[Standing]| {
        standings.iter().enumerate().any(|(place, standing)| record.settles(place, *standing))
    };
    match view.standings.filter(settled) {
        Some(_) if record.newest().is_none_or(|newest| newest.ended.is_some()) => {
            Action::Close(Closing::Done)
        }
        _ => decide(record, view, limits),
    }
}

/// Does not start again what was written down and not started.
fn forgetful(record: &Record, view: &View<'_>, limits: &Limits) -> Action {
    match decide(record, view, limits) {
        Action::StartAgain(_) => Action::Wait(spark_launcher::decide::Wait::Running("surely".to_owned())),
        action => action,
    }
}

#[test]
fn planted_flaws_are_found() {
    let flaws: [(&str, Rule); 7] = [
        ("believes", believes),
        ("forgets mending", forgets_mending),
        ("impatient", impatient),
        ("stubborn", stubborn),
        ("deaf", deaf),
        ("hasty", hasty),
        ("forgetful", forgetful),
    ];
    for (name, flaw) in flaws {
        assert!(found(flaw), "{name} was not found");
    }
}
