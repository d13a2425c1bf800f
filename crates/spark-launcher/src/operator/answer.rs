//! What a refusal of the Kubernetes API means.

use kube::Error;
use kube::core::Status;

use crate::BackendError;

/// Longest message that is taken over, in characters.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// Only what is wrong with the application itself is rejected. All else waits: for the API, for room, or for a person.
pub(super) fn refusal(doing: &str, error: &Error) -> BackendError {
    let Error::Api(status) = error else {
        return BackendError::Unavailable(format!(
            "{doing}: the Kubernetes API does not answer: {}",
            chain(error)
        ));
    };
    let message = message(status);
    match status.code {
        400 | 413 | 422 => BackendError::Rejected(format!("{doing}: refused as invalid: {message}")),
        code => BackendError::Unavailable(format!("{doing}: {}: {message}", meaning(code, &message))),
    }
}

/// Is the application not there, as the API that knows applications says? A path that is not known is answered 404 too.
pub(super) fn is_absent(error: &Error, name: &str) -> bool {
    let Error::Api(status) = error else { return false };
    status.code == 404 && status.details.as_ref().is_some_and(|details| details.name == name)
}

/// Is one of that name there?
pub(super) fn exists(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.is_already_exists())
}

fn meaning(code: u16, message: &str) -> String {
    let text = match code {
        401 => "not known to the Kubernetes API (check the service account's token)",
        403 if message.contains("exceeded quota") => "no room in the namespace's quota (it is tried again)",
        403 if message.contains("denied the request") => "an admission webhook does not allow it",
        403 => "not allowed (check the service account's role: docs/heavy.md)",
        404 => "the namespace or the Spark operator's definition of applications is not there",
        409 => "something else was written at the same time",
        429 => "the Kubernetes API is too busy",
        500.. => "the Kubernetes API does not work",
        _ => return format!("unexpected answer {code}"),
    };
    text.to_owned()
}

fn message(status: &Status) -> String {
    status.message.chars().take(MAX_MESSAGE_CHARS).collect()
}

/// The causes are in the sources: "ServiceError" alone says nothing.
fn chain(error: &Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        source = cause.source();
    }
    texts.join(": ").chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, message: &str) -> Error {
        Error::Api(Status::failure(message, "").with_code(code).boxed())
    }

    #[test]
    fn only_what_is_wrong_with_the_application_is_rejected() {
        for code in [400, 413, 422] {
            let error = refusal("starting x", &answered(code, "spec.mode: wrong"));
            assert!(
                matches!(&error, BackendError::Rejected(text) if text.contains("spec.mode: wrong")),
                "{error}"
            );
        }
        for code in [401, 403, 404, 405, 409, 415, 429, 500, 502, 503, 504] {
            assert!(
                matches!(refusal("starting x", &answered(code, "")), BackendError::Unavailable(_)),
                "{code}"
            );
        }
        let lost = Error::Service("connection refused".into());
        assert!(matches!(refusal("starting x", &lost), BackendError::Unavailable(_)));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let cases = [
            (403, "applications is forbidden: exceeded quota: q", "quota"),
            (403, "User cannot create resource", "role"),
            (403, "admission webhook \"x\" denied the request: no", "webhook"),
            (404, "404 page not found", "definition"),
        ];
        for (code, message, says) in cases {
            let text = refusal("starting x", &answered(code, message)).to_string();
            let told = text.split(message).next().expect("what comes before the message");
            assert!(told.contains(says) && text.ends_with(message), "{text}");
        }
    }

    #[test]
    fn only_the_application_itself_is_absent() {
        let named = |name: &str| {
            let said = serde_json::json!({"message": "not found", "reason": "NotFound", "code": 404, "details": {"name": name}});
            Error::Api(serde_json::from_value::<Status>(said).expect("a status").boxed())
        };
        assert!(is_absent(&named("ingest-x-1"), "ingest-x-1"));
        assert!(!is_absent(&named("another"), "ingest-x-1"));
        assert!(!is_absent(&answered(404, "404 page not found"), "ingest-x-1"));
    }
}
