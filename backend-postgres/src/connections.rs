//! Connections: held ones of our own, or the pool of an application.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, PgPool, Postgres};
use sync_tracker_core::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::{Effect, Failed, connecting, late, sent};

/// Where statements go.
#[derive(Clone)]
pub(crate) struct Connections {
    from: From,
    limit: Duration,
}

#[derive(Clone)]
enum From {
    /// The driver's pool sends a ping each time that a connection comes back, which doubles the
    /// round trips. These are held without.
    Held(Arc<Held>),
    Pool(PgPool),
}

pub(crate) struct Held {
    options: PgConnectOptions,
    idle: Mutex<Vec<PgConnection>>,
    permits: Arc<Semaphore>,
}

/// A connection on loan. Dropped half-way it is closed, since an answer may still be on its way.
pub(crate) enum Lent {
    Held { connection: PgConnection, home: Arc<Held>, _permit: OwnedSemaphorePermit },
    Pool(PoolConnection<Postgres>),
}

impl Connections {
    pub(crate) fn held(options: PgConnectOptions, connections: usize, limit: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(connections.max(1)));
        let held = Held { options, idle: Mutex::default(), permits };
        Self { from: From::Held(Arc::new(held)), limit }
    }

    pub(crate) fn pool(pool: PgPool, limit: Duration) -> Self {
        Self { from: From::Pool(pool), limit }
    }

    /// How long a call may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }

    pub(crate) async fn lend(&self, deadline: Instant) -> Result<Lent> {
        let lent = async {
            match &self.from {
                From::Pool(pool) => Ok(Lent::Pool(pool.acquire().await.map_err(connecting)?)),
                From::Held(held) => held.lend().await,
            }
        };
        timeout_at(deadline, lent).await.unwrap_or_else(|_| Err(late(self.limit, None)))
    }

    /// Sends one statement and gets its rows.
    pub(crate) async fn fetch(
        &self,
        query: Query<'_, Postgres, PgArguments>,
        effect: Effect,
    ) -> Result<Vec<PgRow>, Failed> {
        let deadline = self.deadline();
        let mut lent = self.lend(deadline).await?;
        let rows = fetch(lent.connection(), query, effect, deadline, self.limit).await;
        lent.give_back_unless(rows.as_ref().is_err_and(|failed| failed.is_broken()));
        rows
    }
}

/// Sends one statement on a connection and gets its rows.
pub(crate) async fn fetch(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
    effect: Effect,
    deadline: Instant,
    limit: Duration,
) -> Result<Vec<PgRow>, Failed> {
    match timeout_at(deadline, query.fetch_all(connection)).await {
        Ok(rows) => rows.map_err(|cause| sent(cause, effect)),
        Err(_) => Err(Failed::broken(late(limit, Some(effect)))),
    }
}

impl Held {
    async fn lend(self: &Arc<Self>) -> Result<Lent> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        // Nobody closes the semaphore.
        let permit =
            permit.map_err(|closed| connecting(sqlx::Error::Io(std::io::Error::other(closed))))?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(connecting)?,
        };
        Ok(Lent::Held { connection, home: Arc::clone(self), _permit: permit })
    }

    fn take_back(&self, connection: PgConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// What broke one connection most likely broke those that wait.
    fn forget_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Lent {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Held { connection, .. } => connection,
            Self::Pool(connection) => connection,
        }
    }

    pub(crate) fn give_back_unless(self, broken: bool) {
        match self {
            Self::Held { home, .. } if broken => home.forget_idle(),
            Self::Held { connection, home, .. } => home.take_back(connection),
            Self::Pool(connection) => drop(connection),
        }
    }
}

/// Without the password.
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Connections");
        match &self.from {
            From::Held(held) => debug.field("to", &Server(&held.options)),
            From::Pool(_) => debug.field("to", &"the application's pool"),
        };
        debug.field("limit", &self.limit).finish()
    }
}

/// Where a server is, without what it takes to get in.
pub(crate) struct Server<'a>(pub(crate) &'a PgConnectOptions);

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(options) = self;
        let database = options.get_database().unwrap_or_default();
        write!(f, "{}:{}/{database}", options.get_host(), options.get_port())
    }
}

impl Failed {
    pub(crate) fn broken(error: Error) -> Self {
        Self { error, again: false, broken: true, is_duplicate: false }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }
}
