//! MinIO: an S3 that is not our own.

use super::Server;

/// A MinIO server with an empty folder. It ends when this is dropped.
pub struct Minio {
    server: Server,
}

impl Minio {
    /// Starts one; none where it was never built (`scripts/setup.sh minio`), for that takes minutes.
    pub async fn start() -> Option<Self> {
        let server = Server::start_if_installed("minio").await?;
        Some(Self { server })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// Access key and secret key: `scripts/minio.sh` says them, too.
    pub fn credentials(&self) -> (&'static str, &'static str) {
        ("event-ingest", "for-tests-alone")
    }
}
