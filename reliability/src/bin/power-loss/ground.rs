//! The stores of a campaign: what each has on the disk, and the ways in which it waits for it.

use std::io;
use std::path::Path;

use clap::ValueEnum;
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::postgres::{Cluster, Programs, Server};

/// The store that loses its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    /// The file of a database.
    Sqlite,
    /// A server, with all of its data.
    Postgres,
}

/// When a store waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Waits {
    /// Before each acknowledgement.
    Full,
    /// Now and then: only SQLite can.
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
        }
    }

    /// Enough for a file system with a journal and some seconds of writing.
    pub(crate) fn disk_size(self) -> u64 {
        match self {
            Self::Sqlite => 64 << 20,
            Self::Postgres => 256 << 20,
        }
    }
}

/// What is on the disk before anybody writes.
#[derive(Debug)]
pub(crate) enum Ground {
    Sqlite,
    Postgres(Cluster),
}

impl Ground {
    /// What the store needs besides the disk.
    pub(crate) fn needs(store: Store) -> io::Result<Option<Programs>> {
        match store {
            Store::Sqlite => Ok(None),
            Store::Postgres => Programs::find().map(Some),
        }
    }

    /// Lays it on a new disk.
    pub(crate) fn lay(programs: Option<Programs>, disk: &Path) -> io::Result<Self> {
        match programs {
            None => Ok(Self::Sqlite),
            Some(programs) => Cluster::init(programs, &disk.join("server")).map(Self::Postgres),
        }
    }

    /// Opens the way to what is on a disk.
    pub(crate) fn serve(&self, disk: &Path) -> io::Result<Served> {
        match self {
            Self::Sqlite => {
                Ok(Served::File(format!("sqlite:{}", disk.join("ledger.db").display())))
            }
            Self::Postgres(cluster) => {
                cluster.at(&disk.join("server")).start(&[]).map(Served::Server)
            }
        }
    }
}

/// A store that can be opened.
#[derive(Debug)]
pub(crate) enum Served {
    File(String),
    Server(Server),
}

impl Served {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(url) => url.clone(),
            Self::Server(server) => server.url(),
        }
    }

    /// Ends it in the middle of what it does.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        match self {
            // Who has it open is killed for it.
            Self::File(_) => Ok(()),
            Self::Server(server) => Ok(server.kill()?),
        }
    }
}
