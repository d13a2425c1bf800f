//! Settings of the backend as flags and variables.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use service_kit::config::{byte_size, duration, key_value, positive};

use super::config::{OperatorConfig, OperatorConfigError};
use super::sizing::Sizing;
use super::template::{MAX_TEMPLATE_BYTES, Template};

/// Where and how the Spark operator is to run attempts.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Backend spark-operator")]
pub struct OperatorArgs {
    /// Namespace of the applications; the launcher's own if not given
    #[arg(long, env = "SPARK_NAMESPACE")]
    pub spark_namespace: Option<String>,
    /// Image of drivers and executors; the template's goes over it
    #[arg(long, env = "SPARK_IMAGE")]
    pub spark_image: Option<String>,
    /// Version of Spark in that image; the template's goes over it
    #[arg(long, env = "SPARK_VERSION", default_value = "4.1.4")]
    pub spark_version: String,
    /// The job's main file within that image
    #[arg(
        long,
        env = "SPARK_MAIN_FILE",
        default_value = "local:///opt/event-ingest/main.py",
        value_name = "URI"
    )]
    pub spark_main_file: String,
    /// YAML file with a partial SparkApplication that lies under what the launcher says: docs/heavy.md
    #[arg(long, env = "SPARK_TEMPLATE", value_name = "FILE")]
    pub spark_template: Option<PathBuf>,
    /// Variable of drivers and executors; repeatable, or separated by commas. No secrets
    #[arg(long = "spark-env", env = "SPARK_ENV", value_name = "NAME=VALUE", value_delimiter = ',', value_parser = key_value)]
    pub spark_env: Vec<(String, String)>,
    /// Secret whose entries become variables of drivers and executors; repeatable, or separated by commas
    #[arg(long = "spark-env-secret", env = "SPARK_ENV_SECRETS", value_name = "NAME", value_delimiter = ',')]
    pub spark_env_secret: Vec<String>,
    /// How long an application that has ended is kept, six days at most
    #[arg(long, env = "SPARK_TIME_TO_LIVE", default_value = "3d", value_parser = duration)]
    pub spark_time_to_live: Duration,
    /// Bytes of a batch for each executor
    #[arg(long, env = "SPARK_BYTES_PER_EXECUTOR", default_value = "2GiB", value_parser = byte_size)]
    pub spark_bytes_per_executor: u64,
    /// Files of a batch for each executor
    #[arg(long, env = "SPARK_FILES_PER_EXECUTOR", default_value = "500", value_parser = positive)]
    pub spark_files_per_executor: usize,
    /// Most executors of an application
    #[arg(long, env = "SPARK_MAX_EXECUTORS", default_value = "16", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub spark_max_executors: u32,
}

impl OperatorArgs {
    /// The settings, with the template read.
    ///
    /// # Errors
    /// The template cannot be read, or something of the settings cannot be.
    pub fn config(&self) -> Result<OperatorConfig, OperatorConfigError> {
        let template = match &self.spark_template {
            Some(path) => Template::parse(&read_template(path)?)?,
            None => Template::default(),
        };
        let config = OperatorConfig {
            namespace: self.spark_namespace.clone(),
            image: self.spark_image.clone(),
            spark_version: self.spark_version.clone(),
            main_file: self.spark_main_file.clone(),
            time_to_live: self.spark_time_to_live,
            sizing: Sizing {
                bytes_per_executor: self.spark_bytes_per_executor,
                files_per_executor: self.spark_files_per_executor,
                max_executors: self.spark_max_executors,
            },
            environment: self.spark_env.iter().cloned().collect(),
            environment_secrets: self.spark_env_secret.clone(),
            template,
        };
        config.check()?;
        Ok(config)
    }
}

/// Never more than one byte too much of it.
fn read_template(path: &Path) -> Result<String, OperatorConfigError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_TEMPLATE_BYTES as u64 + 1).read_to_string(&mut text))
        .map_err(|error| OperatorConfigError::TemplateFile { path: path.display().to_string(), error })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        operator: OperatorArgs,
    }

    fn config(flags: &[&str]) -> Result<OperatorConfig, OperatorConfigError> {
        let flags = ["launcher"].iter().chain(flags);
        Command::try_parse_from(flags).expect("the flags are known").operator.config()
    }

    #[test]
    fn flags_become_settings() {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, "spec: {driver: {serviceAccount: spark}}").unwrap();
        let flags = [
            "--spark-image=i:1",
            "--spark-env=A=1,B=x=y",
            "--spark-env-secret=s3",
            "--spark-max-executors=3",
        ];
        let template = format!("--spark-template={}", template.display());
        let config = config(&[flags.as_slice(), &[template.as_str()]].concat()).unwrap();
        assert_eq!(config.image.as_deref(), Some("i:1"));
        assert_eq!(
            config.environment.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
            ["A=1", "B=x=y"]
        );
        assert_eq!(config.environment_secrets, ["s3"]);
        assert_eq!((config.sizing.max_executors, config.sizing.bytes_per_executor), (3, 2 << 30));
        assert_eq!(config.time_to_live, Duration::from_secs(3 * 86_400));
        assert!(config.template.says("/spec/driver/serviceAccount"));
    }

    #[test]
    fn what_cannot_be_is_told_at_the_start() {
        assert!(matches!(config(&[]), Err(OperatorConfigError::NoImage)));
        let missing = config(&["--spark-image=i", "--spark-template=/nowhere/template.yaml"]);
        assert!(missing.expect_err("there is no such file").to_string().contains("/nowhere/template.yaml"));
        let week = config(&["--spark-image=i", "--spark-time-to-live=7d"]);
        assert!(matches!(week, Err(OperatorConfigError::TimeToLive(_))));
    }
}
