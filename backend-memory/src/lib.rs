//! The in-memory store of sync-tracker: for tests, for trying things out, and for processes whose
//! ledger need not outlive them.
//!
//! It has no semantics of its own: what a change means, what a claim takes, what a lookup finds and
//! what becomes of a message or a checkpoint is decided by [`sync_tracker_core`]. What it adds to the
//! reference [`Ledger`](sync_tracker_core::Ledger) are indexes, by external id, due time, status and
//! entity.
//!
//! ```
//! use sync_tracker_core::Tracker;
//! use sync_tracker_memory::MemoryStore;
//!
//! let tracker = Tracker::new(MemoryStore::new());
//! ```

mod checkpoints;
mod inbox;
mod partition;
mod store;

pub use self::store::MemoryStore;
