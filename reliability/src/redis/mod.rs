//! Redis servers of a campaign's own, on this machine.

mod program;
mod server;

pub use self::program::Program;
pub use self::server::Server;
pub use crate::network::{Host, Network};
