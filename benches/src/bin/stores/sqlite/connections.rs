//! Connections of the bare driver that are held, and shared by callers in turn.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use sync_tracker_benches::Failure;
use tokio::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub(crate) struct Connections(Vec<Mutex<SqliteConnection>>);

impl Connections {
    pub(crate) async fn open(path: &Path, count: usize) -> Result<Self, Failure> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Mutex::new(options(path).connect().await?));
        }
        Ok(Self(connections))
    }

    /// The connection that a caller shares with others, if there are more callers.
    pub(crate) async fn of(&self, caller: usize) -> MutexGuard<'_, SqliteConnection> {
        self.0[caller % self.0.len()].lock().await
    }
}

/// The settings of the store: a log, and a wait for the disk at each commit.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(60))
        .disable_statement_logging()
}
