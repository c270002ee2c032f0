//! The PostgreSQL store of sync-tracker: for services that have a PostgreSQL database already.
//!
//! It is written for PostgreSQL 13 and newer, and tested with 15. It keeps records, an inbox and
//! checkpoints in tables of its own, in a schema of its own.
//!
//! ```no_run
//! use sync_tracker_core::Tracker;
//! use sync_tracker_postgres::PostgresOptions;
//!
//! # async fn open() -> Result<(), sync_tracker_core::Error> {
//! let store = PostgresOptions::from_url("postgres://app@localhost/shop")?.open().await?;
//! let tracker = Tracker::new(store);
//! # Ok(())
//! # }
//! ```
//!
//! What a change means is decided by [`sync_tracker_core`]; here it is one statement. In a
//! transaction of the application's it is part of that: `within(&store, &mut transaction)` at the
//! calls of a [`Tracker`](sync_tracker_core::Tracker).

mod apply;
mod batch;
mod checkpoints;
mod claim;
mod compose;
mod connections;
mod error;
mod inbox;
mod list;
mod migrations;
mod names;
mod options;
mod row;
mod statements;
mod store;
mod transaction;
mod value;
mod writes;

pub use self::options::PostgresOptions;
pub use self::store::PostgresStore;

#[cfg(doctest)]
#[doc = include_str!("../../docs/postgres.md")]
mod operating {}
