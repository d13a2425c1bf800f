//! Tokens by OAuth2's client credentials grant.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderValue;
use oauth2::basic::BasicClient;
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};
use reqwest::Url;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::auth::bearer;
use super::client::read;
use crate::catalog::properties::{optional, without_secret};
use crate::error::{Error, Result};

/// How long a token may take to come.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of an answer with a token is read.
const MAX_TOKEN_BYTES: u64 = 1 << 20;
/// The scope that is asked for unless told otherwise: as PyIceberg and the Java library do.
const DEFAULT_SCOPE: &str = "catalog";
/// How long before its end a token is replaced; for short-lived ones, a fifth of their life.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// Properties that are passed on to the token server as they are.
const PASSED_ON: [&str; 2] = ["audience", "resource"];

/// A client with a secret, and the token that it has.
pub(super) struct OAuth {
    sender: Sender,
    url: TokenUrl,
    id: ClientId,
    secret: ClientSecret,
    scope: Scope,
    extra: Vec<(&'static str, String)>,
    /// Held while a new one is fetched: everybody else waits for that one.
    token: Mutex<Option<Token>>,
}

struct Token {
    header: HeaderValue,
    /// `None`: the server did not say; it is good until it is refused.
    renew_at: Option<Instant>,
}

impl OAuth {
    /// `credential` is `id:secret`, or a secret alone.
    pub(super) fn new(
        credential: &str,
        properties: &BTreeMap<String, String>,
        base: &Url,
        http: reqwest::Client,
    ) -> Result<Self> {
        let (id, secret) = credential.split_once(':').unwrap_or(("", credential));
        let url = match optional(properties, "oauth2-server-uri") {
            Some(given) => given.to_owned(),
            None => format!("{}/v1/oauth/tokens", base.as_str().trim_end_matches('/')),
        };
        let wrong = |_| {
            let shown = without_secret(&url);
            Error::config(format!("catalog property `oauth2-server-uri`: `{shown}` is no URL"))
        };
        let passed = PASSED_ON.into_iter();
        Ok(Self {
            url: TokenUrl::new(url.clone()).map_err(wrong)?,
            sender: Sender(http),
            id: ClientId::new(id.to_owned()),
            secret: ClientSecret::new(secret.to_owned()),
            scope: Scope::new(optional(properties, "scope").unwrap_or(DEFAULT_SCOPE).to_owned()),
            extra: passed.filter_map(|name| Some((name, optional(properties, name)?.to_owned()))).collect(),
            token: Mutex::default(),
        })
    }

    /// The header to send, with a token that is still good for a while.
    pub(super) async fn header(&self) -> Result<HeaderValue> {
        let mut held = self.token.lock().await;
        if let Some(token) = &*held
            && token.renew_at.is_none_or(|at| Instant::now() < at)
        {
            return Ok(token.header.clone());
        }
        let token = self.fetch().await?;
        Ok(held.insert(token).header.clone())
    }

    /// Drops a token that was refused, unless another has taken its place.
    pub(super) async fn forget(&self, used: &HeaderValue) {
        let mut held = self.token.lock().await;
        if held.as_ref().is_some_and(|token| token.header == *used) {
            *held = None;
        }
    }

    async fn fetch(&self) -> Result<Token> {
        let asked = Instant::now();
        let client = BasicClient::new(self.id.clone())
            .set_client_secret(self.secret.clone())
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(self.url.clone());
        let mut request = client.exchange_client_credentials().add_scope(self.scope.clone());
        for (name, value) in &self.extra {
            request = request.add_extra_param(*name, value.as_str());
        }
        let failed = || {
            let server = without_secret(self.url.as_str());
            Error::unavailable(format!("no token for the catalog from `{server}`"))
        };
        let answer = request.request_async(&self.sender).await.map_err(|e| match e {
            // Its text quotes the answer, which may well be a token in a shape that is not known.
            RequestTokenError::Parse(..) => failed().caused_by("the answer is no token"),
            other => failed().caused_by(other),
        })?;
        let header = bearer(answer.access_token().secret())
            .ok_or_else(|| failed().caused_by("the token has characters that no HTTP header may have"))?;
        let renew_at = answer.expires_in().and_then(|lifetime| asked.checked_add(renew_after(lifetime)));
        Ok(Token { header, renew_at })
    }
}

/// Sends what the `oauth2` crate asks for, within our bounds.
struct Sender(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Sender {
    type Error = Exchange;
    type Future = BoxFuture<'c, Result<HttpResponse, Exchange>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        async move {
            let (head, body) = request.into_parts();
            let url = Url::parse(&head.uri.to_string())?;
            let request = self.0.request(head.method, url).headers(head.headers);
            let request = request.body(form(&body)).timeout(TOKEN_TIMEOUT);
            let response = request.send().await.map_err(reqwest::Error::without_url)?;
            let status = response.status();
            let body = read(response, MAX_TOKEN_BYTES).await.map_err(reqwest::Error::without_url)?;
            let mut answer = HttpResponse::new(body.ok_or(Exchange::TooLong)?.to_vec());
            *answer.status_mut() = status;
            Ok(answer)
        }
        .boxed()
    }
}

/// Why the token server gave no answer.
#[derive(Debug, thiserror::Error)]
enum Exchange {
    #[error("the URL cannot be sent to")]
    Url(#[from] url::ParseError),
    #[error("the server did not answer")]
    Http(#[from] reqwest::Error),
    #[error("the answer has more than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
}

/// The form to send. A credential that is a secret alone has no client id, and Iceberg's clients then leave it out.
fn form(body: &[u8]) -> String {
    let fields =
        form_urlencoded::parse(body).filter(|(name, value)| name != "client_id" || !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// After what time a token with this lifetime is replaced.
fn renew_after(lifetime: Duration) -> Duration {
    lifetime - RENEW_BEFORE.min(lifetime / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_before_its_end() {
        assert_eq!(renew_after(Duration::from_secs(3600)), Duration::from_secs(3540));
        assert_eq!(renew_after(Duration::from_secs(10)), Duration::from_secs(8));
        assert_eq!(renew_after(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_secret_alone_goes_without_a_client_id() {
        assert_eq!(form(b"grant_type=x&client_id=&client_secret=a%2Bb"), "grant_type=x&client_secret=a%2Bb");
        assert_eq!(form(b"client_id=me&scope=a+b"), "client_id=me&scope=a+b");
    }
}
