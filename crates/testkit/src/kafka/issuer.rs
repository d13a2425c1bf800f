//! A server that issues tokens (OAuth2's client credentials grant, as Keycloak does it) and publishes the key that they
//! are signed with: tokens over TLS, under an authority of its own, the key in plain, since only the broker asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, server::conn::http1};
use hyper_util::rt::TokioIo;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// For whom the tokens are.
pub(super) const AUDIENCE: &str = "kafka";
/// The scope that has to be asked for.
pub(super) const SCOPE: &str = "ingest";
/// The name of the signing key.
const KEY_ID: &str = "k1";
/// How long a token is good for: short, so that clients have to ask again within a test.
const LIFETIME: Duration = Duration::from_secs(10);

/// A running issuer. It ends with the process.
pub(super) struct Issuer {
    state: Arc<State>,
    keys_port: u16,
    token_port: u16,
}

struct State {
    key: KeyPair,
    credentials: String,
    issued: AtomicU32,
}

impl Issuer {
    /// Starts in a thread of its own, because tests come and go with their runtimes. The client that gets tokens is
    /// `id` with `secret`; `certificate` and its `key` are the server's.
    pub fn start(id: &str, secret: &str, certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let state = Arc::new(State {
            key: KeyPair::generate_for(&PKCS_ED25519).expect("the algorithm is known"),
            credentials: format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}"))),
            issued: AtomicU32::new(0),
        });
        let private = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], private)
            .expect("the key is the certificate's");
        let tls = TlsAcceptor::from(Arc::new(tls));
        let (ports, bound) = std::sync::mpsc::channel();
        let shared = state.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let keys =
                    TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
                let tokens = TcpListener::bind("127.0.0.1:0").await.expect("and another");
                let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
                ports.send((port(&keys), port(&tokens))).expect("the starter waits");
                tokio::join!(publish(keys, shared.clone()), issue(tokens, tls, shared.clone()));
            });
        });
        let (keys_port, token_port) = bound.recv().expect("the thread says where it listens");
        Self { state, keys_port, token_port }
    }

    /// Where the broker finds the key.
    pub fn keys_url(&self) -> String {
        format!("http://127.0.0.1:{}/keys", self.keys_port)
    }

    /// Where clients get tokens.
    pub fn token_url(&self) -> String {
        format!("https://127.0.0.1:{}/token", self.token_port)
    }

    /// How many tokens were issued so far.
    pub fn issued(&self) -> u32 {
        self.state.issued.load(Ordering::Relaxed)
    }
}

async fn publish(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, state.clone()));
    }
}

async fn issue(listener: TcpListener, tls: TlsAcceptor, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), state.clone());
        tokio::spawn(async move {
            // A client that does not trust us ends the handshake.
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, state).await;
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<State>) {
    let service = service_fn(|request| state.answer(request));
    // A connection that the client gave up ends in an error.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/keys") => response(StatusCode::OK, &self.keys()),
            (&Method::POST, "/token") => {
                let form = String::from_utf8_lossy(&body).into_owned();
                let known = parts.headers.get(AUTHORIZATION).is_some_and(|given| given == &self.credentials);
                match known {
                    true if form.contains("grant_type=client_credentials") && form.contains(SCOPE) => {
                        self.issued.fetch_add(1, Ordering::Relaxed);
                        let token = json!({"access_token": self.token(), "token_type": "Bearer", "expires_in": LIFETIME.as_secs()});
                        response(StatusCode::OK, &token)
                    }
                    true => response(StatusCode::BAD_REQUEST, &json!({"error": "invalid_scope"})),
                    false => response(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_client"})),
                }
            }
            _ => response(StatusCode::NOT_FOUND, &json!({})),
        })
    }

    fn keys(&self) -> Value {
        let public = BASE64_URL_SAFE_NO_PAD.encode(self.key.public_key_raw());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID, "x": public}]})
    }

    /// A JSON Web Token that says who the client is.
    fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs();
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": KEY_ID});
        let claims = json!({
            "iss": "issuer", "sub": super::secured::USER, "aud": AUDIENCE, "scope": SCOPE,
            "iat": now, "exp": now + LIFETIME.as_secs(),
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(signed.as_bytes()).expect("the key can sign");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", "application/json".parse().expect("a header's value"));
    response
}
