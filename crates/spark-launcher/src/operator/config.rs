//! Settings of the backend.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sizing::Sizing;
use super::template::{Template, TemplateError};

/// An application that has ended is gone before its record is: a record that is closed is kept for 7 days, and the next
/// attempt of the same request counts on from it. An application that outlived it would bear the name of a new attempt.
pub const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(6 * 86_400);

/// What applications are made of.
#[derive(Debug, Clone)]
pub struct OperatorConfig {
    /// Where applications are made; `None` is the launcher's own namespace.
    pub namespace: Option<String>,
    /// Image of driver and executors, unless the template names one.
    pub image: Option<String>,
    /// Spark's version in that image, unless the template names one.
    pub spark_version: String,
    /// The job's main file, as Spark addresses it in that image.
    pub main_file: String,
    /// How long the operator keeps an application that has ended.
    pub time_to_live: Duration,
    /// How many executors a batch gets.
    pub sizing: Sizing,
    /// Variables of driver and executors. No secrets: whoever may read applications reads them.
    pub environment: BTreeMap<String, String>,
    /// Secrets of the namespace whose entries become variables of driver and executors.
    pub environment_secrets: Vec<String>,
    /// What lies under all this.
    pub template: Template,
}

/// Settings that cannot be. A retry never helps.
#[derive(Debug, thiserror::Error)]
pub enum OperatorConfigError {
    /// No image.
    #[error("no image for Spark: name it by --spark-image, or in the template as spec.image")]
    NoImage,
    /// Applications would be gone at once, or outlive their records.
    #[error("applications may be kept for a second up to {} days, not {} s", MAX_TIME_TO_LIVE.as_secs() / 86_400, .0.as_secs_f64())]
    TimeToLive(Duration),
    /// The template cannot be read from disk.
    #[error("the template {path}: {error}")]
    TemplateFile {
        /// Its path.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is none.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl OperatorConfig {
    /// Are these settings ones that applications can be made of?
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), OperatorConfigError> {
        let own = |part: &str| self.template.says(&format!("/spec/{part}/image"));
        if self.image.is_none() && !self.template.says("/spec/image") && !(own("driver") && own("executor")) {
            return Err(OperatorConfigError::NoImage);
        }
        if self.time_to_live.as_secs() == 0 || self.time_to_live > MAX_TIME_TO_LIVE {
            return Err(OperatorConfigError::TimeToLive(self.time_to_live));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(template: &str) -> OperatorConfig {
        OperatorConfig {
            namespace: None,
            image: None,
            spark_version: "4.1.4".to_owned(),
            main_file: "local:///job.py".to_owned(),
            time_to_live: Duration::from_secs(60),
            sizing: Sizing::default(),
            environment: BTreeMap::new(),
            environment_secrets: Vec::new(),
            template: Template::parse(template).unwrap(),
        }
    }

    #[test]
    fn an_image_is_named_somewhere() {
        assert!(matches!(config("{}").check(), Err(OperatorConfigError::NoImage)));
        assert!(config("spec: {driver: {image: a}}").check().is_err());
        assert!(config("spec: {driver: {image: a}, executor: {image: a}}").check().is_ok());
        assert!(config("spec: {image: a}").check().is_ok());
        assert!(OperatorConfig { image: Some("a".to_owned()), ..config("{}") }.check().is_ok());
    }

    #[test]
    fn no_application_outlives_its_record() {
        for (seconds, fits) in [(0, false), (1, true), (6 * 86_400, true), (6 * 86_400 + 1, false)] {
            let config =
                OperatorConfig { time_to_live: Duration::from_secs(seconds), ..config("spec: {image: a}") };
            assert_eq!(config.check().is_ok(), fits, "{seconds}");
        }
    }
}
