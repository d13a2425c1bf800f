//! Python scripts, run in the project's virtual environment.

use std::{ffi::OsStr, process::Output, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::paths;

/// How long a script may run: most need seconds, a comparison of a large table more, on a busy machine many more.
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// Runs a script of `scripts/python`. It panics if the environment is missing or the script does not end; whether the script succeeded is in the
/// output's status.
pub async fn python<A>(script: &str, arguments: A) -> Output
where
    A: IntoIterator<Item: AsRef<OsStr>>,
{
    let scripts = paths::repository().join("scripts");
    let ended = Command::new(scripts.join("python.sh"))
        .arg(scripts.join("python").join(script))
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = timeout(ENDS_WITHIN, ended)
        .await
        .unwrap_or_else(|_| panic!("{script} has not ended within {ENDS_WITHIN:?}"))
        .expect("scripts/python.sh can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("make setup"), "{errors}");
    output
}
