//! Catalogs whose answers mean nothing: a fault proxy between us and the real server. Whatever it does to a commit,
//! the request is answered with its own result and the rows are there once (invariants 2 and 5).

use lake::{Lake, LakeConfig};
use testkit::proxy::{Fault, HttpProxy, PostgresProxy};
use testkit::{Postgres, RestCatalog};
use tokio::net::TcpSocket;

use crate::catalogs::world::{Kind, World};

/// What may happen to one commit without the client learning whether it was made.
const UNCLEAR: [Fault; 4] = [Fault::Cut, Fault::Lose, Fault::Hold, Fault::Overtake];

enum Proxy {
    Http(HttpProxy),
    Postgres(PostgresProxy),
}

impl Proxy {
    async fn before(kind: Kind) -> Self {
        match kind {
            Kind::Rest => {
                Self::Http(HttpProxy::start(&RestCatalog::shared().await.uri(), "/tables/events").await)
            }
            Kind::Postgres => Self::Postgres(PostgresProxy::start(Postgres::shared().await.port()).await),
            Kind::Sqlite => panic!("a file has no line to it"),
        }
    }

    async fn uri(&self) -> String {
        match self {
            Self::Http(proxy) => proxy.url(),
            Self::Postgres(proxy) => Postgres::shared().await.uri_at(proxy.port()),
        }
    }

    fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        match self {
            Self::Http(proxy) => proxy.plan(faults),
            Self::Postgres(proxy) => proxy.plan(faults),
        }
    }

    fn unmet(&self) -> usize {
        match self {
            Self::Http(proxy) => proxy.unmet(),
            Self::Postgres(proxy) => proxy.unmet(),
        }
    }

    /// Lets late commits reach the server, and returns how many those were.
    async fn release(&self) -> usize {
        match self {
            Self::Http(proxy) => proxy.release().await.len(),
            Self::Postgres(proxy) => proxy.release().await,
        }
    }
}

/// How often in a row a fault can meet the commits of one request: one that the server makes is not made again.
fn in_a_row(fault: Fault) -> usize {
    match fault {
        Fault::Answer(_) | Fault::Cut | Fault::Repeat => 1,
        Fault::Lose | Fault::Hold | Fault::Overtake => 2,
    }
}

/// Every fault meets the commit that begins the ledger, one that brings rows, and one that brings rows as often in a
/// row as it can.
async fn each_fault_once(kind: Kind, faults: &[Fault]) {
    for &fault in faults {
        let proxy = Proxy::before(kind).await;
        let world = World::behind(kind, &proxy.uri().await).await;
        world.put("a", 0..4).await;
        world.put("b", 4..7).await;
        world.put("c", 7..9).await;
        // A table's first commit begins its ledger, its second brings the rows.
        proxy.plan([fault]);
        assert_eq!(world.ingest(&["a"]).await.rows, 4, "{fault:?}");
        assert_eq!(proxy.unmet(), 0, "{fault:?}: no commit has met it");
        proxy.plan([fault]);
        assert_eq!(world.ingest(&["b"]).await.rows, 3, "{fault:?}");
        assert_eq!(proxy.unmet(), 0, "{fault:?}: no commit with rows has met it");
        let times = in_a_row(fault);
        proxy.plan(std::iter::repeat_n(fault, times));
        assert_eq!(world.ingest(&["c"]).await.rows, 2, "{fault:?} × {times}");
        assert_eq!(proxy.unmet(), 0, "{fault:?}: not met {times} times in a row");
        world.assert_holds(0..9, 9).await;

        // What is still held is far too late now, and has to change nothing. The last that was to be overtaken has met
        // no other commit.
        let late = proxy.release().await;
        assert_eq!(late > 0, [Fault::Hold, Fault::Overtake].contains(&fault), "{fault:?}");
        world.assert_holds(0..9, 9).await;
        let again = world.ingest(&["a", "b", "c"]).await;
        assert_eq!((again.files_skipped, again.rows), (3, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn a_rest_catalogs_answer_may_be_lost_late_or_wrong() {
    each_fault_once(Kind::Rest, &UNCLEAR).await;
    // Repeated by a proxy: the second answer is a conflict, though the first succeeded.
    each_fault_once(Kind::Rest, &[Fault::Repeat]).await;
    each_fault_once(Kind::Rest, &[500, 502, 504].map(Fault::Answer)).await;
}

#[tokio::test]
async fn a_databases_answer_may_be_lost_or_late() {
    each_fault_once(Kind::Postgres, &UNCLEAR).await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_said_without_the_password() {
    let server = Postgres::shared().await;
    // Ours as long as the socket lives, and nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody_there = server.uri_at(socket.local_addr().unwrap().port());
    let folder = tempfile::tempdir().unwrap();
    let config = LakeConfig {
        catalog_name: "my_catalog".to_owned(),
        properties: [
            ("uri".to_owned(), nobody_there),
            ("warehouse".to_owned(), format!("file://{}", folder.path().display())),
        ]
        .into(),
        store_name: "s3".to_owned(),
        ledger_root: None,
        heavy_root: None,
        create_tables: false,
        allow: lake::AllowList::parse(["*"], ["*"]).unwrap(),
        concurrent_writes: 1,
    };
    let error = Lake::open(config).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(said.contains("127.0.0.1") && !said.contains(server.secret()), "{said}");
}
