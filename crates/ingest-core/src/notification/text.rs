//! Strings of a message, borrowed from it where that is possible.

use std::borrow::Cow;
use std::ops::Deref;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A string that is borrowed from the message unless it holds escapes, also inside an `Option`.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The string that a JSON value is, if it is one.
pub(super) fn text<'a>(value: Option<&'a RawValue>) -> Option<Text<'a>> {
    serde_json::from_str(value?.get()).ok()
}
