//! A broker with listeners as Strimzi offers them: TLS, mutual TLS, SCRAM-SHA-512 and OAUTHBEARER over TLS.
//!
//! The files are those of Strimzi's secrets: `ca.crt` of the cluster; `user.crt`, `user.key` and `password` of the user.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::Kafka;
use super::issuer::{AUDIENCE, Issuer, SCOPE};
use crate::free_port;
use crate::paths::repository;

/// The user who may do everything, however it logs in.
pub(super) const USER: &str = "event-ingest";
/// The user who may log in by SCRAM and then do nothing.
const STRANGER: &str = "stranger";
/// The passwords of both, and the secret of the OAuth client.
const PASSWORD: &str = "pass-Word-4711";

/// How a client gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// TLS alone.
    Tls,
    /// TLS with a certificate of the client's own.
    MutualTls,
    /// A password, by SCRAM-SHA-512 over TLS.
    Scram,
    /// A token, by OAUTHBEARER over TLS, that a server issues for the client's secret.
    OAuth,
}

impl Access {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tls, Self::MutualTls, Self::Scram, Self::OAuth];

    fn listener(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::MutualTls => "MTLS",
            Self::Scram => "SCRAM",
            Self::OAuth => "OAUTH",
        }
    }
}

/// A broker behind [`Access`], with users and certificates of its own.
pub struct SecuredKafka {
    kafka: Kafka,
    issuer: Issuer,
    ports: [u16; 4],
    folder: TempDir,
}

impl SecuredKafka {
    /// What no log and no listing may hold.
    pub const SECRET: &'static str = PASSWORD;

    /// The one that all tests of this process share. It ends with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<SecuredKafka> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let cluster = authority("cluster-ca");
        let (broker, broker_key) = issue(&cluster, "broker");
        write(&folder, "ca.crt", &cluster.pem());
        let keystore = [broker_key.serialize_pem(), broker.pem(), cluster.pem()].concat();
        write(&folder, "broker.pem", &keystore);
        let (user, user_key) = issue(&cluster, USER);
        write(&folder, "user.crt", &user.pem());
        write(&folder, "user.key", &user_key.serialize_pem());
        write(&folder, "password", PASSWORD);
        write(&folder, "other-ca.crt", &authority("other-ca").pem());

        let tokens = authority("tokens-ca");
        let (server, server_key) = issue(&tokens, "issuer");
        write(&folder, "tokens-ca.crt", &tokens.pem());
        let issuer = Issuer::start(USER, PASSWORD, server.der().clone(), &server_key);
        write(&folder, "listeners.properties", &properties(folder.path(), &issuer));

