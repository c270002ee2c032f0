//! PostgreSQL servers of a campaign's own, on this machine.

mod cluster;
mod processes;
mod programs;
mod server;

pub use self::cluster::Cluster;
pub use self::programs::Programs;
pub use self::server::Server;
