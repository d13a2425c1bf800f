//! Who we are to the catalog: nobody, the bearer of a token, a client with a secret, or an AWS principal.

use std::collections::BTreeMap;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use reqwest::{Request, Url};

use super::oauth::OAuth;
use super::sigv4::SigV4;
use crate::catalog::properties::{flag, optional};
use crate::error::{Error, Result};

/// A way to authorise requests.
pub(super) enum Auth {
    /// Nothing, or what `header.authorization` says.
    None,
    /// A token that somebody else takes care of.
    Bearer(HeaderValue),
    /// Tokens that we get ourselves.
    Client(Box<OAuth>),
    /// A signature for each request.
    SigV4(Box<SigV4>),
}

impl Auth {
    pub(super) fn new(
        properties: &BTreeMap<String, String>,
        base: &Url,
        http: reqwest::Client,
    ) -> Result<Self> {
        let (token, credential) = (optional(properties, "token"), optional(properties, "credential"));
        if flag(properties, "rest.sigv4-enabled")? {
            if token.is_some() || credential.is_some() {
                return Err(Error::config(
                    "catalog property `rest.sigv4-enabled` goes with neither `token` nor `credential`: give one",
                ));
            }
            return Ok(Self::SigV4(Box::new(SigV4::new(properties)?)));
        }
        match (credential, token) {
            (Some(credential), _) => {
                Ok(Self::Client(Box::new(OAuth::new(credential, properties, base, http)?)))
            }
            (None, Some(token)) => {
                let header = bearer(token).ok_or_else(|| {
                    Error::config("catalog property `token` has characters that no HTTP header may have")
                })?;
                Ok(Self::Bearer(header))
            }
            (None, None) => Ok(Self::None),
        }
    }

    /// Authorises a request, as its last change. Returns the token that was used, for [`Auth::forget`].
    pub(super) async fn apply(&self, request: &mut Request) -> Result<Option<HeaderValue>> {
        let header = match self {
            Self::None => return Ok(None),
            Self::SigV4(signer) => {
                signer.apply(request).await?;
                return Ok(None);
            }
            Self::Bearer(header) => header.clone(),
            Self::Client(tokens) => tokens.header().await?,
        };
        request.headers_mut().insert(AUTHORIZATION, header.clone());
        Ok(Some(header))
    }

    /// Whether a request that was refused may be accepted with a new token.
    pub(super) fn renewable(&self) -> bool {
        matches!(self, Self::Client(_))
    }

    /// Takes note that a token was refused.
    pub(super) async fn forget(&self, used: Option<&HeaderValue>) {
        if let (Self::Client(tokens), Some(used)) = (self, used) {
            tokens.forget(used).await;
        }
    }
}

/// The header for a token; `None` if it has characters that no header may have.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}
