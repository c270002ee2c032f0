//! Connections: held ones of our own, or the pool of an application, and transactions on them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool, Postgres, raw_sql};
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
    /// What begins the transaction that each statement is sent in, if it needs one.
    frame: Option<Arc<str>>,
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
    /// Cleared when a connection breaks or stays silent: what befell it most likely befell these.
    idle: Mutex<Vec<PgConnection>>,
    permits: Arc<Semaphore>,
    /// How many dropped calls the server has not answered yet.
    dropped: watch::Sender<usize>,
}

/// How long a call lets dropped ones go first, so that who drops a call and then looks sees what
/// became of it.
const COURTESY: Duration = Duration::from_millis(250);

/// How long after the time that a statement may take a server is believed to be there that has not
/// answered: it ends statements at that time itself. Less than the courtesy, so that who comes next
/// gets no connection that waits beside a silent one.
const GRACE: Duration = Duration::from_millis(200);

/// A connection on loan. Dropped half-way it comes back once the server has answered what was asked
/// on it, and has taken back a transaction that was begun.
pub(crate) struct Lent {
    /// There is one until it is given back.
    link: Option<Link>,
    limit: Duration,
    /// When the server must have answered what is asked now.
    answer_by: Instant,
    in_transaction: bool,
}

enum Link {
    Held { connection: PgConnection, home: Arc<Held>, permit: OwnedSemaphorePermit },
    Pool(PoolConnection<Postgres>),
}

