//! Connections: held ones of our own, or the pool of an application.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, Executor, PgPool, Postgres};
use sync_tracker_core::Result;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Effect, Failed, Fate, connecting, late, sent};

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
    /// How many dropped calls the server has not answered yet.
    dropped: watch::Sender<usize>,
}

/// How long a call lets dropped ones go first, so that who drops a call and then looks sees what
/// became of it.
const COURTESY: Duration = Duration::from_millis(250);

/// A connection on loan. Dropped half-way it comes back once the server has answered what was asked
/// on it, as a pool of the driver's does it.
pub(crate) enum Lent {
    Held(Loan),
    Pool(PoolConnection<Postgres>),
}

/// One of the held connections. There is one until it is given back.
pub(crate) struct Loan {
    connection: Option<PgConnection>,
    home: Arc<Held>,
    permit: Option<OwnedSemaphorePermit>,
    limit: Duration,
    in_transaction: bool,
}

impl Connections {
    pub(crate) fn held(options: PgConnectOptions, connections: usize, limit: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(connections.max(1)));
        let held =
            Held { options, idle: Mutex::default(), permits, dropped: watch::Sender::new(0) };
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
                From::Held(held) => held.lend(self.limit).await,
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
        let rows = fetch(lent.connection()?, query, effect, deadline, self.limit).await;
        lent.end(rows.as_ref().err().map_or(Fate::Sound, |failed| failed.fate));
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
        Err(_) => Err(Failed { fate: Fate::Busy, ..late(limit, Some(effect)).into() }),
    }
}

impl Held {
    async fn lend(self: &Arc<Self>, limit: Duration) -> Result<Lent> {
        if *self.dropped.borrow() > 0 {
            let mut dropped = self.dropped.subscribe();
            // Else it goes on beside them.
            let _ = timeout(COURTESY, dropped.wait_for(|count| *count == 0)).await;
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        // Nobody closes the semaphore.
        let permit = permit.map_err(|_| connecting(sqlx::Error::PoolClosed))?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(connecting)?,
        };
        let (connection, permit, home) = (Some(connection), Some(permit), Arc::clone(self));
        Ok(Lent::Held(Loan { connection, home, permit, limit, in_transaction: false }))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection> {
        match self {
            Self::Held(loan) => {
                loan.connection.as_mut().ok_or_else(|| connecting(sqlx::Error::PoolClosed))
            }
            Self::Pool(connection) => Ok(connection),
        }
    }

    /// What is asked from now on is part of a transaction.
    pub(crate) fn begin(&mut self) {
        if let Self::Held(loan) = self {
            loan.in_transaction = true;
        }
    }

    pub(crate) fn end(self, fate: Fate) {
        let Self::Held(mut loan) = self else { return };
        match fate {
            Fate::Sound => {
                if let Some(connection) = loan.connection.take() {
                    loan.home.idle().push(connection);
                }
            }
            Fate::Broken => {
                loan.connection = None;
                // What broke one connection most likely broke those that wait.
                loan.home.idle().clear();
            }
            Fate::Busy => {}
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let (Some(mut connection), Some(permit)) = (self.connection.take(), self.permit.take())
        else {
            return;
        };
        // Without a runtime it is closed.
        let Ok(runtime) = Handle::try_current() else { return };
        let home = Arc::clone(&self.home);
        let (limit, in_transaction) = (self.limit, self.in_transaction);
        let answered = Answered::awaited(&home);
        runtime.spawn(async move {
            // Answers that are on their way come before this one.
            let free = async {
                if in_transaction {
                    connection.execute("ROLLBACK").await?;
                }
                connection.ping().await
            };
            if matches!(timeout(limit, free).await, Ok(Ok(()))) {
                home.idle().push(connection);
            }
            drop((permit, answered));
        });
    }
}

/// Counts a dropped call until the server has answered it, or its runtime ends.
struct Answered(Arc<Held>);

impl Answered {
    fn awaited(home: &Arc<Held>) -> Self {
        home.dropped.send_modify(|count| *count += 1);
        Self(Arc::clone(home))
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.dropped.send_modify(|count| *count -= 1);
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
