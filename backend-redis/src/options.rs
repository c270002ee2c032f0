//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, ConnectionInfo, IntoConnectionInfo};
use sync_tracker_core::{Result, StoreClock};

use crate::address::Address;
use crate::cluster::Cluster;
use crate::dial::{Line, Number, Waits};
use crate::error;
use crate::keys::Prefix;
use crate::scripts::Scripts;
use crate::server::{Server, Way};
use crate::store::RedisStore;

/// How to open a store: where it is, and what its keys begin with.
///
/// ```no_run
/// use sync_tracker_redis::RedisOptions;
///
/// # async fn open() -> Result<(), sync_tracker_core::Error> {
/// let options = RedisOptions::from_url("redis-cluster://app:secret@a:6379,b:6379,c:6379")?;
/// let store = options.prefix("shop-ledger").open().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "options open nothing until they are told to"]
pub struct RedisOptions {
    address: Address,
    prefix: String,
    deadline: Duration,
    waits: Option<Waits>,
    clock: StoreClock,
}

impl RedisOptions {
    /// What keys begin with unless it was said otherwise.
    pub const DEFAULT_PREFIX: &str = "sync-tracker";
    /// How long a call may take unless it was said otherwise.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

    /// A store where a URL leads to; each may have `user:password@` before the host:
    ///
    /// - `redis://host:port/database`: a server;
    /// - `redis-sentinel://host:port,host:port/master`: the master that these Sentinels name. User
    ///   and password are those of the servers;
    /// - `redis-cluster://host:port,host:port`: a cluster, by some of its servers.
    ///
    /// With `rediss` in place of `redis` connections are by TLS, which needs the feature `tls`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](sync_tracker_core::ErrorKind::Invalid) for any other URL.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self {
            address: Address::parse(url)?,
            prefix: Self::DEFAULT_PREFIX.into(),
            deadline: Self::DEFAULT_DEADLINE,
            waits: None,
            clock: StoreClock::Server,
        })
    }

    /// What the store's keys begin with, so that several share a server: `a-z`, `A-Z`, `0-9`, `_`,
    /// `-`, `.` and `:`, at most 64 bytes.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// How long a call may take, waiting for a connection included.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Lets each write wait, at most for so long, until so many replicas have it. If fewer have,
    /// the call is [`Unknown`](sync_tracker_core::ErrorKind::Unknown): it is done, and may be lost.
    ///
    /// This makes losses at a failover rarer. It does not exclude them.
    pub fn wait_for_replicas(self, replicas: u32, limit: Duration) -> Self {
        Self { waits: Some(Waits { replicas, limit }), ..self }
    }

    /// The clock that the store decides by; the server's unless it was said otherwise.
    pub fn clock(self, clock: StoreClock) -> Self {
        Self { clock, ..self }
    }

    /// Opens the store. Needs a tokio runtime with its timer enabled.
    ///
    /// # Errors
    ///
    /// - [`Invalid`](sync_tracker_core::ErrorKind::Invalid): the prefix breaks its limit.
    /// - [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable): there is no connection.
    /// - [`Unsupported`](sync_tracker_core::ErrorKind::Unsupported): the server refuses the user,
    ///   or throws keys away when it is full.
    pub async fn open(self) -> Result<RedisStore> {
        let prefix = Prefix::new(&self.prefix)?;
        self.prepare_tls()?;
        let writes = match self.waits {
            Some(waits) => Some((self.way()?, waits)),
            None => None,
        };
        let reads = self.way()?;
        let server = Server { reads, writes, deadline: self.deadline };
        let store = RedisStore {
            server: Arc::new(server),
            scripts: Arc::new(Scripts::new()),
            prefix,
            registered: Arc::default(),
            clock: self.clock,
        };
        store.check_server().await?;
        Ok(store)
    }

    /// The driver takes the cryptography of the process, which is ours unless there is another.
    #[cfg(feature = "tls")]
    fn prepare_tls(&self) -> Result<()> {
        let crypto = rustls::crypto::CryptoProvider::get_default();
        if self.address.is_by_tls() && crypto.is_none() {
            // If another one comes first after all, it is as good.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        Ok(())
    }

    #[cfg(not(feature = "tls"))]
    fn prepare_tls(&self) -> Result<()> {
        if self.address.is_by_tls() {
            let message = "connections by TLS need the feature \"tls\"";
            return Err(error::error(sync_tracker_core::ErrorKind::Unsupported, message));
        }
        Ok(())
    }

    fn way(&self) -> Result<Way> {
        let refused = |cause| error::connecting(&cause);
        Ok(match &self.address {
            Address::Server(url) => {
                let client = Client::open(info(url)?).map_err(refused)?;
                Way::One(Box::new(Line::new(Number::Server(Box::new(client)))))
            }
            Address::Sentinel { sentinels, server, master } => {
                let server = info(server)?;
                let mut node = SentinelNodeConnectionInfo::default()
                    .set_redis_connection_info(server.redis_settings().clone())
                    .set_tcp_settings(server.tcp_settings().clone());
                if self.address.is_by_tls() {
                    node = node.set_tls_mode(redis::TlsMode::Secure);
                }
                let sentinels = infos(sentinels)?;
                let kind = SentinelServerType::Master;
                let client = SentinelClient::build(sentinels, master.clone(), Some(node), kind);
                let number = Number::Sentinel(Box::new(client.map_err(refused)?));
                Way::One(Box::new(Line::new(number)))
            }
            Address::Cluster(urls) => Way::Cluster(Box::new(Cluster::new(infos(urls)?))),
        })
    }
}

fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn infos(urls: &[String]) -> Result<Vec<ConnectionInfo>> {
    urls.iter().map(|url| info(url)).collect()
}

fn info(url: &str) -> Result<ConnectionInfo> {
    // The cause might quote the password.
    let info = url.into_connection_info().map_err(|_| Address::invalid())?;
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(info.set_redis_settings(settings).set_tcp_settings(tcp()))
}

/// Without user and password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, prefix, deadline, waits, clock } = self;
        f.debug_struct("RedisOptions")
            .field("address", address)
            .field("prefix", prefix)
            .field("deadline", deadline)
            .field("waits", waits)
            .field("clock", clock)
            .finish()
    }
}
