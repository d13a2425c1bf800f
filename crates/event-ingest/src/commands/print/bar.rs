//! Progress on standard error, for whoever watches: nothing is drawn unless that is a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar towards a known end; `unit` is what is counted.
pub(crate) fn bar(total: u64, unit: &str) -> ProgressBar {
    let template = format!("{{elapsed_precise}} {{bar:40}} {{pos}}/{{len}} {unit}, {{eta}} to go");
    styled(ProgressBar::with_draw_target(Some(total), target()), &template)
}

/// A sign of life towards an unknown end; the message says what has been done.
pub(crate) fn spinner() -> ProgressBar {
    styled(ProgressBar::with_draw_target(None, target()), "{elapsed_precise} {spinner} {msg}")
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.with_style(ProgressStyle::with_template(template).expect("a fixed template"))
}

fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
