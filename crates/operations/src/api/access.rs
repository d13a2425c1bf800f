//! Who may change something: whoever shows the token. And by which name the server may be asked.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use super::Api;
use super::failure::{Code, Failure};

/// Shortest token, in characters: one that can be guessed is none.
const MIN_TOKEN: usize = 16;

/// What a server lets others do.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// What a change has to show; without it there are none.
    pub token: Option<Token>,
    /// Only local names are answered (`localhost`, loopback addresses). For a server that listens on a loopback address:
    /// a page of a stranger, whose name its owner has made to mean 127.0.0.1, would be the server's own page to a browser.
    pub local_only: bool,
}

/// A shared secret. It is never shown.
#[derive(Clone)]
pub struct Token(String);

/// A text that is no token. Does not hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has at least {MIN_TOKEN} characters, all of them visible ASCII")]
pub struct TokenError;

impl Token {
    /// The token that is this text; blanks and line ends around it are not part of it.
    ///
    /// # Errors
    /// It is too short, or a header cannot carry it.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        match text.len() >= MIN_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text.to_owned())),
            false => Err(TokenError),
        }
    }

    /// Whether the request shows it, as Bearer token. Takes a time that tells nothing but the length.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        shown.is_some_and(|shown| self.0.as_bytes().ct_eq(shown.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(****)")
    }
}

impl Access {
    /// Whether a request may change something.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        self.token.as_ref().is_some_and(|token| token.admits(headers))
    }
}

/// Proof that a request may change something. Taken before its body.
pub(super) struct Admitted;

impl FromRequestParts<Api> for Admitted {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        if api.access.token.is_none() {
            return Err(Failure::new(
                Code::ReadOnly,
                "nothing can be changed here: this server was started without a token for its admin API",
            ));
        }
        if !api.access.admits(&parts.headers) {
            return Err(Failure::new(
                Code::Unauthorized,
                "a change needs the server's token, as `Authorization: Bearer <token>`",
            ));
        }
        Ok(Self)
    }
}

/// Refuses requests to a name that is not ours.
pub(super) async fn own_name(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    match host {
        Some(host) if access.local_only && !is_local(host) => Failure::new(
            Code::ForeignHost,
            "this server listens on a loopback address and answers to localhost and 127.0.0.1 alone",
        )
        .into_response(),
        _ => next.run(request).await,
    }
}

fn is_local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_bearer_of_the_token_is_admitted() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        let admits = |value: &str| {
            token.admits(&HeaderMap::from_iter([(
                header::AUTHORIZATION,
                HeaderValue::from_str(value).unwrap(),
            )]))
        };
        assert!(admits("Bearer 0123456789abcdef") && admits("bearer  0123456789abcdef"));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Basic 0123456789abcdef", "0123456789abcdef"]
        {
            assert!(!admits(wrong), "{wrong}");
        }
        assert!(!token.admits(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "Token(****)");
    }

    #[test]
    fn a_token_that_can_be_guessed_or_not_be_sent_is_none() {
        for text in ["", "short", "0123456789 abcdef", "0123456789äbcdef"] {
            assert_eq!(Token::new(text).unwrap_err(), TokenError, "{text}");
        }
    }

    #[test]
    fn local_names_are_told_from_others() {
        for local in
            ["localhost", "LOCALHOST:9001", "127.0.0.1:1", "127.1.2.3", "[::1]:9001", "a.localhost:80"]
        {
            assert!(is_local(local), "{local}");
        }
        for foreign in
            ["", "evil.example", "localhost.evil.example", "10.0.0.1:80", "[2001:db8::1]", "127.0.0.1.nip.io"]
        {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
