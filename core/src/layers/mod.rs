//! Stores around stores.

mod checkpoint;
mod deadline;
mod grouped;
mod inbox;
mod retry;

pub use self::deadline::{DEFAULT_DEADLINE, Deadline};
pub use self::grouped::Grouped;
pub use self::retry::Retry;
