//! A CloudEvent in structured mode. In binary mode its data is the message, and nothing is to be unwrapped.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::text::{Text, text};
use super::{NotificationError, Parsed};

const ENVELOPE: &str = "CloudEvent";

#[derive(Deserialize)]
pub(super) struct CloudEvent<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<Text<'a>>,
}

impl CloudEvent<'_> {
    /// Adds what the data announces to `parsed`: JSON as it stands, JSON in a string, or JSON in Base64.
    pub fn read(self, envelopes: usize, parsed: &mut Parsed) -> Result<(), NotificationError> {
        let wrong =
            |reason: &str| NotificationError::Envelope { envelope: ENVELOPE, reason: reason.to_owned() };
        if let Some(encoded) = self.data_base64 {
            let data = BASE64_STANDARD.decode(encoded.as_bytes());
            let data = data.map_err(|_| wrong("its data_base64 is no Base64"))?;
            return super::read(&data, envelopes + 1, parsed);
        }
        let data = self.data.ok_or_else(|| wrong("it has no data"))?;
        match text(Some(data)) {
            Some(inner) => super::read(inner.as_bytes(), envelopes + 1, parsed),
            None => super::read(data.get().as_bytes(), envelopes + 1, parsed),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::notification::parse;

    #[test]
    fn the_data_is_json_or_a_string_or_base64() {
        for data in [
            r#""data":{"Event":"s3:TestEvent"}"#,
            r#""data":"{\"Event\":\"s3:TestEvent\"}""#,
            r#""data_base64":"eyJFdmVudCI6InMzOlRlc3RFdmVudCJ9""#,
        ] {
            let event = format!(r#"{{"specversion":"1.0","id":"1","type":"t","source":"/s",{data}}}"#);
            assert_eq!(parse(event.as_bytes()).unwrap().ignored.len(), 1, "{data}");
        }
    }

    #[test]
    fn an_event_without_usable_data_is_refused() {
        for (data, words) in [
            (r#""id":"1""#, "no data"),
            (r#""data":null"#, "no data"),
            (r#""data_base64":"%""#, "Base64"),
            (r#""data":[]"#, "neither"),
            (r#""data":"hello""#, "not a notification"),
        ] {
            let error = parse(format!(r#"{{"specversion":"1.0",{data}}}"#).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(words), "{data}: {error}");
        }
    }
}
