//! The stores of a campaign: what each has on the disk, and the ways in which it waits for it.

use std::io;
use std::path::Path;

use clap::ValueEnum;
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::postgres::{Cluster, Programs, Server};
use sync_tracker_reliability::redis;

/// The store that loses its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    /// The file of a database.
    Sqlite,
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
            Self::Postgres => 256 << 20,
        }
    }
}

/// What a store needs besides the disk.
#[derive(Debug)]
pub(crate) enum Needs {
    Nothing,
    Postgres(Programs),
    Redis(redis::Program),
}

/// What is on the disk before anybody writes.
#[derive(Debug)]
pub(crate) enum Ground {
    Sqlite,
    Postgres(Cluster),
    Redis(redis::Program),
}

impl Ground {
    pub(crate) fn needs(store: Store) -> io::Result<Needs> {
        match store {
            Store::Sqlite => Ok(Needs::Nothing),
            Store::Postgres => Programs::find().map(Needs::Postgres),
            Store::Redis => redis::Program::find().map(Needs::Redis),
        }
    }

    /// Lays it on a new disk.
    pub(crate) fn lay(needs: Needs, disk: &Path) -> io::Result<Self> {
        match needs {
            Needs::Nothing => Ok(Self::Sqlite),
            Needs::Postgres(programs) => {
                Cluster::init(programs, &disk.join("server")).map(Self::Postgres)
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
    Postgres(Server),
    Redis(redis::Server),
}

impl Served {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(url) => url.clone(),
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
        }
    }

    /// Ends it in the middle of what it does.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        match self {
            // Who has it open is killed for it.
            Self::File(_) => Ok(()),
            Self::Postgres(server) => Ok(server.kill()?),
            Self::Redis(server) => Ok(server.kill()?),
        }
    }
}
