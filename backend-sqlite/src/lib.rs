//! The SQLite store of sync-tracker: a ledger in a file beside your data, without a server. For a
//! single machine, a command-line tool, a desktop program, and for trying things out.
//!
//! ```
//! use sync_tracker_core::{EntityRef, Tracker};
//! use sync_tracker_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), sync_tracker_core::Error> {
//! # let path = std::env::temp_dir().join(format!("lib-{}.db", std::process::id()));
//! # let url = format!("sqlite:{}", path.display());
//! let store = SqliteStore::open(&url).await?; // such as sqlite:shop.db
//! let tracker = Tracker::new(store).with_sources("product", ["shopify"])?;
//! tracker.created(EntityRef::new("product", 42)?).await?;
//! # for end in ["", "-wal", "-shm"] {
//! #     let _ = std::fs::remove_file(format!("{}{end}", path.display()));
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # With your own data
//!
//! If your tables are in the same file, what you write and what the ledger keeps commit together or
//! not at all. Any call of the tracker that changes one entity can be made within your transaction:
//!
//! ```
//! use sqlx::sqlite::SqlitePool;
//! use sync_tracker_core::{EntityRef, Tracker};
//! use sync_tracker_sqlite::SqliteStore;
//!
//! async fn rename_product(
//!     pool: &SqlitePool, // on the same file
//!     tracker: &Tracker, // over the store
//!     store: &SqliteStore,
//!     id: i64,
//!     title: &str,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
//!     sqlx::query("UPDATE products SET title = ? WHERE id = ?")
//!         .bind(title)
//!         .bind(id)
//!         .execute(&mut *transaction)
//!         .await?;
//!     let product = EntityRef::new("product", id)?;
//!     let updated = tracker.updated(product).within(store, &mut transaction).await?;
//!     transaction.commit().await?;
//!     updated.publish(); // tells the events
//!     Ok(())
//! }
//! ```
//!
//! To ask about both at once, join your tables with the view `sync_state`.
//!
//! # How it works
//!
//! SQLite runs in this process, so a statement costs no network trip, and nothing is gained by
//! saying a change in SQL. A write is one short transaction that reads the record, asks
//! [`Change::settle`](sync_tracker_core::Change::settle) what the change makes of it, and writes
//! that: the rules exist once, in the core. One task writes; calls that wait at the same time share a
//! transaction, and so the wait for the disk. A few connections read beside it.
//!
//! Settings, backups, several processes and limits are told in `docs/sqlite.md` of the repository.

mod checkpoints;
mod claim;
mod config;
mod connections;
mod entries;
mod error;
mod inbox;
mod list;
mod migrations;
#[cfg(test)]
mod plans;
mod records;
mod row;
mod session;
mod statements;
mod store;
mod transaction;
mod writer;
mod writes;

pub use self::config::{SqliteOptions, Synchronous};
pub use self::store::SqliteStore;

#[cfg(doctest)]
#[doc = include_str!("../../docs/sqlite.md")]
mod operating {}
