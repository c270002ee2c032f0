//! Connections: held ones to a file, or the only one that a database in memory has.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool};
use sync_tracker_core::{ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Where statements go.
#[derive(Clone, Debug)]
pub(crate) enum Connections {
    /// The driver's pool asks each connection that comes back whether it still works, which is a
    /// trip to its thread. These are held without.
    Held(Arc<Held>),
    /// A database in memory is its connection, which the application may use, too.
    Only(SqlitePool),
}

pub(crate) struct Held {
    options: SqliteConnectOptions,
    patience: Duration,
    idle: Mutex<Vec<SqliteConnection>>,
    size: u32,
    permits: Arc<Semaphore>,
}

/// A connection on loan, which goes back at its [end](Self::end). One that is dropped before, with
/// the call that used it, is closed.
pub(crate) enum Lent {
    Held { connection: SqliteConnection, home: Arc<Held>, permit: OwnedSemaphorePermit },
    Only(PoolConnection<Sqlite>),
}

impl Connections {
    /// At most so many connections to a file, made when they are needed.
    pub(crate) fn held(options: SqliteConnectOptions, size: u32, patience: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(usize::MAX)));
        Self::Held(Arc::new(Held { options, patience, idle: Mutex::default(), size, permits }))
    }

    pub(crate) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        match self {
            Self::Held(held) => held.lend().await,
            Self::Only(pool) => pool.acquire().await.map(Lent::Only),
        }
    }

    /// Closes all, once those who use them are done.
    pub(crate) async fn close(&self) {
        match self {
            Self::Held(held) => held.close().await,
            Self::Only(pool) => pool.close().await,
        }
    }
}

impl Held {
    async fn lend(self: &Arc<Self>) -> Result<Lent, sqlx::Error> {
        let permit = timeout(self.patience, Arc::clone(&self.permits).acquire_owned()).await;
        let permit =
            permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Lent::Held { connection, home: Arc::clone(self), permit })
    }

    async fn close(&self) {
        // An error says that it was closed before.
        let all = self.permits.acquire_many(self.size).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            // All is written; what is left over, the next to open the file takes care of.
            let _ = connection.close().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    /// Goes back, if it still works.
    pub(crate) fn end(self, works: bool) {
        if let (Self::Held { connection, home, permit }, true) = (self, works) {
            home.idle().push(connection);
            drop(permit);
        }
    }

    /// Goes back with what was read, unless that says that the driver's thread ended.
    pub(crate) fn with<T>(self, read: Result<T>) -> Result<T> {
        let works = read.as_ref().err().is_none_or(|error| error.kind() != ErrorKind::Unknown);
        self.end(works);
        read
    }
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Held { connection, .. } => connection,
            Self::Only(connection) => connection,
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Held { connection, .. } => connection,
            Self::Only(connection) => connection,
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("size", &self.size).finish_non_exhaustive()
    }
}
