//! What Amazon SNS puts around a message, unless raw delivery is on.

use serde::Deserialize;

use super::error::shortened;
use super::text::Text;
use super::{Ignored, NotificationError, Parsed};

const ENVELOPE: &str = "SNS";

#[derive(Deserialize)]
pub(super) struct Sns<'a> {
    #[serde(borrow, rename = "Type")]
    ty: Option<Text<'a>>,
    #[serde(borrow, rename = "Message")]
    message: Option<Text<'a>>,
}

impl Sns<'_> {
    /// Adds what the message inside announces to `parsed`. The address in a confirmation is never asked.
    pub fn read(self, envelopes: usize, parsed: &mut Parsed) -> Result<(), NotificationError> {
        let wrong = |reason: String| NotificationError::Envelope { envelope: ENVELOPE, reason };
        match self.ty.as_deref() {
            Some("Notification") => {
                let message = self.message.ok_or_else(|| wrong("it has no Message".to_owned()))?;
                super::read(message.as_bytes(), envelopes + 1, parsed)
            }
            Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => {
                parsed.ignored.push(Ignored::Subscription);
                Ok(())
            }
            other => Err(wrong(format!("its Type is {:?}", shortened(other.unwrap_or_default())))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::notification::{Ignored, NotificationError, parse};

    #[test]
    fn confirmations_are_ignored() {
        for ty in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
            let body = format!(r#"{{"Type":"{ty}","Message":"{{}}","SubscribeURL":"https://sns/?Token=t"}}"#);
            assert_eq!(parse(body.as_bytes()).unwrap().ignored, [Ignored::Subscription]);
        }
    }

    #[test]
    fn other_types_and_empty_ones_are_refused() {
        for (body, words) in [
            (r#"{"Type":"Notification"}"#, "no Message"),
            (r#"{"Type":"Other","Message":"{}"}"#, "\"Other\""),
            (r#"{"Records":[{"EventSource":"aws:sns","Sns":{}}]}"#, "Type"),
        ] {
            let error = parse(body.as_bytes()).unwrap_err();
            assert!(matches!(error, NotificationError::Envelope { envelope: "SNS", .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
