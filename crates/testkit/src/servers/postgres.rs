//! A real PostgreSQL.

use tokio::sync::OnceCell;

use super::Server;

/// What `scripts/postgres.sh` makes: user, password and database.
const USER: &str = "event_ingest";
const PASSWORD: &str = "for-tests-alone";

/// A PostgreSQL server with an empty database. Tests share one and keep apart by namespaces of their own.
pub struct Postgres {
    server: Server,
}

impl Postgres {
    /// The server that all tests of this process share. It is started by the first who asks, and ends with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of the test's own, which ends when dropped.
    pub async fn start() -> Self {
        Self { server: Server::start("postgres", Vec::new).await }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The catalog property `uri` of its database, as PyIceberg writes it: with the driver's name, and a password.
    pub fn uri(&self) -> String {
        self.uri_at(self.port())
    }

    /// The same, of a proxy on another port.
    pub fn uri_at(&self, port: u16) -> String {
        format!("postgresql+psycopg2://{USER}:{PASSWORD}@127.0.0.1:{port}/{USER}")
    }

    /// What must be in no message, log or debug output.
    pub fn secret(&self) -> &'static str {
        PASSWORD
    }
}
