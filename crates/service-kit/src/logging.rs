//! Logs on standard error: for people on a terminal, JSON lines otherwise.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::traces::TARGET;

/// What goes wrong with a logger.
type Failure = Box<dyn std::error::Error + Send + Sync>;

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
    pub fn init(&self) -> Result<(), Failure> {
        Ok(Registry::default().with(self.layer()?).try_init()?)
    }

    /// The logger, as a part of what is installed.
    pub(crate) fn layer<S>(&self) -> Result<Box<dyn Layer<S> + Send + Sync>, Failure>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let terminal = io::stderr().is_terminal();
        let lines = fmt::layer().with_writer(io::stderr);
        let lines = match self.log_format {
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
            LogFormat::Auto if !terminal => lines.json().flatten_event(true).boxed(),
            LogFormat::Auto | LogFormat::Human => lines.with_ansi(terminal).boxed(),
        };
        // Spans of traces are none of ours: while nobody makes traces, they are nobody's, and cost nothing.
        let ours = FilterFn::new(|metadata| metadata.target() != TARGET);
        let filter = EnvFilter::try_new(&self.log_level)?.and(ours.with_max_level_hint(LevelFilter::TRACE));
        Ok(lines.with_filter(filter).boxed())
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
