//! The one writer of a store: calls that wait at the same time share a transaction, and so the wait
//! for the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};
use sync_tracker_core::{Error, ErrorKind, Key, Result, StoreClock, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::connections::Connections;
use crate::error::{Phase, STORE, failed, is_broken, is_busy};
use crate::session::Session;

/// Something that is written in one step. It may be run more than once, each time as if the one
/// before had not been.
#[async_trait]
pub(crate) trait Write: Send + Sync + 'static {
    /// What the caller is told.
    type Answer: Send + 'static;

    /// Writes within a transaction, whose time is `now`.
    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Self::Answer>;

    /// The record that it is about, if it is about one.
    fn key(&self) -> Option<&Key> {
        None
    }
}

/// How many calls share a transaction at most; as many wait for the next one.
const GROUP: usize = 256;

/// Where calls wait for the writer.
#[derive(Clone, Debug)]
pub(crate) struct Writer(mpsc::Sender<Box<dyn Waiting>>);

impl Writer {
    /// Starts the task that writes, which ends with the last clone of this.
    pub(crate) fn start(connections: Connections, clock: StoreClock, patience: Duration) -> Self {
        let (sender, mut waiting) = mpsc::channel::<Box<dyn Waiting>>(GROUP);
        let task = Task { connections, clock, patience };
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.recv_many(&mut group, GROUP).await > 0 {
                task.carry_out(&mut group).await;
            }
        });
        Self(sender)
    }

    /// Has something written, and waits until it is on disk.
    ///
    /// Dropped before it is done, all of it is written or nothing.
    pub(crate) async fn write<W: Write>(&self, write: W) -> Result<W::Answer> {
        let (reply, answer) = oneshot::channel();
        let call = Call { write, answer: None, reply };
        let gone = |kind| Error::new(kind, "the task that writes is gone").in_store(STORE);
        self.0.send(Box::new(call)).await.map_err(|_| gone(ErrorKind::Unavailable))?;
        answer.await.unwrap_or_else(|_| Err(gone(ErrorKind::Unknown)))
    }
}

/// A call that waits for the writer, whatever it writes.
#[async_trait]
trait Waiting: Send {
    async fn write(&mut self, session: &mut Session<'_>, now: Timestamp) -> Result<()>;

    fn key(&self) -> Option<&Key>;

    /// Tells the caller.
    fn end(self: Box<Self>, end: Result<()>);
}

struct Call<W: Write> {
    write: W,
    answer: Option<W::Answer>,
    reply: oneshot::Sender<Result<W::Answer>>,
}

#[async_trait]
impl<W: Write> Waiting for Call<W> {
    async fn write(&mut self, session: &mut Session<'_>, now: Timestamp) -> Result<()> {
        self.answer = Some(self.write.write(session, now).await?);
        Ok(())
    }

    fn key(&self) -> Option<&Key> {
        self.write.key()
    }

    fn end(self: Box<Self>, end: Result<()>) {
        let Self { write: _, answer, reply } = *self;
        let missing = || Error::new(ErrorKind::Internal, "nothing was written").in_store(STORE);
        // Nobody waiting any more is no fault.
        let _ = reply.send(end.and_then(|()| answer.ok_or_else(missing)));
    }
}

/// Why a transaction came to nothing.
enum Failure {
    /// A call in it failed, and all are rolled back.
    Call(Error),
    /// It was not begun, or not committed.
    Transaction(Arc<sqlx::Error>, Phase),
}

struct Task {
    connections: Connections,
    clock: StoreClock,
    /// How long to wait for other processes.
    patience: Duration,
}

impl Task {
    /// Carries out a group of calls and answers each. If one fails, each is carried out alone, so
    /// that it fails alone.
    async fn carry_out(&self, group: &mut Vec<Box<dyn Waiting>>) {
        match self.together(group).await {
            Ok(()) => group.drain(..).for_each(|call| call.end(Ok(()))),
            Err(Failure::Transaction(cause, phase)) => {
                let error = || Err(failed(Arc::clone(&cause), phase));
                group.drain(..).for_each(|call| call.end(error()));
            }
            Err(Failure::Call(error)) if group.len() == 1 => {
                if let Some(call) = group.pop() {
                    call.end(Err(error));
                }
            }
            Err(Failure::Call(_)) => {
                for mut call in group.drain(..) {
                    let end = self.together(std::slice::from_mut(&mut call)).await;
                    call.end(end.map_err(|failure| match failure {
                        Failure::Call(error) => error,
                        Failure::Transaction(cause, phase) => failed(cause, phase),
                    }));
                }
            }
        }
    }

    /// Carries out calls in one transaction.
    async fn together(&self, calls: &mut [Box<dyn Waiting>]) -> Result<(), Failure> {
        let before = |cause| Failure::Transaction(Arc::new(cause), Phase::Before);
        let mut connection = self.connections.lend().await.map_err(before)?;
        let end = self.transaction(&mut connection, calls).await;
        let works = !matches!(&end, Err(Failure::Transaction(cause, _)) if is_broken(cause));
        connection.end(works);
        end
    }

    async fn transaction(
        &self,
        on: &mut SqliteConnection,
        calls: &mut [Box<dyn Waiting>],
    ) -> Result<(), Failure> {
        let transaction = |phase| move |cause| Failure::Transaction(Arc::new(cause), phase);
        if let Err(cause) = begin(on, self.patience).await {
            // If a transaction was left open that could not be rolled back, it can be now, or never.
            roll_back(on).await;
            return Err(transaction(Phase::Before)(cause));
        }
        if let Err(error) = self.write(on, calls).await {
            roll_back(on).await;
            return Err(Failure::Call(error));
        }
        if let Err(cause) = query("COMMIT").execute(&mut *on).await {
            roll_back(on).await;
            return Err(transaction(Phase::Commit)(cause));
        }
        Ok(())
    }

    async fn write(&self, on: &mut SqliteConnection, calls: &mut [Box<dyn Waiting>]) -> Result<()> {
        let mut session = Session::new(on);
        if calls.len() > 1 {
            let keys: Vec<Key> = calls.iter().filter_map(|call| call.key().cloned()).collect();
            session.preload(&keys).await?;
        }
        for call in calls {
            let now = self.clock.explicit_now().unwrap_or_else(Timestamp::now);
            call.write(&mut session, now).await?;
        }
        session.flush().await
    }
}

/// Begins a transaction that may write, as soon as nobody else does.
pub(crate) async fn begin(
    on: &mut SqliteConnection,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    when_free(on, "BEGIN IMMEDIATE", patience).await
}

/// Executes a statement again while others are in the way. SQLite waits for most locks itself, not
/// for all.
pub(crate) async fn when_free(
    on: &mut SqliteConnection,
    statement: &'static str,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    const PAUSE: Duration = Duration::from_millis(5);
    let began = Instant::now();
    loop {
        match query(statement).execute(&mut *on).await {
            Err(error) if is_busy(&error) && began.elapsed() < patience => {
                tokio::time::sleep(PAUSE).await;
            }
            end => return end.map(drop),
        }
    }
}

/// Takes back what was written. SQLite may have done so already, and then it says that there is no
/// transaction.
pub(crate) async fn roll_back(on: &mut SqliteConnection) {
    let _ = query("ROLLBACK").execute(on).await;
}
