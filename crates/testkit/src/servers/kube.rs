//! A real Kubernetes API.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::Server;
use crate::lasting_port;

/// An API server over etcd, without controllers.
pub struct KubeApi {
    /// `None` while it is down.
    server: Option<Server>,
    port: u16,
    folder: TempDir,
}

impl KubeApi {
    /// The server that all tests of this process share. It is started by the first who asks, and ends with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<KubeApi> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of the test's own, which ends when dropped.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let mut api = Self { server: None, port: lasting_port(), folder };
        api.up().await;
        api
    }

    /// Starts it again, where it was and with what it held.
    pub async fn up(&mut self) {
        let options = vec!["--dir".to_owned(), self.folder.path().display().to_string()];
        self.server = Some(Server::start_at("kube", self.port, options).await);
    }

    /// Takes it down, at once.
    pub fn down(&mut self) {
        self.server = None;
    }

    /// The kubeconfig file of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("admin.kubeconfig")
    }
}
