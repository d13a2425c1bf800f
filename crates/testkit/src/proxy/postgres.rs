//! A proxy for PostgreSQL's protocol that knows when a transaction is about to commit.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::Fault;
use super::messages::{Messages, strings};

/// The code of a request for encryption, in the place of a start-up message's version.
const SSL_REQUEST: u32 = 80_877_103;

/// A proxy before one PostgreSQL server. A commit is what makes an `UPDATE iceberg_tables` final: the statement itself,
/// or the `COMMIT` of its transaction. It ends when dropped.
pub struct PostgresProxy {
    port: u16,
    state: Arc<State>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct State {
    upstream: u16,
    planned: Mutex<VecDeque<Fault>>,
    held: Mutex<Vec<(Fault, Late)>>,
}

/// A commit that the server has not heard of yet, and the connection on which it will.
struct Late {
    server: Messages<OwnedReadHalf>,
    to_server: OwnedWriteHalf,
    messages: Vec<Bytes>,
}

impl PostgresProxy {
    /// Listens before the server on this loopback port.
    pub async fn start(upstream: u16) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = Arc::new(State { upstream, ..State::default() });
        let accepting = tokio::spawn(accept(listener, state.clone())).abort_handle();
        Self { port, state, accepting }
    }

    /// Where clients find it on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Further commits meet these faults, one each.
    pub fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.planned.lock().expect("no panic under the lock").extend(faults);
    }

    /// Faults that no commit has met yet.
    pub fn unmet(&self) -> usize {
        self.state.planned.lock().expect("no panic under the lock").len()
    }

    /// Lets what was held go on, and returns how many commits that were. The server has finished them by then.
    pub async fn release(&self) -> usize {
        self.state.release().await
    }
}

impl Drop for PostgresProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    async fn release(&self) -> usize {
        let held = std::mem::take(&mut *self.held.lock().expect("no panic under the lock"));
        let count = held.len();
        for (_, mut late) in held {
            for message in &late.messages {
                late.to_server.write_all(message).await.expect("the server waits for a late commit");
            }
            until_idle(&mut late.server).await.expect("the server answers a late commit");
        }
        count
    }

    async fn release_overtaken(&self) {
        let waits = self
            .held
            .lock()
            .expect("no panic under the lock")
            .iter()
            .any(|(fault, _)| *fault == Fault::Overtake);
        if waits {
            self.release().await;
        }
    }

    fn next_fault(&self) -> Option<Fault> {
        self.planned.lock().expect("no panic under the lock").pop_front()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and with it the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        // A line that was cut on purpose ends in an error, and so does one that the client gave up.
        connections.spawn(async move {
            drop(Line::open(stream, state).await?.run().await);
            io::Result::Ok(())
        });
    }
}

/// One client's connection.
struct Line {
    state: Arc<State>,
    client: Messages<OwnedReadHalf>,
    to_client: OwnedWriteHalf,
    server: Messages<OwnedReadHalf>,
    to_server: OwnedWriteHalf,
    watch: Watch,
}

impl Line {
    async fn open(stream: TcpStream, state: Arc<State>) -> io::Result<Self> {
        let upstream = TcpStream::connect(("127.0.0.1", state.upstream)).await?;
        let (from_client, to_client) = stream.into_split();
        let (from_server, to_server) = upstream.into_split();
        let (client, server) = (Messages::of_client(from_client), Messages::of_server(from_server));
        Ok(Self { state, client, to_client, server, to_server, watch: Watch::default() })
    }

    /// Passes messages on until either side, or a fault, ends it.
    async fn run(mut self) -> io::Result<()> {
        self.start_up().await?;
        loop {
            tokio::select! {
                message = self.server.next() => {
                    let Some(message) = message? else { return Ok(()) };
                    self.watch.answered(&message);
                    self.to_client.write_all(&message).await?;
                }
                message = self.client.next() => {
                    let Some(message) = message? else { return Ok(()) };
                    if self.watch.commits(&message) {
                        self.state.release_overtaken().await;
                        if let Some(fault) = self.state.next_fault() {
                            return self.fail(fault, message).await;
                        }
                    }
                    self.to_server.write_all(&message).await?;
                }
            }
        }
    }

    async fn start_up(&mut self) -> io::Result<()> {
        while let Some(message) = self.client.next().await? {
            self.to_server.write_all(&message).await?;
            if message[4..8] != SSL_REQUEST.to_be_bytes() {
                self.client.started();
                return Ok(());
            }
            let answer = self.server.byte().await?;
            self.to_client.write_all(&[answer]).await?;
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// The client's line ends here. What becomes of its commit is the fault's business.
    async fn fail(mut self, fault: Fault, first: Bytes) -> io::Result<()> {
        if fault == Fault::Lose {
            return Ok(());
        }
        let messages = self.whole(first).await?;
        match fault {
            Fault::Answer(_) | Fault::Cut => {
                for message in &messages {
                    self.to_server.write_all(message).await?;
                }
                until_idle(&mut self.server).await
            }
            Fault::Hold | Fault::Overtake => {
                let late = Late { server: self.server, to_server: self.to_server, messages };
                self.state.held.lock().expect("no panic under the lock").push((fault, late));
                Ok(())
            }
            Fault::Repeat | Fault::Lose => panic!("{fault:?} makes no sense before a database"),
        }
    }

    /// The messages of a commit up to the one that makes the server answer: a query alone, or an execution and its sync.
    async fn whole(&mut self, first: Bytes) -> io::Result<Vec<Bytes>> {
        let mut messages = vec![first];
        while !matches!(messages.last().map(|message| message[0]), Some(b'Q' | b'S')) {
            messages.push(self.client.next().await?.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(messages)
    }
}

/// What goes by on a line, as far as it says whether a commit is under way.
#[derive(Default)]
struct Watch {
    /// Prepared statements by name, and the text of what each portal executes.
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
    in_transaction: bool,
    /// The open transaction has changed a table's pointer.
    changed: bool,
}

impl Watch {
    /// Whether this message of a client makes a change of a table's pointer final.
    fn commits(&mut self, message: &Bytes) -> bool {
        let mut strings = strings(message);
        let mut next = || strings.next().unwrap_or_default();
        let text = match message[0] {
            b'P' => {
                let name = next();
                self.statements.insert(name, next());
                return false;
            }
            b'B' => {
                let portal = next();
                let text = self.statements.get(&next()).cloned().unwrap_or_default();
                self.portals.insert(portal, text);
                return false;
            }
            b'E' => self.portals.get(&next()).cloned().unwrap_or_default(),
            b'Q' => next(),
            _ => return false,
        };
        let text = text.trim_start().to_ascii_lowercase();
        let changes = text.starts_with("update") && text.contains("iceberg_tables");
        self.changed |= changes && self.in_transaction;
        (changes && !self.in_transaction) || (self.changed && text.starts_with("commit"))
    }

    /// The server says after each request whether a transaction is open.
    fn answered(&mut self, message: &Bytes) {
        if let [b'Z', _, _, _, _, status] = message[..] {
            self.in_transaction = status != b'I';
            self.changed &= self.in_transaction;
        }
    }
}

/// Reads until the server is ready for the next request: all before has happened.
async fn until_idle(server: &mut Messages<OwnedReadHalf>) -> io::Result<()> {
    while let Some(message) = server.next().await? {
        if message[0] == b'Z' {
            return Ok(());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
