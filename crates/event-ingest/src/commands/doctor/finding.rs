//! What a check found, in one line.

use serde::Serialize;

use crate::commands::print::Table;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Not asked for, or not to be found out.
    Skipped,
    /// It works, and a person should know.
    Warn,
    /// It will not work.
    Fail,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub state: State,
    /// Names the check, and never changes.
    pub check: &'static str,
    /// What was looked at.
    pub subject: String,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub mend: Option<String>,
}

/// One check of one thing, before its outcome is known.
#[derive(Debug, Clone)]
pub(super) struct Check {
    check: &'static str,
    subject: String,
}

impl Check {
    pub fn of(check: &'static str, subject: impl Into<String>) -> Self {
        Self { check, subject: subject.into() }
    }

    pub fn ok(&self, detail: impl Into<String>) -> Finding {
        self.finding(State::Ok, detail.into(), None)
    }

    pub fn skipped(&self, why: impl Into<String>) -> Finding {
        self.finding(State::Skipped, why.into(), None)
    }

    pub fn warn(&self, detail: impl Into<String>, mend: impl Into<String>) -> Finding {
        self.finding(State::Warn, detail.into(), Some(mend.into()))
    }

    pub fn fail(&self, detail: impl Into<String>, mend: impl Into<String>) -> Finding {
        self.finding(State::Fail, detail.into(), Some(mend.into()))
    }

    fn finding(&self, state: State, detail: String, mend: Option<String>) -> Finding {
        Finding { state, check: self.check, subject: self.subject.clone(), detail, mend }
    }
}

/// The findings for people, one line each.
pub(super) fn table(findings: &[Finding]) -> Table<4> {
    let mut table = Table::new(["STATE", "CHECK", "SUBJECT", "FOUND"]);
    for Finding { state, check, subject, detail, mend } in findings {
        let found = match mend {
            Some(mend) => format!("{detail}. Do: {mend}"),
            None => detail.clone(),
        };
        table.row([state.as_str().to_owned(), (*check).to_owned(), subject.clone(), found]);
    }
    table
}
