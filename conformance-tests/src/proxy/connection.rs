//! One connection through the proxy.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::{select, task, time, try_join};

use super::Shared;
use super::fault::{Direction, Loss, Treatment};

/// How a conversation ended, if not by each side closing its own.
enum End {
    /// An end went away without a word.
    Broken,
    /// A fault struck on the way to the server.
    RequestLost(Loss),
    /// A fault struck on the way to the client.
    ReplyLost(Loss),
}

/// Carries what a client and the server say to each other, until both have done or a fault ends it.
pub(super) async fn carry(shared: Arc<Shared>, mut client: TcpStream) {
    let mut control = shared.control.subscribe();
    let cuts = control.borrow().cuts;
    let line = Line { shared, state: Mutex::default() };
    let mut cut = pin!(async {
        let _ = control.wait_for(|control| control.cuts > cuts).await;
    });
    let connected = select! {
        () = &mut cut => return close(client).await,
        connected = line.connect() => connected,
    };
    let Ok(mut server) = connected else {
        return reset(client);
    };
    // Pieces are not to wait for each other. A connection without it works too.
    let _ = client.set_nodelay(true).and(server.set_nodelay(true));
    let end = select! {
        () = cut => Err(End::RequestLost(Loss::Cut)),
        end = line.converse(&mut client, &mut server) => end,
    };
    match end {
        Ok(()) => {}
        Err(End::RequestLost(Loss::Cut)) => {
            close(client).await;
            close(server).await;
        }
        Err(End::Broken | End::RequestLost(Loss::Reset)) => {
            reset(client);
            reset(server);
        }
        Err(End::ReplyLost(loss)) => {
            match loss {
                Loss::Cut => close(client).await,
                Loss::Reset => reset(client),
            }
            drain(server).await;
        }
    }
}

/// Closes in an orderly way: what came and was not read would make a reset of it.
async fn close(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut unread = [0; 4096];
    while matches!(stream.try_read(&mut unread), Ok(1..)) {}
}

fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// Lets the server do all that it was asked for, and throws away what it says.
async fn drain(mut server: TcpStream) {
    let _ = server.shutdown().await;
    let mut thrown_away = [0; 4096];
    while matches!(server.read(&mut thrown_away).await, Ok(1..)) {}
}

/// What the two directions of a connection share.
struct Line {
    shared: Arc<Shared>,
    state: Mutex<LineState>,
}

#[derive(Default)]
struct LineState {
    /// The direction of the bytes that came last.
    last: Option<Direction>,
    /// Silent until the proxy was healed more often than this.
    silent: Option<u64>,
}

impl Line {
    async fn connect(&self) -> io::Result<TcpStream> {
        self.passable().await;
        TcpStream::connect(self.shared.server()).await
    }

    async fn converse(&self, client: &mut TcpStream, server: &mut TcpStream) -> Result<(), End> {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        try_join!(
            self.pass(Direction::ToServer, from_client, to_server),
            self.pass(Direction::ToClient, from_server, to_client),
        )
        .map(|_| ())
    }

    async fn pass(
        &self,
        direction: Direction,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
    ) -> Result<(), End> {
        let mut buffer = vec![0; 16 * 1024];
        let mut piece = None;
        loop {
            let read = from.read(&mut buffer).await;
            if let Ok(bytes @ 1..) = read
                && let Some(treatment) = self.came(direction, bytes)
            {
                match (treatment.lost, direction) {
                    (Some(loss), Direction::ToServer) => return Err(End::RequestLost(loss)),
                    (Some(loss), Direction::ToClient) => return Err(End::ReplyLost(loss)),
                    (None, _) => {}
                }
                piece = treatment.piece;
                time::sleep(treatment.delay).await;
            }
            self.passable().await;
            match read {
                Ok(0) => return to.shutdown().await.map_err(|_| End::Broken),
                Ok(bytes) => {
                    let size = piece.map_or(bytes, |piece| piece.get());
                    for piece in buffer[..bytes].chunks(size) {
                        to.write_all(piece).await.map_err(|_| End::Broken)?;
                        if piece.len() < bytes {
                            task::yield_now().await;
                        }
                    }
                }
                Err(_) => return Err(End::Broken),
            }
        }
    }

    /// What becomes of the flush that begins with bytes that came; nothing if none begins.
    fn came(&self, direction: Direction, bytes: usize) -> Option<Treatment> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.last.replace(direction);
        let treatment = self.shared.came(before, direction, bytes)?;
        if treatment.silent {
            state.silent = Some(self.shared.control.borrow().heals);
        }
        Some(treatment)
    }

    /// Waits while nothing may pass.
    async fn passable(&self) {
        let silent = || self.state.lock().unwrap_or_else(PoisonError::into_inner).silent;
        let mut control = self.shared.control.subscribe();
        // Whoever changes it holds it as long as there is a connection.
        let _ = control
            .wait_for(|control| {
                !control.partitioned && silent().is_none_or(|since| control.heals > since)
            })
            .await;
    }
}
