//! Whether there is Spark: `spark-submit` and the job, both on this machine. A Spark without the job is somebody else's,
//! and is left alone.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::{Heavy, HeavyArgs};

const PROGRAM: &str = "spark-submit";

/// What starts a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spark {
    /// `spark-submit`.
    pub program: PathBuf,
    /// The job's file.
    pub job: PathBuf,
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSpark {
    /// The program that was named.
    #[error("spark-submit is not at {0} (--spark-submit, SPARK_SUBMIT)")]
    NotThere(PathBuf),
    /// Any program.
    #[error(
        "spark-submit is neither in $SPARK_HOME/bin nor on the PATH: install Spark, or say where it is by --spark-submit"
    )]
    NotFound,
    /// The job.
    #[error("the Spark job is not at {0}: give spark/main.py of the repository by --spark-job (SPARK_JOB)")]
    NoJob(PathBuf),
}

/// Who reads heavy batches: Spark, or none for this process.
///
/// # Errors
/// Spark is asked for, and not there.
pub fn choose(args: &HeavyArgs) -> Result<Option<Spark>, NoSpark> {
    let found = || find(args, |name| env::var_os(name));
    match args.heavy {
        Heavy::Inline => Ok(None),
        Heavy::SparkSubmit => found().map(Some),
        Heavy::Auto => Ok(found()
            .inspect_err(|missing| tracing::info!(%missing, "heavy batches are read by this process"))
            .ok()),
    }
}

/// Looks for Spark, given the environment.
///
/// # Errors
/// What is missing.
pub fn find(args: &HeavyArgs, variable: impl Fn(&str) -> Option<OsString>) -> Result<Spark, NoSpark> {
    let on_path = |name: &Path| {
        let folders = variable("PATH").unwrap_or_default();
        env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    let program = match &args.spark_submit {
        Some(given) if given.components().count() == 1 => on_path(given),
        Some(given) => Some(given.clone()).filter(|file| file.is_file()),
        None => {
            let home = variable("SPARK_HOME").map(|home| Path::new(&home).join("bin").join(PROGRAM));
            home.filter(|file| file.is_file()).or_else(|| on_path(Path::new(PROGRAM)))
        }
    };
    let missing = || args.spark_submit.clone().map_or(NoSpark::NotFound, NoSpark::NotThere);
    let program = program.ok_or_else(missing)?;
    let job = args.spark_job.clone();
    if job.is_file() { Ok(Spark { program, job }) } else { Err(NoSpark::NoJob(job)) }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn args(line: &[&str]) -> HeavyArgs {
        let command = <HeavyArgs as clap::Args>::augment_args(Command::new("standalone"));
        let line = ["standalone"].iter().chain(line);
        HeavyArgs::from_arg_matches(&command.try_get_matches_from(line).unwrap()).unwrap()
    }

    fn touch(file: &Path) -> String {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
        file.display().to_string()
    }

    #[test]
    fn it_is_where_one_says_or_in_its_home_or_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let job = touch(&at.join("main.py"));
        let [home, path] = ["home", "path"].map(|name| at.join(name));
        let variable = |name: &str| match name {
            "SPARK_HOME" => Some(home.clone().into_os_string()),
            "PATH" => Some(env::join_paths([at.join("nothing"), path.clone()]).unwrap()),
            _ => None,
        };
        let found = |line: &[&str]| find(&args(&[line, &["--spark-job", &job]].concat()), variable);
        assert_eq!(found(&[]), Err(NoSpark::NotFound));
        let third = touch(&path.join(PROGRAM));
        assert_eq!(found(&[]).unwrap().program, Path::new(&third));
        assert_eq!(found(&["--spark-submit", PROGRAM]).unwrap().program, Path::new(&third));
        let second = touch(&home.join("bin").join(PROGRAM));
        assert_eq!(found(&[]).unwrap().program, Path::new(&second));
        let first = touch(&at.join("mine"));
        assert_eq!(found(&["--spark-submit", &first]).unwrap().program, Path::new(&first));
        let error = found(&["--spark-submit", "/no/such/program"]).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }

    #[test]
    fn without_the_job_it_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let program = touch(&folder.path().join(PROGRAM));
        let line = ["--spark-submit", &program, "--spark-job", "/no/such/job.py"];
        let asked = args(&[&line[..], &["--heavy", "spark-submit"]].concat());
        assert_eq!(choose(&asked), Err(NoSpark::NoJob("/no/such/job.py".into())));
        assert_eq!(choose(&args(&line)), Ok(None));
    }

    #[test]
    fn it_may_be_there_and_not_be_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let [program, job] = [PROGRAM, "main.py"].map(|name| touch(&folder.path().join(name)));
        let line = ["--spark-submit", &program, "--spark-job", &job];
        assert_eq!(
            choose(&args(&line)),
            Ok(Some(Spark { program: program.clone().into(), job: job.clone().into() }))
        );
        assert_eq!(choose(&args(&[&line[..], &["--heavy", "inline"]].concat())), Ok(None));
    }
}
