//! What happened, told after it happened.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinHandle;

use crate::key::{Key, Source};
use crate::record::SyncRecord;

/// Something that happened to a record or to a source.
///
/// It is told after the write has succeeded, at most once for each transition in one process, and
/// carries the record as it was right after.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The entity was created locally.
    Created(Arc<SyncRecord>),
    /// The entity was updated locally.
    Updated(Arc<SyncRecord>),
    /// The entity was deleted locally.
    Deleted(Arc<SyncRecord>),
    /// The entity was restored locally.
    Restored(Arc<SyncRecord>),
    /// An external id was bound.
    Bound(Arc<SyncRecord>),
    /// A worker was granted the record.
    Claimed(Arc<SyncRecord>),
    /// A worker gave the record back.
    Released(Arc<SyncRecord>),
    /// A push succeeded, or the entity was marked as synced.
    EntitySynced(Arc<SyncRecord>),
    /// A push failed. If it was the last attempt, [`DeadLettered`](Self::DeadLettered) follows.
    SyncFailed(Arc<SyncRecord>),
    /// The record became a dead letter.
    DeadLettered(Arc<SyncRecord>),
    /// The record was dismissed.
    Dismissed(Arc<SyncRecord>),
    /// A record that was held was put back into the queue.
    Redriven(Arc<SyncRecord>),
    /// A create in doubt turned out to have left nothing.
    DoubtSettled(Arc<SyncRecord>),
    /// The object changed in the remote, and nothing changed here: it is to be taken over.
    RemoteChanged(Arc<SyncRecord>),
    /// The object was deleted in the remote, or is missing there, and nothing changed here.
    RemoteDeleted(Arc<SyncRecord>),
    /// What is in the remote was taken over.
    RemoteAccepted(Arc<SyncRecord>),
    /// Both sides changed.
    ConflictOpened(Arc<SyncRecord>),
    /// A conflict was resolved.
    ConflictResolved(Arc<SyncRecord>),
    /// External ids were merged in the remote.
    ExternalIdsMerged(Arc<SyncRecord>),
    /// A record was erased: forgotten, or purged.
    Removed(Key),
    /// A record was moved to another key.
    Renamed {
        /// The old key.
        from: Key,
        /// The new key.
        to: Key,
    },
    /// A source was paused.
    Paused(Source),
    /// A source was resumed.
    Resumed(Source),
}

impl Event {
    /// The record, if the event carries one.
    #[must_use]
    pub fn record(&self) -> Option<&SyncRecord> {
        match self {
            Self::Created(record)
            | Self::Updated(record)
            | Self::Deleted(record)
            | Self::Restored(record)
            | Self::Bound(record)
            | Self::Claimed(record)
            | Self::Released(record)
            | Self::EntitySynced(record)
            | Self::SyncFailed(record)
            | Self::DeadLettered(record)
            | Self::Dismissed(record)
            | Self::Redriven(record)
            | Self::DoubtSettled(record)
            | Self::RemoteChanged(record)
            | Self::RemoteDeleted(record)
            | Self::RemoteAccepted(record)
            | Self::ConflictOpened(record)
            | Self::ConflictResolved(record)
            | Self::ExternalIdsMerged(record) => Some(record),
            Self::Removed(_) | Self::Renamed { .. } | Self::Paused(_) | Self::Resumed(_) => None,
        }
    }
}

/// What a change of a record means, once it is in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    Created,
    Updated,
    Deleted,
    Restored,
    Bound,
    Claimed,
    Released,
    EntitySynced,
    SyncFailed,
    DeadLettered,
    Dismissed,
    Redriven,
    DoubtSettled,
    RemoteChanged,
    RemoteDeleted,
    RemoteAccepted,
    ConflictOpened,
    ConflictResolved,
    ExternalIdsMerged,
}

impl Transition {
    /// The event that tells it.
    pub(crate) fn of(self, record: &SyncRecord) -> Event {
        let record = Arc::new(record.clone());
        match self {
            Self::Created => Event::Created(record),
            Self::Updated => Event::Updated(record),
            Self::Deleted => Event::Deleted(record),
            Self::Restored => Event::Restored(record),
            Self::Bound => Event::Bound(record),
            Self::Claimed => Event::Claimed(record),
            Self::Released => Event::Released(record),
            Self::EntitySynced => Event::EntitySynced(record),
            Self::SyncFailed => Event::SyncFailed(record),
            Self::DeadLettered => Event::DeadLettered(record),
            Self::Dismissed => Event::Dismissed(record),
            Self::Redriven => Event::Redriven(record),
            Self::DoubtSettled => Event::DoubtSettled(record),
            Self::RemoteChanged => Event::RemoteChanged(record),
            Self::RemoteDeleted => Event::RemoteDeleted(record),
            Self::RemoteAccepted => Event::RemoteAccepted(record),
            Self::ConflictOpened => Event::ConflictOpened(record),
            Self::ConflictResolved => Event::ConflictResolved(record),
            Self::ExternalIdsMerged => Event::ExternalIdsMerged(record),
        }
    }
}

/// Somebody who wants to know.
///
/// A listener runs in a task of its own. It can be slow, and it can panic: no operation waits for
/// it or fails by it, and it goes on with the next event. What it is too slow for is counted.
pub trait Listener: Send + 'static {
    /// Something happened.
    fn on_event(&mut self, event: &Event);

    /// So many events were missed, since the listener was too slow.
    fn on_lag(&mut self, missed: u64) {
        tracing::warn!(missed, "a listener was too slow for some events");
    }
}

impl<F: FnMut(&Event) + Send + 'static> Listener for F {
    fn on_event(&mut self, event: &Event) {
        self(event);
    }
}

/// Where events are told and heard. Bounded: who lags behind by more than
/// [`CAPACITY`](Self::CAPACITY) events misses the oldest.
#[derive(Clone, Debug)]
pub(crate) struct EventBus(broadcast::Sender<Event>);

impl EventBus {
    /// How many events wait for a slow listener.
    pub(crate) const CAPACITY: usize = 1_024;

    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(Self::CAPACITY))
    }

    /// Tells an event, which is made only if somebody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.0.receiver_count() > 0 {
            // Nobody listening any more is no fault.
            let _ = self.0.send(event());
        }
    }

    pub(crate) fn subscribe(&self) -> Events {
        Events { receiver: self.0.subscribe(), missed: 0 }
    }
}

/// A subscription: every event from now on.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    missed: u64,
}

impl Events {
    /// The next event; `None` once the tracker and all of its clones are gone.
    ///
    /// Cancellation safe: no event is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(missed)) => self.missed += missed,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// How many events were missed so far, since they were not asked for in time: 1,024 wait.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, |mut events| async move {
            let event = events.next().await?;
            Some((event, events))
        })
    }

    /// Runs a listener in a task of its own, until the tracker is gone or the task is aborted.
    pub(crate) fn run(mut self, mut listener: impl Listener) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut told = 0;
            while let Some(event) = self.next().await {
                let missed = self.missed - told;
                told = self.missed;
                let heard = panic::catch_unwind(AssertUnwindSafe(|| {
                    if missed > 0 {
                        listener.on_lag(missed);
                    }
                    listener.on_event(&event);
                }));
                if let Err(cause) = heard {
                    tracing::error!(cause = panic_text(&*cause), "a listener panicked");
                }
            }
        })
    }
}

/// What a panic said.
pub(crate) fn panic_text(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<&str>().copied();
    text.or_else(|| cause.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