impl Connections {
    pub(crate) fn held(options: PgConnectOptions, connections: usize, limit: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(connections.max(1)));
        let held =
            Held { options, idle: Mutex::default(), permits, dropped: watch::Sender::new(0) };
        Self { from: From::Held(Arc::new(held)), limit, frame: None }
    }

    pub(crate) fn pool(pool: PgPool, limit: Duration) -> Self {
        Self { from: From::Pool(pool), limit, frame: None }
    }

    /// Sends each statement in a transaction of its own that begins with this text, and prepares
    /// none: behind a pooler the next transaction may be on another connection.
    pub(crate) fn in_frames(self, begin: &str) -> Self {
        Self { frame: Some(begin.into()), ..self }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }

    async fn lend(&self, deadline: Instant) -> Result<Lent> {
        let lent = async {
            match &self.from {
                From::Pool(pool) => Ok(Link::Pool(pool.acquire().await.map_err(connecting)?)),
                From::Held(held) => held.lend().await,
            }
        };
        let link = timeout_at(deadline, lent).await;
        let link = link.unwrap_or_else(|_| Err(late(self.limit, None)))?;
        let answer_by = Instant::now() + self.limit + GRACE;
        Ok(Lent { link: Some(link), limit: self.limit, answer_by, in_transaction: false })
    }

    /// Sends one statement and gets its rows.
    pub(crate) async fn fetch(
        &self,
        query: Query<'_, Postgres, PgArguments>,
        effect: Effect,
    ) -> Result<Vec<PgRow>, Failed> {
        if self.frame.is_some() {
            let mut transaction = self.begin().await?;
            let rows = transaction.fetch(query).await;
            return match rows {
                Ok(rows) => transaction.commit(effect).await.map(|()| rows),
                Err(failed) => transaction.failed(failed),
            };
        }
        let deadline = self.deadline();
        let mut lent = self.lend(deadline).await?;
        let rows = fetch(lent.connection()?, query, effect, deadline, self.limit).await;
        lent.end(rows.as_ref().err().map_or(Fate::Sound, |failed| failed.fate));
        rows
    }

    /// Sends one statement on a connection of the caller's and gets its rows.
    pub(crate) async fn fetch_on(
        &self,
        connection: &mut PgConnection,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, Failed> {
        let query = query.persistent(self.frame.is_none());
        fetch(connection, query, Effect::None, self.deadline(), self.limit).await
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction, Failed> {
        let deadline = self.deadline();
        let mut lent = self.lend(deadline).await?;
        lent.in_transaction = true;
        let persistent = self.frame.is_none();
        let mut transaction = Transaction { lent, deadline, persistent };
        let begin = self.frame.as_deref().unwrap_or("BEGIN ISOLATION LEVEL READ COMMITTED");
        match transaction.run(begin, Effect::None).await {
            Ok(()) => Ok(transaction),
            Err(failed) => transaction.failed(failed),
        }
    }
}

/// Sends one statement on a connection and gets its rows.
async fn fetch(
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

/// A transaction on a connection of the store's. Dropped, it is rolled back.
pub(crate) struct Transaction {
    lent: Lent,
    deadline: Instant,
    persistent: bool,
}

impl Transaction {
    /// Sends one statement and gets its rows.
    pub(crate) async fn fetch(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, Failed> {
        let (query, limit) = (query.persistent(self.persistent), self.lent.limit);
        fetch(self.lent.connection()?, query, Effect::None, self.deadline, limit).await
    }

    /// Sends statements without values.
    pub(crate) async fn run(&mut self, script: &str, effect: Effect) -> Result<(), Failed> {
        let limit = self.lent.limit;
        let script = raw_sql(AssertSqlSafe(script.to_owned()));
        match timeout_at(self.deadline, script.execute(self.lent.connection()?)).await {
            Ok(done) => done.map(drop).map_err(|cause| sent(cause, effect)),
            Err(_) => Err(Failed { fate: Fate::Busy, ..late(limit, Some(effect)).into() }),
        }
    }

    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection> {
        self.lent.connection()
    }

    /// Commits what may have this effect.
    pub(crate) async fn commit(mut self, effect: Effect) -> Result<(), Failed> {
        match self.run("COMMIT", effect).await {
            Ok(()) => {
                self.lent.end(Fate::Sound);
                Ok(())
            }
            Err(failed) => self.failed(failed),
        }
    }

    pub(crate) async fn roll_back(mut self) -> Result<(), Failed> {
        match self.run("ROLLBACK", Effect::None).await {
            Ok(()) => {
                self.lent.end(Fate::Sound);
                Ok(())
            }
            Err(failed) => self.failed(failed),
        }
    }

    /// It failed, so it is rolled back before the connection is used again.
    pub(crate) fn failed<T>(self, failed: Failed) -> Result<T, Failed> {
        self.lent.end(if failed.fate == Fate::Sound { Fate::Busy } else { failed.fate });
        Err(failed)
    }
}

impl Held {
    async fn lend(self: &Arc<Self>) -> Result<Link> {
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
        Ok(Link::Held { connection, home: Arc::clone(self), permit })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Held { connection, .. } => connection,
            Self::Pool(connection) => connection,
        }
    }
}

impl Lent {
    fn connection(&mut self) -> Result<&mut PgConnection> {
        let closed = || connecting(sqlx::Error::PoolClosed);
        self.link.as_mut().map(Link::connection).ok_or_else(closed)
    }

    fn end(mut self, fate: Fate) {
        match (fate, self.link.take()) {
            (Fate::Sound, Some(Link::Held { connection, home, permit })) => {
                home.idle().push(connection);
                drop(permit);
            }
            (Fate::Broken, Some(Link::Held { home, .. })) => home.idle().clear(),
            (Fate::Busy, link) => self.link = link,
            // The pool finds out by itself.
            (Fate::Sound | Fate::Broken, _) => {}
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        let in_transaction = self.in_transaction;
        if matches!(&link, Link::Pool(_)) && !in_transaction {
            return;
        }
        // Without a runtime it is closed.
        let Ok(runtime) = Handle::try_current() else { return };
        let answer_by = self.answer_by;
        let answered = match &link {
            Link::Held { home, .. } => Some(Answered::awaited(home)),
            Link::Pool(_) => None,
        };
        runtime.spawn(async move {
            // Answers that are on their way come before this one.
            let free = async {
                if in_transaction {
                    link.connection().execute("ROLLBACK").await?;
                }
                link.connection().ping().await
            };
            let is_free = matches!(timeout_at(answer_by, free).await, Ok(Ok(())));
            match link {
                Link::Held { connection, home, permit } => {
                    if is_free {
                        home.idle().push(connection);
                    } else {
                        home.idle().clear();
                    }
                    drop(permit);
                }
                Link::Pool(mut connection) if !is_free => connection.close_on_drop(),
                Link::Pool(_) => {}
            }
            drop(answered);
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
        debug.field("limit", &self.limit).field("in_frames", &self.frame.is_some()).finish()
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
