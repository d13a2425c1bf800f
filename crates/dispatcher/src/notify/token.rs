//! What a sender shows to be let in.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use super::args::NotifyError;

/// A shared secret. It is never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token in a file, line ends around it aside.
    pub(super) fn read(path: &Path) -> Result<Self, NotifyError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| NotifyError::File { path: path.to_owned(), source })?;
        Ok(Self(text.trim().to_owned()))
    }

    /// Whether a header can carry it, and it is something at all.
    pub(super) fn is_valid(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Whether the request shows it: as Bearer token, as MinIO does, or as the password of any user, which is all that
    /// the address of an RGW endpoint can carry.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()) else {
            return false;
        };
        let Some(blank) = shown.iter().position(|byte| *byte == b' ') else { return false };
        let (scheme, shown) = (&shown[..blank], shown[blank..].trim_ascii());
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.is(shown);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Ok(decoded) = BASE64_STANDARD.decode(shown) else { return false };
        let password = decoded.iter().position(|byte| *byte == b':').map(|colon| &decoded[colon + 1..]);
        password.is_some_and(|password| self.is(password))
    }

    /// Compares in a time that tells nothing but the length.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

/// Any text is a token as far as the command line is concerned: its errors repeat what they were given.
impl FromStr for Token {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(****)")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn admitted(authorization: &str) -> bool {
        let token = Token("t0k3n:x".to_owned());
        let value = HeaderValue::from_str(authorization).expect("a header");
        token.admits(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }

    #[test]
    fn a_bearer_or_a_user_with_the_token_is_let_in() {
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for right in ["Bearer t0k3n:x", "bearer  t0k3n:x ", &basic("rgw:t0k3n:x"), &basic(":t0k3n:x")] {
            assert!(admitted(right), "{right}");
        }
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer t0k3n",
            "Bearer t0k3n:xx",
            "t0k3n:x",
            "Digest t0k3n:x",
            "Basic t0k3n:x",
            "Basic %",
            &basic("rgw:"),
            &basic("t0k3n:x"),
            &basic("t0k3n"),
        ] {
            assert!(!admitted(wrong), "{wrong}");
        }
        assert!(!Token("t".to_owned()).admits(&HeaderMap::new()));
    }
}
