//! A loop that claims due records and has them pushed.

mod handler;
mod job;
mod tally;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

pub use self::handler::Handler;
pub use self::job::Job;
pub use self::tally::WorkerCounts;

use self::tally::Tally;
use crate::error::{Error, Result};
use crate::key::Source;
use crate::tracker::Tracker;

/// Claims due records of a source and has a handler push them, several at a time.
///
/// The worker renews leases while handlers run, reports what they say, counts a handler that
/// panics as a failed push, rests longer and longer while nothing is due, pauses the source when
/// the remote asks for patience, and stops gracefully.
///
/// ```
/// use sync_tracker_core::{Done, EntityRef, Failed, Job, Operation, Tracker, Worker};
/// use sync_tracker_memory::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tracker = Tracker::new(MemoryStore::new()).with_sources("product", ["shopify"])?;
/// let product = EntityRef::new("product", 42)?;
/// tracker.created(&product).await?;
///
/// let worker = Worker::new(&tracker, "shopify", async |job: Job| match job.operation() {
///     Operation::Create => Ok(Done::new().external_id("gid-1")?),
///     Operation::Update | Operation::Delete | Operation::Nothing => Ok(Done::new()),
/// })?;
/// let counts = worker.concurrency(8).run_until_idle().await;
///
/// assert_eq!(counts.synced, 1);
/// assert!(tracker.is_synced(&product, "shopify").await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a worker does nothing until it runs"]
pub struct Worker<H> {
    tracker: Tracker,
    source: Source,
    handler: Arc<H>,
    settings: Settings,
    tally: Arc<Tally>,
}

#[derive(Clone, Debug)]
struct Settings {
    name: String,
    concurrency: usize,
    lease: Duration,
    idle: (Duration, Duration),
    grace: Duration,
    pause_when_throttled: bool,
}

impl<H: Handler> Worker<H> {
    /// A worker of the source, with default settings: four pushes at a time, leases of a minute,
    /// rests of 50 ms to 5 s, 30 s to stop, and pausing the source when it is throttled.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the source is.
    pub fn new(
        tracker: &Tracker,
        source: impl TryInto<Source, Error: Into<Error>>,
        handler: H,
    ) -> Result<Self> {
        Ok(Self {
            tracker: tracker.clone(),
            source: source.try_into().map_err(Into::into)?,
            handler: Arc::new(handler),
            settings: Settings {
                name: "worker".to_owned(),
                concurrency: 4,
                lease: Duration::from_secs(60),
                idle: (Duration::from_millis(50), Duration::from_secs(5)),
                grace: Duration::from_secs(30),
                pause_when_throttled: true,
            },
            tally: Arc::default(),
        })
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }

