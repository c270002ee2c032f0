//! The stores of a campaign: what each has on the disk, and the ways in which it waits for it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use clap::ValueEnum;
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::postgres::{Cluster, Programs, Server};
use sync_tracker_reliability::{mongo, redis};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// The store that loses its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    /// The file of a database.
    Sqlite,
    /// A server that is a replica set of its own, with all of its data.
    Mongo,
    /// A server, with all of its data.
    Postgres,
    /// A server with an append-only file.
    Redis,
}

/// When a store waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Waits {
    /// Before each acknowledgement.
    Full,
    /// Now and then: only SQLite and Redis can.
    Normal,
    /// For no acknowledgement.
    Off,
}

/// What a campaign demands of a way to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// That nothing is lost.
    Kept,
    /// That something is lost, or nobody would know that it can be seen.
    Lost,
    /// Nothing.
    Told,
}

/// One way to wait: what the store calls it, and what is demanded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    pub(crate) waits: Waits,
    pub(crate) name: &'static str,
    pub(crate) demand: Demand,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Mongo => "MongoDB",
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }

    /// The sound one first.
    pub(crate) fn levels(self) -> &'static [Level] {
        const fn level(waits: Waits, name: &'static str, demand: Demand) -> Level {
            Level { waits, name, demand }
        }
        match self {
            Self::Sqlite => {
                const {
                    &[
                        level(Waits::Full, "synchronous=full", Demand::Kept),
                        level(Waits::Normal, "synchronous=normal", Demand::Told),
                        level(Waits::Off, "synchronous=off", Demand::Lost),
                    ]
                }
            }
            Self::Mongo => {
                const {
                    &[
                        level(Waits::Full, "w: majority, j: true", Demand::Kept),
                        level(Waits::Off, "w: 1, j: false", Demand::Lost),
                    ]
                }
            }
            Self::Postgres => {
                const {
                    &[
                        level(Waits::Full, "synchronous_commit=on", Demand::Kept),
                        level(Waits::Off, "synchronous_commit=off", Demand::Lost),
                    ]
                }
            }
            Self::Redis => {
                const {
                    &[
                        level(Waits::Full, "appendfsync always", Demand::Kept),
                        level(Waits::Normal, "appendfsync everysec", Demand::Told),
                        level(Waits::Off, "appendfsync no", Demand::Lost),
                    ]
                }
            }
        }
    }

    /// Enough for a file system with a journal and some seconds of writing.
    pub(crate) fn disk_size(self) -> u64 {
        match self {
            Self::Sqlite | Self::Redis => 64 << 20,
            // The files of its journal alone are 300.
            Self::Mongo => 640 << 20,
            Self::Postgres => 256 << 20,
        }
    }
}

/// What a store needs besides the disk.
#[derive(Debug)]
pub(crate) enum Needs {
    Nothing,
    Mongo(mongo::Program),
    Postgres(Programs),
    Redis(redis::Program),
}

/// What is on the disk before anybody writes.
#[derive(Debug)]
pub(crate) enum Ground {
    Sqlite,
    Mongo(mongo::Program, SocketAddr),
    Postgres(Cluster),
    Redis(redis::Program),
}

impl Ground {
    pub(crate) fn needs(store: Store) -> io::Result<Needs> {
        match store {
            Store::Sqlite => Ok(Needs::Nothing),
            Store::Mongo => mongo::Program::find().map(Needs::Mongo),
            Store::Postgres => Programs::find().map(Needs::Postgres),
            Store::Redis => redis::Program::find().map(Needs::Redis),
        }
    }

    /// Lays it on a new disk.
    pub(crate) fn lay(needs: Needs, disk: &Path) -> Result<Self, Failure> {
        match needs {
            Needs::Nothing => Ok(Self::Sqlite),
            Needs::Mongo(program) => {
                let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
                let server = mongo::Server::start(&program, address, &disk.join("server"))?;
                block_in_place(|| Handle::current().block_on(server.initiate()))?;
                server.stop()?;
                Ok(Self::Mongo(program, address))
            }
            Needs::Postgres(programs) => {
                Ok(Self::Postgres(Cluster::init(programs, &disk.join("server"))?))
            }
            Needs::Redis(program) => {
                let ground = Self::Redis(program);
                // With a log that is there, as after any start but the first.
                drop(ground.serve(disk, Waits::Full)?);
                Ok(ground)
            }
        }
    }

    /// Opens the way to what is on a disk.
    pub(crate) fn serve(&self, disk: &Path, waits: Waits) -> io::Result<Served> {
        let home = disk.join("server");
        match self {
            Self::Sqlite => {
                Ok(Served::File(format!("sqlite:{}", disk.join("ledger.db").display())))
            }
            Self::Mongo(program, address) => {
                mongo::Server::start(program, *address, &home).map(Served::Mongo)
            }
            Self::Postgres(cluster) => cluster.at(&home).start(&[]).map(Served::Postgres),
            Self::Redis(program) => {
                let syncs = match waits {
                    Waits::Full => "always",
                    Waits::Normal => "everysec",
                    Waits::Off => "no",
                };
                let settings = [("appendonly", "yes"), ("appendfsync", syncs)];
                redis::Server::start(program, &home, &settings).map(Served::Redis)
            }
        }
    }
}

/// A store that can be opened.
#[derive(Debug)]
pub(crate) enum Served {
    File(String),
    Mongo(mongo::Server),
    Postgres(Server),
    Redis(redis::Server),
}

impl Served {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(url) => url.clone(),
            Self::Mongo(server) => format!("mongodb://{}/?replicaSet=campaign", server.address()),
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
        }
    }

    /// Ends it in the middle of what it does.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        match self {
            // Who has it open is killed for it.
            Self::File(_) => Ok(()),
            Self::Mongo(server) => Ok(server.kill()?),
            Self::Postgres(server) => Ok(server.kill()?),
            Self::Redis(server) => Ok(server.kill()?),
        }
    }
}
