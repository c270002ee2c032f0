//! What each error of the driver means to a caller: the one place that knows.

use std::sync::Arc;

use sync_tracker_core::{Error, ErrorKind};

/// How errors call this store.
pub(crate) const STORE: &str = "sqlite";

/// How far a call had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing can have been done: it was read, or what was written is rolled back.
    Before,
    /// The commit itself failed: it may be in the file.
    Commit,
}

/// SQLite's primary result codes that are told apart (<https://www.sqlite.org/rescode.html>).
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const TOOBIG: i32 = 18;
    pub(super) const AUTH: i32 = 23;
    pub(super) const NOTADB: i32 = 26;
}

/// The primary result code, if the error is SQLite's.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether another connection was in the way.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(code::BUSY | code::LOCKED))
}

/// Whether the connection is of no more use.
pub(crate) fn is_broken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::WorkerCrashed)
}

/// The error of a call that failed in this phase.
pub(crate) fn failed(error: impl Into<Arc<sqlx::Error>>, phase: Phase) -> Error {
    let error = error.into();
    let (kind, message) = match (primary_code(&error), &*error) {
        (Some(code::BUSY | code::LOCKED), _) => {
            (ErrorKind::Unavailable, "others kept the database locked")
        }
        (Some(code::FULL), _) => (ErrorKind::Unavailable, "the disk or the database is full"),
        (Some(code::READONLY), _) => (ErrorKind::Unsupported, "the database cannot be written to"),
        (Some(code::CORRUPT), _) => (ErrorKind::Corrupt, "the file is damaged"),
        (Some(code::NOTADB), _) => (ErrorKind::Corrupt, "the file is no SQLite database"),
        (Some(code::TOOBIG), _) => (ErrorKind::Invalid, "a value is larger than SQLite stores"),
        (Some(code::CANTOPEN | code::PERM | code::AUTH), _) => {
            (ErrorKind::Unavailable, "the file cannot be opened")
        }
        (Some(code::IOERR), _) | (None, sqlx::Error::Io(_)) => {
            (otherwise(phase, ErrorKind::Unavailable), "reading or writing the file failed")
        }
        (None, sqlx::Error::PoolTimedOut) => (ErrorKind::Unavailable, "every connection is in use"),
        (None, sqlx::Error::PoolClosed) => (ErrorKind::Unavailable, "the store is closed"),
        (None, sqlx::Error::WorkerCrashed) => (ErrorKind::Unknown, "the driver's thread ended"),
        (None, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
            (ErrorKind::Corrupt, "a column does not decode")
        }
        _ => {
            let kind = otherwise(phase, ErrorKind::Internal);
            (kind, "SQLite or its driver refused a statement")
        }
    };
    Error::new(kind, message).in_store(STORE).caused_by(error)
}

/// Of what may have been done, the outcome is unknown.
fn otherwise(phase: Phase, before: ErrorKind) -> ErrorKind {
    match phase {
        Phase::Before => before,
        Phase::Commit => ErrorKind::Unknown,
    }
}

/// The error of a statement: whatever it wrote is rolled back.
pub(crate) fn before_commit(error: sqlx::Error) -> Error {
    failed(error, Phase::Before)
}

/// What is stored is not what was put there.
pub(crate) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, what).in_store(STORE)
}
