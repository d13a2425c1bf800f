//! Progress on standard error, for whoever watches: nothing is drawn unless that is a terminal.

use std::future::Future;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// How often a sign of life moves.
const TICK: Duration = Duration::from_millis(120);

/// A bar towards a known end; `unit` is what is counted.
pub(crate) fn bar(total: u64, unit: &str) -> ProgressBar {
    let template = format!("{{elapsed_precise}} {{bar:40}} {{pos}}/{{len}} {unit}, {{eta}} to go");
    styled(ProgressBar::with_draw_target(Some(total), target()), &template)
}

/// A sign of life towards an unknown end; the message says what has been done.
pub(crate) fn spinner() -> ProgressBar {
    styled(ProgressBar::with_draw_target(None, target()), "{elapsed_precise} {spinner} {msg}")
}

/// Work that says nothing until it is done, with a sign of life beside it; `what` says what is being done. The line is gone
/// when the work ends, and when it is given up.
pub(crate) async fn watched<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let sign = spinner().with_message(what).with_finish(ProgressFinish::AndClear);
    sign.enable_steady_tick(TICK);
    work.await
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.with_style(ProgressStyle::with_template(template).expect("a fixed template"))
}

fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
