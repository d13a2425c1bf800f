//! Whether Spark is there, for the launcher's backend `spark-submit` and for `maintain`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::finding::{Check, Finding};

/// How long Spark may take to say its version: a Java machine starts.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn check(program: &Path) -> Finding {
    let check = Check::of("spark", program.display().to_string());
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let answer = match tokio::time::timeout(ANSWERS_WITHIN, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            // Spark writes its version to standard error.
            let said = [output.stdout, output.stderr].concat();
            Ok(String::from_utf8_lossy(&said).into_owned())
        }
        Ok(Ok(output)) => Err(format!("it ends with {}", output.status)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {ANSWERS_WITHIN:?}")),
    };
    judge(&check, answer)
}

fn judge(check: &Check, answer: Result<String, String>) -> Finding {
    let said = match answer {
        Ok(said) => said,
        Err(reason) => {
            return check.fail(reason, "install Spark with a JDK, or correct --spark-submit and JAVA_HOME");
        }
    };
    let version = said.split_whitespace().skip_while(|word| *word != "version").nth(1);
    check.ok(version.map_or_else(|| "runs".to_owned(), |version| format!("version {version}")))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn the_version_is_told() {
        let check = Check::of("spark", "spark-submit");
        let banner = "Welcome to\n   /_/   version 4.0.1\n\nUsing Scala version 2.13.16";
        assert_eq!(judge(&check, Ok(banner.to_owned())).detail, "version 4.0.1");
        assert_eq!(judge(&check, Err("No such file".to_owned())).state, State::Fail);
    }
}
