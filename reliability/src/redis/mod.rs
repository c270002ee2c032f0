//! Redis servers of a campaign's own, on this machine.

mod network;
mod program;
mod server;

pub use self::network::{Host, Network};
pub use self::program::Program;
pub use self::server::Server;
