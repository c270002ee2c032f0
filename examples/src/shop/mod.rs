//! A shop to practise on: a real HTTP server inside this process that misbehaves when told to.
//!
//! It behaves as shops do. Unless it tells events, it knows no idempotency keys and lets two products
//! have one handle, so a create that is sent twice makes two products; its [`ShopLog`] tells. [`Faults`] say how often
//! it throttles, fails, refuses a product, answers late, or loses the reply to a create.
//!
//! | request | answer |
//! |---|---|
//! | `POST /products` | 201 `{id, version}` |
//! | `PUT /products/{id}` | 200 `{id, version}`, or 404 |
//! | `DELETE /products/{id}` | 204, or 404 |
//! | `GET /products/{id}` | 200 `{id, version, handle, product}`, or 404 |
//! | `GET /products?handle=…` | 200 `{products: [{id, version, handle}]}`, oldest first |
//! | `GET /listing?size=…&after=…` | 200 `{products: [{id, version, handle, product}], next}` |
//!
//! A change can be made on condition of a version: `If-Match: "3"`, else 412. What the
//! [staff](Staff) merged into another product answers 410 `{merged_into}`.
//!
//! A shop that [tells](Shop::start_telling) what happens sends a [`ShopEvent`] of every change, by
//! whomever. It also has each handle once, and honours the header `Idempotency-Key`: a create of a
//! handle that is in use, or with a key that was used before, is 409 `{taken_by, same_key}`.
//!
//! A product is any JSON object with a `handle` and a `title`. One that lacks them is refused with
//! 422 `{error: {field, message}}`.

mod clerk;
mod courier;
#[cfg(test)]
mod event_tests;
mod events;
mod faults;
mod journal;
mod log;
mod routes;
mod schedule;
mod server;
mod shelf;
mod staff;
#[cfg(test)]
mod tests;
mod watch;
#[cfg(test)]
mod wire_tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use courier::{Courier, Manners, Sent};
pub use events::{EventKind, ShopEvent, ShopEvents};
pub use faults::{BadRate, FaultCounts, Faults, Rate};
pub use log::{Accepted, Kind, ShopLog};
pub use shelf::Stocked;
pub use staff::Staff;
pub use watch::Moment;

use clerk::Clerk;
use watch::Watch;

/// How many clients may wait at the door. With the usual 128, a crowd of workers that come at once
/// would lose a second to a repeated handshake.
const BACKLOG: u32 = 1024;

/// A running shop. It closes when it is dropped; [`stop`](Shop::stop) also waits until it has.
#[derive(Debug)]
pub struct Shop {
    url: String,
    clerk: SharedClerk,
    closing: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Shop {
    /// Opens a shop on a free port of this machine. Must be called on a Tokio runtime with I/O and
    /// time enabled, which then also serves it.
    pub async fn start(faults: Faults) -> io::Result<Self> {
        Self::open(Clerk::new(&faults))
    }

    /// Opens a shop that tells what happens in it, and has each handle once.
    pub async fn start_telling(faults: Faults) -> io::Result<(Self, ShopEvents)> {
        let (outbox, events) = events::outbox();
        Ok((Self::open(Clerk::new(&faults).telling(outbox))?, events))
    }

    /// Opens a shop, as [`start`](Self::start), that keeps what it does in a file and begins with
    /// what is in it. The file is made if there is none. The process may be killed at any time: a
    /// change is in the file before it is answered. What misbehaviour there was is forgotten.
    pub async fn start_in(file: &Path, faults: Faults) -> io::Result<Self> {
        Self::open(Clerk::new(&faults).keeping(file)?)
    }

    /// Opens a shop, as [`start`](Self::start), and tells of each change when it is made and when
    /// its answer goes out. The whole shop waits for `watch` meanwhile.
    pub async fn start_watched(
        faults: Faults,
        watch: impl FnMut(Moment, u64) + Send + 'static,
    ) -> io::Result<Self> {
        Self::open(Clerk::new(&faults).watched(Watch::new(watch)))
    }

    fn open(clerk: Clerk) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(BACKLOG)?;
        let url = format!("http://{}", listener.local_addr()?);
        let clerk = SharedClerk::new(clerk);
        let (closing, closed) = oneshot::channel();
        let serving = tokio::spawn(server::serve(listener, clerk.clone(), closed));
        Ok(Self { url, clerk, closing, serving })
    }

    /// The address of the shop, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the shop has done so far.
    #[must_use]
    pub fn log(&self) -> ShopLog {
        self.clerk.lock().log().clone()
    }

    /// What is on sale now, oldest first.
    #[must_use]
    pub fn products(&self) -> Vec<Stocked> {
        self.clerk.lock().shelf().all()
    }

    /// Those who work in the shop, and change products without being asked by a client.
    #[must_use]
    pub fn staff(&self) -> Staff {
        Staff::new(self.clerk.clone())
    }

    /// Closes the shop: requests in progress have a second to finish. Returns the final log.
    pub async fn stop(self) -> ShopLog {
        drop(self.closing);
        // An error here is a panic of the server task, which has been reported already.
        let _ = self.serving.await;
        self.clerk.lock().log().clone()
    }
}

/// The clerk, shared by all connections. The lock is never held across an await.
#[derive(Debug, Clone)]
struct SharedClerk(Arc<Mutex<Clerk>>);

impl SharedClerk {
    fn new(clerk: Clerk) -> Self {
        Self(Arc::new(Mutex::new(clerk)))
    }

    fn lock(&self) -> MutexGuard<'_, Clerk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
