//! Stores for the suites.

#![allow(clippy::expect_used, dead_code)] // it is compiled for each test target that has it

use std::fs;
use std::path::{Path, PathBuf};

use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_sqlite::{SqliteOptions, SqliteStore, Synchronous};

/// A file that is removed in the end, with what SQLite puts beside it.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.db")))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            // What is not there need not be removed.
            let _ = fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}

pub(crate) async fn file(setup: Setup) -> Guarded<SqliteStore, Scratch> {
    open(setup, Synchronous::Full).await
}

/// For tests of many thousand steps, which would wait for the disk in each.
pub(crate) async fn hasty_file(setup: Setup) -> Guarded<SqliteStore, Scratch> {
    open(setup, Synchronous::Off).await
}

async fn open(setup: Setup, synchronous: Synchronous) -> Guarded<SqliteStore, Scratch> {
    let guard = Scratch::new(&setup.namespace);
    let options = SqliteOptions::file(guard.path()).clock(setup.clock).synchronous(synchronous);
    Guarded { store: options.open().await.expect("the file opens"), guard }
}

pub(crate) async fn memory(setup: Setup) -> SqliteStore {
    SqliteOptions::memory().clock(setup.clock).open().await.expect("it opens")
}
