//! sync-tracker in one crate: everything of [`sync_tracker_core`], and a store for each feature.
//!
//! | feature | store | URL for [`open`] |
//! |---|---|---|
//! | `memory` (default) | [`memory`] | `memory:` |
//! | `mongo` | `mongo` | `mongodb://HOST/DATABASE?replicaSet=NAME` |
//! | `postgres` | `postgres` | `postgres://USER@HOST/DATABASE` |
//! | `redis` | `redis` | `redis://HOST`, `redis-sentinel://HOST,HOST/MASTER`, `redis-cluster://HOST,HOST` |
//! | `sqlite` (default) | [`sqlite`] | `sqlite:PATH` (made if need be), `sqlite::memory:` |
//!
//! [`open`] takes the address of a store from a configuration; what it gives is the ledger, the
//! [`Inbox`] and the [`Checkpoints`] in one:
//!
//! ```
//! use std::sync::Arc;
//! use sync_tracker::{Checkpoints, EntityRef, Inbox, Tracker};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = sync_tracker::open("sqlite::memory:").await?;
//! let tracker = Tracker::new(Arc::clone(&store)).with_sources("product", ["shopify"])?;
//! let inbox = Inbox::new(Arc::clone(&store));
//! let checkpoints = Checkpoints::new(store);
//!
//! tracker.created(&EntityRef::new("product", 42)?).await?;
//! assert_eq!(tracker.claim("shopify").await?.pushes.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Settings that a URL does not have are set on the store's own type, which is in the module of its
//! feature.

mod any;
mod backend;
mod open;

pub use sync_tracker_core::*;
#[cfg(feature = "memory")]
pub use sync_tracker_memory as memory;
#[cfg(feature = "mongo")]
pub use sync_tracker_mongo as mongo;
#[cfg(feature = "postgres")]
pub use sync_tracker_postgres as postgres;
#[cfg(feature = "redis")]
pub use sync_tracker_redis as redis;
#[cfg(feature = "sqlite")]
pub use sync_tracker_sqlite as sqlite;

pub use self::any::AnyStore;
pub use self::open::open;

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../README.md")]
mod readme {}
