//! The settings of the webhook.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use service_kit::config::{byte_size, positive, socket_address, some_time};

use super::token::Token;

/// Notifications over HTTP, beside those of the source topic.
#[derive(Args, Debug, Clone)]
pub struct NotifyArgs {
    /// Address for POST /notify, where webhooks of RGW and MinIO bring notifications for the source topic; none if not given
    #[arg(long, env = "NOTIFY_LISTEN", value_name = "IP:PORT", value_parser = socket_address)]
    pub notify_listen: Option<SocketAddr>,
    /// What senders have to show, as Bearer token or as password; anybody may send if not given
    #[arg(long, env = "NOTIFY_TOKEN", hide_env_values = true, conflicts_with = "notify_token_file")]
    pub notify_token: Option<Token>,
    /// File with that token; it is read at the start
    #[arg(long, env = "NOTIFY_TOKEN_FILE", value_name = "FILE")]
    pub notify_token_file: Option<PathBuf>,
    /// Largest notification that is taken over HTTP; keep it under the brokers' max.message.bytes
    #[arg(long, env = "NOTIFY_MAX_BODY", default_value = "900kB", value_parser = byte_size)]
    pub notify_max_body: u64,
    /// Notifications over HTTP that may wait for Kafka at once, each held in memory; as many again may wait for their turn
    #[arg(long, env = "NOTIFY_CONCURRENCY", default_value = "128", value_parser = positive)]
    pub notify_concurrency: usize,
    /// How long Kafka may take to acknowledge a notification before its sender is told to send it again
    #[arg(long, env = "NOTIFY_TIMEOUT", default_value = "10s", value_parser = some_time)]
    pub notify_timeout: Duration,
}

/// The settings as the webhook uses them.
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    /// Its address.
    pub listen: SocketAddr,
    /// What senders have to show.
    pub token: Option<Token>,
    /// Bytes of a body.
    pub max_body: usize,
    /// Notifications that wait for Kafka at once.
    pub concurrency: usize,
    /// How long each of them may.
    pub timeout: Duration,
}

/// A setting of the webhook that cannot be used. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The token's file.
    #[error("--notify-token-file (NOTIFY_TOKEN_FILE): {path:?} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A token that would let in who shows nothing, or that no header can carry.
    #[error(
        "--notify-token (NOTIFY_TOKEN) or the file of --notify-token-file: expected visible ASCII characters without blanks"
    )]
    Token,
}

impl NotifyArgs {
    /// The settings; none without an address.
    pub fn config(&self) -> Result<Option<NotifyConfig>, NotifyError> {
        let Some(listen) = self.notify_listen else { return Ok(None) };
        let token = match &self.notify_token_file {
            Some(path) => Some(Token::read(path)?),
            None => self.notify_token.clone(),
        };
        if token.as_ref().is_some_and(|token| !token.is_valid()) {
            return Err(NotifyError::Token);
        }
        Ok(Some(NotifyConfig {
            listen,
            token,
            max_body: usize::try_from(self.notify_max_body).unwrap_or(usize::MAX),
            concurrency: self.notify_concurrency,
            timeout: self.notify_timeout,
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn args(flags: &[&str]) -> Result<NotifyArgs, clap::Error> {
        let command = NotifyArgs::augment_args(Command::new("x"));
        NotifyArgs::from_arg_matches(&command.try_get_matches_from(["x"].iter().chain(flags))?)
    }

    fn token(flags: &[&str]) -> Result<Option<Token>, NotifyError> {
        let all: Vec<&str> = ["--notify-listen", "127.0.0.1:0"].iter().chain(flags).copied().collect();
        Ok(args(&all).expect("valid flags").config()?.expect("an address is given").token)
    }

    #[test]
    fn there_is_no_webhook_without_an_address() {
        assert!(args(&[]).expect("valid").config().expect("valid").is_none());
        assert!(token(&[]).expect("valid").is_none());
    }

    #[test]
    fn the_token_is_given_once() {
        let file = std::env::temp_dir().join(format!("notify-token-{}", std::process::id()));
        std::fs::write(&file, "t0k3n\n").expect("the temporary folder can be written");
        let path = file.to_str().expect("UTF-8");
        assert!(token(&["--notify-token-file", path]).expect("valid").is_some_and(|t| t.is(b"t0k3n")));
        assert!(args(&["--notify-token", "a", "--notify-token-file", path]).is_err());
        std::fs::remove_file(&file).expect("ours");
        let missing = token(&["--notify-token-file", path]).expect_err("gone").to_string();
        assert!(missing.contains("NOTIFY_TOKEN_FILE") && missing.contains(path), "{missing}");
    }

    #[test]
    fn a_token_that_protects_nothing_is_refused_and_not_repeated() {
        for wrong in ["", "two words", "schlüssel"] {
            let error = token(&["--notify-token", wrong]).expect_err("refused").to_string();
            assert!(
                error.contains("NOTIFY_TOKEN") && (wrong.is_empty() || !error.contains(wrong)),
                "{error}"
            );
        }
    }

    #[test]
    fn the_token_is_not_in_debug_output() {
        let args = args(&["--notify-token", "hunter2"]).expect("valid");
        assert!(!format!("{args:?}").contains("hunter2"));
    }
}
