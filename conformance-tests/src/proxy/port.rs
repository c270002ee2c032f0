//! A port of this machine that is kept while nobody listens on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// A port that is bound, so that nobody else gets it, and refuses connections unless listened on.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) address: SocketAddr,
    _kept: TcpSocket,
}

const BACKLOG: u32 = 1024;

impl Port {
    pub(super) fn new() -> io::Result<Self> {
        let kept = socket()?;
        kept.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: kept.local_addr()?, _kept: kept })
    }

    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let socket = socket()?;
        socket.bind(self.address)?;
        socket.listen(BACKLOG)
    }
}

/// A socket that shares its port with the others of this process.
fn socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    Ok(socket)
}