    /// Names the worker in its leases: 1 to 128 bytes.
    pub fn name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.set(|settings| settings.name = name)
    }

    /// Has this many pushes under way at most; 0 counts as 1.
    pub fn concurrency(self, pushes: usize) -> Self {
        self.set(|settings| settings.concurrency = pushes.max(1))
    }

    /// Leases each record for this long, and renews the lease each third of it while the handler
    /// runs. If the worker dies, the record is due again after that.
    pub fn lease(self, ttl: Duration) -> Self {
        self.set(|settings| settings.lease = ttl)
    }

    /// Rests this long when nothing is due, twice as long each time, up to the longest rest.
    pub fn idle(self, shortest: Duration, longest: Duration) -> Self {
        self.set(|settings| settings.idle = (shortest, longest.max(shortest)))
    }

    /// Waits this long for handlers when it is to stop. A handler that is not done by then is
    /// dropped, and its push failed with an unknown outcome.
    pub fn grace(self, wait: Duration) -> Self {
        self.set(|settings| settings.grace = wait)
    }

    /// Does not pause the source when a push is throttled with a time to wait.
    pub fn without_pausing(self) -> Self {
        self.set(|settings| settings.pause_when_throttled = false)
    }

    /// What the worker counted so far.
    #[must_use]
    pub fn counts(&self) -> WorkerCounts {
        self.tally.counts()
    }

    /// Runs in a task of its own until it is told to stop.
    ///
    /// Needs a tokio runtime with its timer enabled.
    #[must_use = "dropping the handle stops the worker"]
    pub fn spawn(self) -> WorkerHandle {
        let (stop, stopping) = watch::channel(false);
        let tally = Arc::clone(&self.tally);
        let task = tokio::spawn(self.run(stopping, false));
        WorkerHandle { stop, task, tally }
    }

    /// Runs until `stop` is ready, then stops gracefully. What it counted is the answer.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> WorkerCounts {
        let handle = self.spawn();
        stop.await;
        handle.stop().await
    }

    /// Runs until nothing is due, nor scheduled, nor leased, then stops: what a command that is run
    /// by a timer wants. What it counted is the answer.
    ///
    /// A record that waits for a retry is waited for. One that another worker holds is too. While
    /// the source is paused without end, that may be for ever: bound it by a timeout.
    pub async fn run_until_idle(self) -> WorkerCounts {
        let tally = Arc::clone(&self.tally);
        let (_stop, stopping) = watch::channel(false);
        self.run(stopping, true).await;
        tally.counts()
    }

    async fn run(self, mut stopping: watch::Receiver<bool>, until_idle: bool) {
        let mut running = JoinSet::new();
        let freed = Arc::new(Notify::new());
        let mut rest = self.settings.idle.0;
        while !*stopping.borrow_and_update() {
            while running.try_join_next().is_some() {}
            let room = self.settings.concurrency.saturating_sub(running.len());
            let started = if room > 0 { self.start(&mut running, room, &freed).await } else { 0 };
            if started > 0 {
                rest = self.settings.idle.0;
                continue;
            }
            if until_idle && running.is_empty() && self.is_idle().await {
                break;
            }
            // A handler that ends makes room, or was the last: no need to rest then.
            tokio::select! {
                () = tokio::time::sleep(rest) => rest = (rest * 2).min(self.settings.idle.1),
                () = freed.notified() => {}
                _ = stopping.changed() => break,
            }
        }
        self.wind_up(running).await;
    }

    /// Claims no more than can be started at once, and starts it. How many.
    async fn start(&self, running: &mut JoinSet<()>, room: usize, freed: &Arc<Notify>) -> usize {
        let claim = self
            .tracker
            .claim(&self.source)
            .worker(&self.settings.name)
            .limit(room.min(crate::ClaimRequest::MAX_LIMIT))
            .lease(self.settings.lease);
        let claimed = match claim.await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, source = %self.source, "could not claim");
                self.tally.errors(1);
                return 0;
            }
        };
        self.tally.claimed(claimed.pushes.len());
        self.tally.dead_lettered(claimed.dead_lettered.len());
        let started = claimed.pushes.len() + claimed.dead_lettered.len();
        for push in claimed.pushes {
            let running_push = job::Running {
                tracker: self.tracker.clone(),
                source: self.source.clone(),
                handler: Arc::clone(&self.handler),
                tally: Arc::clone(&self.tally),
                lease: self.settings.lease,
                pause_when_throttled: self.settings.pause_when_throttled,
            };
            let freed = Arc::clone(freed);
            running.spawn(async move {
                running_push.run(push).await;
                freed.notify_one();
            });
        }
        started
    }

    /// Whether nothing of the source is due, scheduled or leased.
    async fn is_idle(&self) -> bool {
        match self.tracker.statistics(&self.source).await {
            Ok(statistics) => statistics.due_now == 0 && statistics.next_due.is_none(),
            Err(error) => {
                tracing::error!(%error, source = %self.source, "could not look what is due");
                self.tally.errors(1);
                false
            }
        }
    }

    /// Waits for the handlers that run. Those that take too long are dropped, which
    /// [`job::Running`] reports.
    async fn wind_up(&self, mut running: JoinSet<()>) {
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.grace, all).await.is_err() {
            tracing::warn!(left = running.len(), "handlers took too long to stop");
            self.tally.give_up();
            while running.join_next().await.is_some() {}
        }
    }
}

/// A worker that runs. Dropping the handle tells it to stop, without waiting for it.
#[derive(Debug)]
pub struct WorkerHandle {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    tally: Arc<Tally>,
}

impl WorkerHandle {
    /// What the worker counted so far.
    #[must_use]
    pub fn counts(&self) -> WorkerCounts {
        self.tally.counts()
    }

    /// Stops gracefully: no record is claimed any more, handlers that run are waited for. What it
    /// counted is the answer.
    pub async fn stop(self) -> WorkerCounts {
        self.stop.send_replace(true);
        if let Err(cause) = self.task.await {
            tracing::error!(%cause, "a worker ended early");
        }
        self.tally.counts()
    }
}
