//! The SQLite store of sync-tracker.

mod checkpoints;
mod claim;
mod config;
mod entries;
mod error;
mod inbox;
mod list;
mod migrations;
#[cfg(test)]
mod plans;
mod records;
mod row;
mod statements;
mod store;
mod transaction;
mod writer;
mod writes;

pub use self::config::{SqliteOptions, Synchronous};
pub use self::store::SqliteStore;
