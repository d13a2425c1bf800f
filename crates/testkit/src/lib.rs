//! What tests are made of: real parts to test against, and the world that talks to us. For tests alone.
//!
//! Nothing here uses the code under test: notifications are encoded and tables are read independently of it, so that
//! agreement means something. Helpers panic with what happened and what to do, as a test should. A real part that is
//! missing is a failure that names it; nothing passes by skipping.

mod documents;
mod eventually;
pub mod kafka;
pub mod notifications;
pub mod paths;
mod peer;
mod program;
pub mod proxy;
mod python;
mod reader;
mod servers;

use std::net::TcpListener;

pub use documents::yaml;
pub use eventually::eventually;
pub use kafka::{Kafka, SecuredKafka};
pub use peer::Peer;
pub use program::{ANY_PORT, Program};
pub use python::python;
pub use reader::Reader;
pub use servers::{KubeApi, Minio, Postgres, RestCatalog};

/// A free loopback port that stays free while nothing listens there: none of those that the system gives to whoever
/// does not ask for a certain one.
pub(crate) fn lasting_port() -> u16 {
    // Below the ranges of Linux (from 32768) and of IANA (from 49152). Where it begins is left to chance, so that two
    // processes seldom want the same.
    const PORTS: std::ops::Range<u16> = 16_384..32_768;
    let first = free_port() % (PORTS.end - PORTS.start);
    let ports = (0..PORTS.end - PORTS.start).map(|n| PORTS.start + (first + n) % (PORTS.end - PORTS.start));
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("not every port is taken")
}

/// A loopback port that was free a moment ago. Whoever listens there next must cope with having lost it since.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}
