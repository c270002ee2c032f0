//! The MongoDB store of sync-tracker: for services that have a MongoDB replica set already.
//!
//! It is written for MongoDB 6.0 and newer, and tested with 6.0. It keeps records, an inbox and
//! checkpoints in collections of their own, and changes records within transactions of the
//! application. A standalone will do for development.
//!
//! ```no_run
//! use sync_tracker_core::Tracker;
//! use sync_tracker_mongo::MongoOptions;
//!
//! # async fn open() -> Result<(), sync_tracker_core::Error> {
//! let options = MongoOptions::from_url("mongodb://localhost/shop?replicaSet=rs0").await?;
//! let tracker = Tracker::new(options.open().await?);
//! # Ok(())
//! # }
//! ```
//!
//! What a change means is decided by [`sync_tracker_core`]; here it is one update of one document.

mod answer;
mod apply;
mod batch;
mod checkpoints;
mod claim;
mod compose;
mod document;
mod durability;
mod error;
mod expression;
mod inbox;
mod indexes;
mod list;
mod options;
mod pauses;
mod rename;
mod server;
mod statistics;
mod store;
mod transaction;
mod value;

pub use self::options::MongoOptions;
pub use self::store::MongoStore;

#[cfg(doctest)]
#[doc = include_str!("../../docs/mongo.md")]
mod operating {}
