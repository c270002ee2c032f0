//! MongoDB servers of a campaign's own, on this machine.

mod program;
mod server;
mod set;

pub use self::program::Program;
pub use self::server::Server;
pub use self::set::ReplicaSet;
