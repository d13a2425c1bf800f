//! A broker that dies and comes back.

use tempfile::TempDir;

use super::Kafka;
use crate::{lasting_port, servers::Server};

/// A broker of a test's own that can be killed, and comes back at the same address with the same data.
pub struct Broker {
    /// None while it is dead.
    server: Option<Server>,
    port: u16,
    controller_port: u16,
    folder: TempDir,
}

impl Broker {
    /// Starts one without topics.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let port = lasting_port();
        let controller_port = std::iter::repeat_with(lasting_port)
            .find(|other| *other != port)
            .expect("there is more than one");
        let mut broker = Self { server: None, port, controller_port, folder };
        broker.restart().await;
        broker
    }

    /// Kills it with SIGKILL: it says goodbye to nobody. What it has acknowledged is in its files.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again and waits until it serves.
    pub async fn restart(&mut self) {
        let options = [
            ("--controller-port", self.controller_port.to_string()),
            ("--dir", self.folder.path().display().to_string()),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        self.server = Some(Server::start_at("kafka", self.port, options).await);
        self.kafka().await;
    }

    /// What clients need. It outlives the broker's deaths.
    pub async fn kafka(&self) -> Kafka {
        Kafka::at(format!("127.0.0.1:{}", self.port)).await
    }
}
