//! How commands end: the exit codes, the same for all of them. `docs/cli.md` lists them for users.

use std::process::ExitCode;

/// The work is done, and something is left that a person should see to: objects that were set aside or may not be read,
/// letters that cannot go back, requests that were given up, checks that failed. 1 is a failure, 2 a wrong command line.
pub const EXIT_SET_ASIDE: u8 = 3;

/// Ledger and table disagree, or something of a lost ledger cannot be made again.
pub const EXIT_DISAGREE: u8 = 4;

/// SIGINT or SIGTERM ended the command before its work was done; what is done stays. Shells use the same number.
pub const EXIT_INTERRUPTED: u8 = 130;

/// The command was told to end before its work was done. No fault of its own: the same command goes on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(String);

impl Interrupted {
    /// With what became of the work so far and how to go on.
    pub fn but(so_far: impl std::fmt::Display) -> Self {
        Self(format!("interrupted: {so_far}"))
    }
}

impl Default for Interrupted {
    /// Of a command that only looks.
    fn default() -> Self {
        Self("interrupted".to_owned())
    }
}

/// The exit code of a command that ended in this error.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    match error.is::<Interrupted>() {
        true => EXIT_INTERRUPTED.into(),
        false => ExitCode::FAILURE,
    }
}

/// The exit code of a command that did its work; `sound` says whether nothing is left to see to.
#[must_use]
pub fn done(sound: bool) -> ExitCode {
    if sound { ExitCode::SUCCESS } else { EXIT_SET_ASIDE.into() }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_interruption_is_known_under_what_was_added_to_it() {
        let interrupted =
            Err::<(), _>(Interrupted::but("half is done")).context("while reading").unwrap_err();
        assert_eq!(code_of(&interrupted), ExitCode::from(EXIT_INTERRUPTED));
        assert!(format!("{interrupted:#}").contains("half is done"));
        assert_eq!(code_of(&anyhow::anyhow!("interrupted by nobody")), ExitCode::FAILURE);
    }
}