        let ports = RefCell::new([0; 4]);
        let options = || {
            *ports.borrow_mut() = Access::ALL.map(|_| free_port());
            options(folder.path(), &issuer, *ports.borrow())
        };
        let kafka = Kafka::start_with(options).await;
        Self { kafka, issuer, ports: ports.into_inner(), folder }
    }

    /// The same broker without any of this, for the test's own clients.
    pub fn plain(&self) -> &Kafka {
        &self.kafka
    }

    /// A file that a client needs: `ca.crt`, `user.crt`, `user.key`, `password`, `tokens-ca.crt`; `other-ca.crt` is an
    /// authority that certified nothing.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How many tokens were issued so far.
    pub fn tokens_issued(&self) -> u32 {
        self.issuer.issued()
    }

    /// The environment of a client that gets in this way.
    pub fn settings(&self, access: Access) -> Vec<(String, String)> {
        let file = |name: &str| self.file(name).display().to_string();
        let port = self.ports[access as usize];
        let protocol = if matches!(access, Access::Tls | Access::MutualTls) { "SSL" } else { "SASL_SSL" };
        let mut settings = vec![
            ("BOOTSTRAP_SERVERS", format!("127.0.0.1:{port}")),
            ("SECURITY_PROTOCOL", protocol.to_owned()),
            ("SSL_CA_LOCATION", file("ca.crt")),
        ];
        settings.extend(match access {
            Access::Tls => vec![],
            Access::MutualTls => {
                vec![("SSL_CERTIFICATE_LOCATION", file("user.crt")), ("SSL_KEY_LOCATION", file("user.key"))]
            }
            Access::Scram => vec![
                ("SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
                ("SASL_USERNAME", USER.to_owned()),
                ("SASL_PASSWORD_FILE", file("password")),
            ],
            Access::OAuth => vec![
                ("SASL_MECHANISM", "OAUTHBEARER".to_owned()),
                ("SASL_OAUTHBEARER_METHOD", "oidc".to_owned()),
                ("SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", self.issuer.token_url()),
                ("SASL_OAUTHBEARER_CLIENT_ID", USER.to_owned()),
                ("SASL_OAUTHBEARER_CLIENT_SECRET_FILE", file("password")),
                ("SASL_OAUTHBEARER_SCOPE", SCOPE.to_owned()),
                ("HTTPS_CA_LOCATION", file("tokens-ca.crt")),
            ],
        });
        settings.into_iter().map(|(name, value)| (format!("KAFKA_{name}"), value)).collect()
    }

    /// Grants the user of [`Self::settings_of_stranger`] these operations on each of some topics or groups (`kind`).
    pub async fn allow_stranger(&self, operations: &[&str], kind: &str, names: &[&str]) {
        let port = self.kafka.bootstrap().rsplit(':').next().expect("an address has a port").to_owned();
        let mut arguments = vec!["allow".to_owned(), STRANGER.to_owned(), "--port".to_owned(), port];
        let pairs =
            operations.iter().map(|name| ("operation", name)).chain(names.iter().map(|name| (kind, name)));
        arguments.extend(pairs.flat_map(|(option, value)| [format!("--{option}"), (*value).to_owned()]));
        let granted = tokio::task::spawn_blocking(move || {
            Command::new(repository().join("scripts/kafka.sh")).args(arguments).output()
        });
        let granted = granted.await.expect("the call does not panic").expect("the script can be started");
        assert!(granted.status.success(), "rights were not granted: {granted:?}");
    }

    /// The same for a user whose password is right and who has no rights on any topic.
    pub fn settings_of_stranger(&self) -> Vec<(String, String)> {
        let mut settings = self.settings(Access::Scram);
        settings.retain(|(name, _)| name != "KAFKA_SASL_USERNAME");
        settings.push(("KAFKA_SASL_USERNAME".to_owned(), STRANGER.to_owned()));
        settings
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let hosts = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let mut params = CertificateParams::new(hosts).expect("the names of the loopback interface");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> Authority {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key can be made");
    CertifiedIssuer::self_signed(params, key).expect("an authority signs itself")
}

fn issue(authority: &Authority, name: &str) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params(name).signed_by(&key, authority).expect("an authority can sign");
    (certificate, key)
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).expect("the temporary folder can be written");
}

/// The broker's side of each way in. Whoever is no super user has no rights at all.
fn properties(folder: &Path, issuer: &Issuer) -> String {
    let folder = folder.display();
    let keys = issuer.keys_url();
    let security = "org.apache.kafka.common.security";
    format!(
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MTLS:SSL,SCRAM:SASL_SSL,OAUTH:SASL_SSL\n\
         ssl.keystore.type=PEM\n\
         ssl.keystore.location={folder}/broker.pem\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={folder}/ca.crt\n\
         listener.name.mtls.ssl.client.auth=required\n\
         listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512\n\
         listener.name.scram.scram-sha-512.sasl.jaas.config={security}.scram.ScramLoginModule required;\n\
         listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER\n\
         listener.name.oauth.oauthbearer.sasl.jaas.config={security}.oauthbearer.OAuthBearerLoginModule required;\n\
         listener.name.oauth.oauthbearer.sasl.server.callback.handler.class={security}.oauthbearer.OAuthBearerValidatorCallbackHandler\n\
         listener.name.oauth.sasl.oauthbearer.jwks.endpoint.url={keys}\n\
         listener.name.oauth.sasl.oauthbearer.expected.audience={AUDIENCE}\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:CN={USER};User:{USER}\n"
    )
}

fn options(folder: &Path, issuer: &Issuer, ports: [u16; 4]) -> Vec<String> {
    let listeners: Vec<String> = Access::ALL
        .iter()
        .zip(ports)
        .map(|(access, port)| format!("{}://127.0.0.1:{port}", access.listener()))
        .collect();
    let allowed = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}", issuer.keys_url());
    let mut options = vec!["--listeners".to_owned(), listeners.join(",")];
    options.extend(["--properties".to_owned(), folder.join("listeners.properties").display().to_string()]);
    for user in [USER, STRANGER] {
        options.extend(["--scram".to_owned(), format!("{user}:{PASSWORD}")]);
    }
    options.extend(["--java-option".to_owned(), allowed]);
    options
}
