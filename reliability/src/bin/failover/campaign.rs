//! What is asked for.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sync_tracker_reliability::Failure;

use crate::redis::{self, Topology};
use crate::{mongo, postgres};

/// How long a call of the store may take. What is silent is given up after it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);

/// What becomes of acknowledged writes when a standby of PostgreSQL, a replica of Redis, or another
/// member of a MongoDB replica set takes over.
///
/// It needs the programs of the server, and for Redis and MongoDB root; where it cannot have them
/// it does nothing and exits with 3. It fails if the store does not go on by itself or is not
/// whole, if an error says that nothing was done that was done, or if the twin, which does not
/// wait, loses nothing; but for Redis also if one write is lost although the primary waited for
/// others.
#[derive(Debug, Parser)]
#[command(name = "failover", version)]
pub(crate) struct Campaign {
    /// The store.
    #[arg(long, value_enum, default_value_t = Store::Postgres)]
    store: Store,

    /// Cycles with a primary that waits for its standby: in turn it is killed, cut off, and cut off
    /// from the standby first.
    #[arg(long, default_value_t = 30)]
    pub(crate) cycles: u32,

    /// Cycles of its twin, which does not wait, and is cut off from the standby first; that of
    /// Redis is lost in all the ways.
    #[arg(long, default_value_t = 10)]
    pub(crate) twin_cycles: u32,

    /// What the moments are drawn from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The store, and who promotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// A replica set of three servers.
    Mongo,
    /// A primary and a standby, which the campaign promotes.
    Postgres,
    /// A master and two replicas under three Sentinels.
    RedisSentinel,
    /// A cluster of three masters, of which the one that is lost has two replicas.
    RedisCluster,
}

impl Campaign {
    pub(crate) async fn run(&self) -> Result<ExitCode, Failure> {
        match self.store {
            Store::Mongo => mongo::run(self).await,
            Store::Postgres => postgres::run(self).await,
            Store::RedisSentinel => redis::run(self, Topology::Sentinel).await,
            Store::RedisCluster => redis::run(self, Topology::Cluster).await,
        }
    }
}
