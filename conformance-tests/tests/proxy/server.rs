//! A server that counts, a client of it, and how each sees the connection end.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How one end sees a connection end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Closed,
    Reset,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Reply(u64),
    Ended(Ended),
    Nothing,
}

fn ended(error: &io::Error) -> Ended {
    assert!(
        matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{error:?}"
    );
    Ended::Reset
}

/// Adds one per line, and replies with the sum.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    sum: Arc<AtomicU64>,
    ends: mpsc::UnboundedReceiver<Ended>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sum = Arc::<AtomicU64>::default();
        let (told, ends) = mpsc::unbounded_channel();
        let serving = Arc::clone(&sum);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (sum, told) = (Arc::clone(&serving), told.clone());
                tokio::spawn(async move { told.send(serve(client, &sum).await) });
            }
        });
        Self { address, sum, ends }
    }

    /// How many requests were carried out.
    pub(crate) fn applied(&self) -> u64 {
        self.sum.load(Ordering::SeqCst)
    }

    /// How the next connection ended that ended.
    pub(crate) async fn ended(&mut self) -> Ended {
        timeout(LONG, self.ends.recv()).await.expect("a connection ends").unwrap()
    }

    pub(crate) fn none_ended(&mut self) -> bool {
        self.ends.try_recv().is_err()
    }
}

async fn serve(client: TcpStream, sum: &AtomicU64) -> Ended {
    let mut client = BufReader::new(client);
    let mut line = String::new();
    loop {
        line.clear();
        match client.read_line(&mut line).await {
            Ok(0) => return Ended::Closed,
            Ok(_) => assert_eq!(line, "add\n", "requests arrive as they were sent"),
            Err(error) => return ended(&error),
        }
        let reply = format!("{}\n", sum.fetch_add(1, Ordering::SeqCst) + 1);
        if let Err(error) = client.write_all(reply.as_bytes()).await {
            return ended(&error);
        }
    }
}

/// Long enough for what happens to happen on any machine.
const LONG: Duration = Duration::from_secs(20);
/// Long enough for what must not happen to happen mostly.
const WHILE: Duration = Duration::from_millis(100);

pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.expect("it is listened on")))
    }

    /// Sends requests at once.
    pub(crate) async fn send(&mut self, requests: usize) {
        // A connection that is gone is told by what comes back.
        let _ = self.0.write_all("add\n".repeat(requests).as_bytes()).await;
    }

    /// What comes back.
    pub(crate) async fn sees(&mut self) -> Seen {
        timeout(LONG, self.line()).await.expect("something comes back")
    }

    /// What comes back in a while.
    pub(crate) async fn sees_for_now(&mut self) -> Seen {
        timeout(WHILE, self.line()).await.unwrap_or(Seen::Nothing)
    }

    async fn line(&mut self) -> Seen {
        let mut line = String::new();
        match self.0.read_line(&mut line).await {
            Ok(0) => Seen::Ended(Ended::Closed),
            Ok(_) => Seen::Reply(line.trim_end().parse().expect("replies arrive as sent")),
            Err(error) => Seen::Ended(ended(&error)),
        }
    }

    pub(crate) async fn asks(&mut self) -> Seen {
        self.send(1).await;
        self.sees().await
    }
}
