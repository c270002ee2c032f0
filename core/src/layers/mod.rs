//! Stores around stores.

mod deadline;
mod retry;

pub use self::deadline::{DEFAULT_DEADLINE, Deadline};
pub use self::retry::Retry;
