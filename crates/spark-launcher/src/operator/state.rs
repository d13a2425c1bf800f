//! What the operator says of an application, in the launcher's terms.

use super::build::DIGEST_ANNOTATION;
use super::resource::Observed;
use crate::AttemptState;

/// Longest reason that is taken over, in characters.
const MAX_REASON_CHARS: usize = 1_000;
/// How the operator tells the job's exit code that says that no other attempt can do better.
const NEVER: &str = "ExitCode: 2,";
/// Longest name of a state that is taken over, in characters.
const MAX_STATE_CHARS: usize = 64;

impl Observed {
    /// Only two states are ends: from all others the operator goes on, also from a failed submission, which becomes
    /// `FAILED` by itself. A state that is not known is taken as one of these, so that nothing is started beside it.
    pub(super) fn state(&self) -> AttemptState {
        if self.metadata.deletion_timestamp.is_some() {
            return AttemptState::Live("being removed".to_owned());
        }
        let Some(status) = &self.status else {
            return AttemptState::Live("not seen by the operator yet".to_owned());
        };
        match status.application_state.state.as_str() {
            "COMPLETED" => AttemptState::Succeeded,
            "FAILED" if status.application_state.error_message.contains(NEVER) => {
                AttemptState::Refused(self.reason())
            }
            "FAILED" => AttemptState::Failed(self.reason()),
            "" => AttemptState::Live("not seen by the operator yet".to_owned()),
            other => AttemptState::Live(cut(other, MAX_STATE_CHARS)),
        }
    }

    /// The digest of what it is to do; `None` is an application that is not ours.
    pub(super) fn digest(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(DIGEST_ANNOTATION).map(String::as_str)
    }

    /// Is it on its way out?
    pub(super) fn is_being_removed(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    fn reason(&self) -> String {
        let Some(status) = &self.status else { return String::new() };
        let said = status.application_state.error_message.trim();
        let said = if said.is_empty() { "the operator says no reason" } else { said };
        let pod = &status.driver_info.pod_name;
        let log = if pod.is_empty() { String::new() } else { format!(" (the driver's log: pod {pod})") };
        cut(said, MAX_REASON_CHARS) + &log
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(state: &str) -> AttemptState {
        state_with(state, "driver pod failed")
    }

    fn state_with(state: &str, message: &str) -> AttemptState {
        let said = json!({"metadata": {}, "status": {
            "applicationState": {"state": state, "errorMessage": message},
            "driverInfo": {"podName": "ingest-x-1-driver"},
        }});
        serde_json::from_value::<Observed>(said).unwrap().state()
    }

    #[test]
    fn two_states_are_ends() {
        assert_eq!(state("COMPLETED"), AttemptState::Succeeded);
        let reason = "driver pod failed (the driver's log: pod ingest-x-1-driver)";
        assert_eq!(state("FAILED"), AttemptState::Failed(reason.to_owned()));
    }

    #[test]
    fn what_no_retry_can_mend_is_told_from_other_failures() {
        for code in [1, 2, 12, 137] {
            let state = state_with(
                "FAILED",
                &format!("driver container failed with ExitCode: {code}, Reason: Error"),
            );
            assert_eq!(matches!(state, AttemptState::Refused(_)), code == 2, "{state:?}");
        }
    }

    #[test]
    fn all_others_are_alive() {
        let states = [
            "SUBMITTED",
            "RUNNING",
            "PENDING_RERUN",
            "INVALIDATING",
            "SUCCEEDING",
            "FAILING",
            "SUBMISSION_FAILED",
            "SUSPENDING",
            "SUSPENDED",
            "RESUMING",
            "UNKNOWN",
            "OF_A_LATER_RELEASE",
        ];
        for name in states {
            assert_eq!(state(name), AttemptState::Live(name.to_owned()));
        }
        for unseen in [json!({"metadata": {}}), json!({"metadata": {}, "status": {}})] {
            let unseen: Observed = serde_json::from_value(unseen).unwrap();
            assert!(matches!(unseen.state(), AttemptState::Live(_)));
        }
    }

    #[test]
    fn what_is_being_removed_may_still_run() {
        let said = json!({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"},
                          "status": {"applicationState": {"state": "COMPLETED"}}});
        let seen: Observed = serde_json::from_value(said).unwrap();
        assert_eq!(seen.state(), AttemptState::Live("being removed".to_owned()));
    }

    #[test]
    fn a_reason_is_bounded() {
        let said = json!({"metadata": {}, "status": {"applicationState": {"state": "FAILED", "errorMessage": "ä".repeat(5_000)}}});
        let AttemptState::Failed(reason) = serde_json::from_value::<Observed>(said).unwrap().state() else {
            panic!("it failed");
        };
        assert_eq!(reason.chars().count(), MAX_REASON_CHARS);
    }
}
