//! Python scripts, run in the project's virtual environment.

use std::{ffi::OsStr, process::Output};

use tokio::process::Command;

use crate::paths;

/// Runs a script of `scripts/python`. It panics if the environment is missing; whether the script succeeded is in the
/// output's status.
pub async fn python<A>(script: &str, arguments: A) -> Output
where
    A: IntoIterator<Item: AsRef<OsStr>>,
{
    let scripts = paths::repository().join("scripts");
    let output = Command::new(scripts.join("python.sh"))
        .arg(scripts.join("python").join(script))
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .expect("scripts/python.sh can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("make setup"), "{errors}");
    output
}
