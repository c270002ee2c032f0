//! The Redis store of sync-tracker: for services that have Redis already, be it one server, several
//! behind Sentinel, or a cluster.
//!
//! It is written for Redis 7.0 and newer, and keeps records, an inbox and checkpoints under keys of
//! its own. What Redis loses when a machine fails, this store loses: see
//! [`durability`](sync_tracker_core::SyncStore::durability).
//!
//! ```no_run
//! use sync_tracker_core::Tracker;
//! use sync_tracker_redis::RedisOptions;
//!
//! # async fn open() -> Result<(), sync_tracker_core::Error> {
//! let store = RedisOptions::from_url("redis://localhost")?.open().await?;
//! let tracker = Tracker::new(store);
//! # Ok(())
//! # }
//! ```
//!
//! What a change means is decided by [`sync_tracker_core`]; here it is one script, which is atomic.

mod address;
mod answer;
mod apply;
mod batch;
mod checkpoints;
mod claim;
mod cluster;
mod compose;
mod dial;
mod entries;
mod error;
mod health;
mod inbox;
mod keys;
mod list;
mod lua;
mod options;
mod packed;
mod row;
mod scripts;
mod server;
mod statistics;
mod store;
mod value;
mod verify;

pub use self::options::RedisOptions;
pub use self::store::RedisStore;

#[cfg(doctest)]
#[doc = include_str!("../../docs/redis.md")]
mod operating {}
