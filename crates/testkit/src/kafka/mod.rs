//! A real Kafka, and clients for tests: [`Kafka`].

mod admin;
mod broker;
mod client;
mod feed;
mod issuer;
mod secured;

use tokio::sync::OnceCell;

use crate::{free_port, servers::Server};
pub use broker::Broker;
pub use client::{Received, Record};
pub use feed::Feed;
pub use secured::{Access, SecuredKafka};

/// A Kafka to test against. Tests share one and keep apart by topics and groups of their own: [`Kafka::unique`].
pub struct Kafka {
    bootstrap: String,
    /// Held for its end: a broker of ours stops when it is dropped.
    _broker: Option<Server>,
}

impl Kafka {
    /// The Kafka that all tests of this process share: the one that `KAFKA_BOOTSTRAP_SERVERS` names, or a broker that
    /// is started by the first who asks and ends with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED
            .get_or_init(async || match std::env::var("KAFKA_BOOTSTRAP_SERVERS") {
                Ok(bootstrap) => Self::at(bootstrap).await,
                Err(_) => Self::start().await,
            })
            .await
    }

    /// A broker of the test's own, which ends when dropped.
    pub async fn start() -> Self {
        Self::start_with(Vec::new).await
    }

    /// The same, with further options of the script, asked for anew whenever a port was taken.
    pub(super) async fn start_with(further: impl Fn() -> Vec<String>) -> Self {
        let options = || {
            let own = ["--controller-port".to_owned(), free_port().to_string()];
            own.into_iter().chain(further()).collect()
        };
        let broker = Server::start("kafka", options).await;
        let kafka = Self { bootstrap: format!("127.0.0.1:{}", broker.port), _broker: Some(broker) };
        client::await_metadata(&kafka.bootstrap).await;
        kafka
    }

    async fn at(bootstrap: String) -> Self {
        client::await_metadata(&bootstrap).await;
        Self { bootstrap, _broker: None }
    }

    /// Host and port, as `bootstrap.servers` takes them.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A name that no other test has, also in other runs: for topics and groups.
    pub fn unique(name: &str) -> String {
        use std::sync::atomic::{AtomicU32, Ordering};
        use std::time::{SystemTime, UNIX_EPOCH};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_millis();
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{name}-{now:x}-{:x}-{next}", std::process::id())
    }
}
