//! Logs on standard error: for people on a terminal, JSON lines otherwise.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The logging flags of every service.
#[derive(Args, Debug, Clone)]
pub struct LoggingArgs {
    /// off, error, warn, info, debug or trace; or filters such as info,librdkafka=debug
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_parser = level)]
    pub log_level: String,
    /// How log lines are written; auto is human on a terminal and json elsewhere
    #[arg(long, env = "LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
}

/// How log lines are written.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// Coloured text.
    Human,
    /// One JSON object a line.
    Json,
}

impl LoggingArgs {
    /// Installs the process's logger. Fails if there is one already.
    pub fn init(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let terminal = io::stderr().is_terminal();
        let filter = EnvFilter::try_new(&self.log_level)?;
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            LogFormat::Json => lines.json().flatten_event(true).try_init(),
            LogFormat::Auto if !terminal => lines.json().flatten_event(true).try_init(),
            LogFormat::Auto | LogFormat::Human => lines.with_ansi(terminal).try_init(),
        }
    }
}

/// A level or filter directives. A lone word has to be a level: as a directive it would silence all other targets.
fn level(text: &str) -> Result<String, String> {
    let valid = if text.contains(['=', ',']) {
        EnvFilter::try_new(text).is_ok()
    } else {
        !text.is_empty() && text.parse::<LevelFilter>().is_ok()
    };
    if valid {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected off, error, warn, info, debug, trace or filters such as info,librdkafka=debug, was given {text:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_told_from_typing_errors() {
        for right in ["info", "DEBUG", "off", "info,librdkafka=debug"] {
            assert_eq!(level(right).as_deref(), Ok(right));
        }
        for wrong in ["inof", "", "info,librdkafka=loud"] {
            assert!(level(wrong).expect_err(wrong).contains(&format!("{wrong:?}")));
        }
    }
}
