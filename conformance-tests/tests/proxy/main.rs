//! The proxy does what it says: each fault as the server and as the client sees it.

#![allow(clippy::expect_used, clippy::unwrap_used)] // all of it is a test

mod counting;
mod faults;
mod lines;
mod server;
mod triggers;

use sync_tracker_conformance::FaultProxy;

use crate::server::Server;

async fn proxied() -> (Server, FaultProxy) {
    let server = Server::start().await;
    let proxy = FaultProxy::start(server.address).await.unwrap();
    (server, proxy)
}
