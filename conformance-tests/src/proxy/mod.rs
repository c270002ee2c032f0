//! A proxy between a client and a server that does to their connection what networks do.

mod connection;
mod counts;
mod fault;
mod port;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::connection::carry;
pub use self::counts::WireCounts;
pub use self::fault::{Armed, Direction, Trigger, WireFault};
use self::fault::{Rule, Treatment, treatment};
use self::port::Port;

/// A TCP proxy in front of a server, for tests of a store that talks to one: it breaks connections
/// as it is told, and counts round trips.
///
/// Without a fault armed it passes on every byte, so it serves any protocol. Connect the driver to
/// its [`address`](Self::address) instead of the server's.
///
/// ```
/// use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::{TcpListener, TcpStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TcpListener::bind("127.0.0.1:0").await?; // yours is a real one
/// let proxy = FaultProxy::start(server.local_addr()?).await?;
/// let mut client = TcpStream::connect(proxy.address()).await?;
/// let (mut served, _) = server.accept().await?;
///
/// // The request arrives, and its reply is lost.
/// let cut = proxy.arm(WireFault::Cut, Direction::ToClient, Trigger::Next(1));
/// client.write_all(b"add one").await?;
/// let mut request = [0; 7];
/// served.read_exact(&mut request).await?;
/// served.write_all(b"added").await?;
/// assert_eq!(client.read(&mut [0; 5]).await?, 0);
/// assert_eq!((cut.fired(), proxy.counts().round_trips), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// # Faults
///
/// A [fault](WireFault) happens at the beginning of a *flush*, which [`WireCounts`] defines: a run
/// of bytes in one direction. Which flushes, a [`Trigger`] says. Several may be armed; a flush is
/// offered to each in the order in which they were armed, delays add up, and after a cut or a reset
/// it is offered to no other.
///
/// | to test that | arm | what the server did | what the client sees |
/// |---|---|---|---|
/// | nothing was done | `Cut`, `ToServer` | nothing | the connection closed |
/// | the outcome is unknown | `Cut`, `ToClient` | all | the connection closed, no reply |
/// | the same, rudely | `Reset`, either | as above | a reset |
/// | replies come late | `Delay`, either | all | a reply, late |
/// | frames come in pieces | `Slice`, either | all | the reply in pieces |
/// | the peer falls silent | `Silence`, `ToServer` | nothing until healed | nothing, no end |
/// | an applied request hangs | `Silence`, `ToClient` | all | nothing until healed |
/// | the server is gone | [`go_away`](Self::go_away) | nothing more | closed, then refused |
/// | the network is split | [`partition`](Self::partition) | nothing until healed | nothing |
/// | another takes over | [`lead_to`](Self::lead_to) | goes on with whom it has | the other, anew |
///
/// A fault that is armed while a flush is under way waits for the next. So does one for a client
/// that sends on before it was answered: to the proxy that is still the same flush.
///
/// # Every place at which a connection can break
///
/// Sweep over the number of the flush until the operation gets through without the fault:
///
/// ```
/// # use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
/// # async fn operation() {}
/// # async fn sweep(proxy: FaultProxy) {
/// for number in 1.. {
///     let cut = proxy.arm(WireFault::Cut, Direction::ToClient, Trigger::Nth(number));
///     operation().await;
///     proxy.clear();
///     // Check here that the ledger is whole, and that repeating the operation completes it.
///     if cut.fired() == 0 {
///         break;
///     }
/// }
/// # }
/// ```
///
/// Whatever opens a new connection, such as a pool, is swept over too.
///
/// # Servers that tell their address
///
/// - **PostgreSQL** and a single **Redis** need nothing.
/// - **Redis Cluster**: clients follow the addresses that the nodes announce. Start one proxy per
///   node, and let each node announce its own: `CONFIG SET cluster-announce-port` with the port of
///   its proxy, and `cluster-announce-ip 127.0.0.1`. *Moved* then leads through the proxies; the
///   bus of the cluster goes on without them. Replicas follow what is announced, too: when they
///   connect anew, replication counts and meets faults.
/// - **MongoDB**: clients follow the hosts in the configuration of the replica set. With one node,
///   `directConnection=true` keeps the client to the proxy; with several, make the addresses of
///   the proxies the hosts of the members. Drivers watch servers by connections of their own,
///   whose flushes count and meet faults: ask for `serverMonitoringMode=poll` and a long
///   `heartbeatFrequencyMS`.
///
/// # Limits
///
/// It works on bytes: it cannot tell one request of a pipeline from the next. A new connection is
/// accepted by this machine even while the proxy is partitioned, and stays silent. Clients that
/// are on this machine see no lost packets, so a reset or a close is never late.
///
/// Dropped, it stops listening at once, and closes its connections as soon as the runtime gets to
/// it. It lives on the runtime that it was started on.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    port: Port,
    accepting: JoinHandle<()>,
}

