//! The Iceberg project's own REST catalog.

use tokio::sync::OnceCell;

use super::Server;

/// A REST catalog over SQLite and a local warehouse of its own. Tests share one and keep apart by namespaces.
pub struct RestCatalog {
    server: Server,
}

impl RestCatalog {
    /// The server that all tests of this process share. It is started by the first who asks, and ends with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<RestCatalog> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of the test's own, which ends when dropped.
    pub async fn start() -> Self {
        Self { server: Server::start("rest-catalog", Vec::new).await }
    }

    /// The catalog property `uri`.
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }
}