/// What connections and the proxy share.
#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    wire: Mutex<Wire>,
    control: watch::Sender<Control>,
    listener: Mutex<Option<TcpListener>>,
    listens_again: Notify,
}

#[derive(Debug, Default)]
struct Wire {
    counts: WireCounts,
    rules: Vec<Rule>,
    fired: u64,
}

/// What befalls connections whatever they say.
#[derive(Debug, Default)]
struct Control {
    partitioned: bool,
    /// How often the proxy was healed.
    heals: u64,
    /// How often all connections were cut.
    cuts: u64,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1, and connects each client to `server`.
    ///
    /// A client is accepted before the server is asked. If the server cannot be reached, the
    /// client's connection is reset.
    ///
    /// # Errors
    ///
    /// If there is no port to listen on.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let port = Port::new()?;
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            wire: Mutex::default(),
            control: watch::Sender::default(),
            listener: Mutex::new(Some(port.listen()?)),
            listens_again: Notify::new(),
        });
        let accepting = tokio::spawn(accept(Arc::clone(&shared)));
        Ok(Self { shared, port, accepting })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// Connects each later client to `server`, as an address does that moves at a failover. Those
    /// that are connected stay where they are.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.shared.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// Arms a fault besides those that are armed already.
    #[allow(clippy::must_use_candidate)] // it is armed whether or not somebody asks
    pub fn arm(&self, fault: WireFault, direction: Direction, trigger: Trigger) -> Armed {
        let (rule, armed) = Rule::new(fault, direction, trigger);
        self.shared.wire().rules.push(rule);
        armed
    }

    /// How often faults happened since the last [`clear`](Self::clear), all in all.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.shared.wire().fired
    }

    /// Disarms every fault and [heals](Self::heal). Connections that were cut stay so, and a server
    /// that went away stays away until it [comes back](Self::come_back).
    pub fn clear(&self) {
        let mut wire = self.shared.wire();
        wire.rules.clear();
        wire.fired = 0;
        drop(wire);
        self.heal();
    }

    /// What passed since the start or the last [reset](Self::reset_counts).
    #[must_use]
    pub fn counts(&self) -> WireCounts {
        self.shared.wire().counts
    }

    /// Counts from 0 again. Exact while nothing is under way.
    pub fn reset_counts(&self) {
        self.shared.wire().counts = WireCounts::default();
    }

    /// Splits client and server: on all connections, later ones too, nothing passes in either
    /// direction until the proxy is [healed](Self::heal), and none is closed. What came to the
    /// proxy before may still pass.
    pub fn partition(&self) {
        self.shared.control.send_modify(|control| control.partitioned = true);
    }

    /// Ends a [partition](Self::partition) and every [silence](WireFault::Silence): what was held
    /// back passes, in order, and nothing of it is lost.
    pub fn heal(&self) {
        self.shared.control.send_modify(|control| {
            control.partitioned = false;
            control.heals += 1;
        });
    }

    /// Closes all connections at both ends, silent ones too. New ones are accepted.
    pub fn cut_connections(&self) {
        self.shared.control.send_modify(|control| control.cuts += 1);
    }

    /// Refuses new connections from now on, as a port without a server does. Those that are open
    /// stay.
    pub fn refuse(&self) {
        *self.shared.listener() = None;
    }

    /// The server is gone: [refuses](Self::refuse) new connections and
    /// [cuts](Self::cut_connections) those that are open.
    pub fn go_away(&self) {
        self.refuse();
        self.cut_connections();
    }

    /// Accepts new connections again, at the same address.
    ///
    /// # Errors
    ///
    /// If the port cannot be listened on again.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn come_back(&self) -> io::Result<()> {
        let mut listener = self.shared.listener();
        if listener.is_none() {
            *listener = Some(self.port.listen()?);
            self.shared.listens_again.notify_one();
        }
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.refuse();
        self.accepting.abort();
    }
}

impl Shared {
    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self) -> SocketAddr {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listener(&self) -> MutexGuard<'_, Option<TcpListener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes bytes that came on a connection, and if a flush begins with them, says what becomes of
    /// it.
    fn came(
        &self,
        before: Option<Direction>,
        direction: Direction,
        bytes: usize,
    ) -> Option<Treatment> {
        let mut wire = self.wire();
        if !wire.counts.came(before, direction, bytes) {
            return None;
        }
        let (treatment, fired) = treatment(&mut wire.rules, direction);
        wire.fired += fired;
        Some(treatment)
    }

    async fn next_client(&self) -> TcpStream {
        loop {
            let accepted = poll_fn(|context| match &*self.listener() {
                Some(listener) => listener.poll_accept(context),
                None => Poll::Pending,
            });
            select! {
                () = self.listens_again.notified() => {}
                // A client that is gone already is none.
                accepted = accepted => if let Ok((client, _)) = accepted {
                    return client;
                },
            }
        }
    }
}

async fn accept(shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        select! {
            client = shared.next_client() => {
                shared.wire().counts.connections += 1;
                connections.spawn(carry(Arc::clone(&shared), client));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
