//! A handler that runs once.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::MissedTickBehavior;

use super::{BeginInbox, Begun, DedupeKey, InboxStore, Settled, Ticket};
use crate::error::{Error, Result};
use crate::events::panic_text;
use crate::ids::ChangeId;
use crate::json::JsonValue;
use crate::key::Source;
use crate::layers::{DEFAULT_DEADLINE, Deadline, Retry};
use crate::time::{Millis, Timestamp};

/// The inbox, as applications use it: over any store, cheap to clone.
///
/// ```
/// # use sync_tracker_core::{Handled, Inbox, JsonValue};
/// # use sync_tracker_memory::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let inbox = Inbox::new(MemoryStore::new());
/// for delivery in 1..=2 {
///     let handled = inbox
///         .once("shopify", "event-1", || async {
///             // … take the message in …
///             Ok::<_, sync_tracker_core::Error>(JsonValue::of("created 7")?)
///         })
///         .await?;
///     let outcome = JsonValue::of("created 7")?;
///     let expected = if delivery == 1 { Handled::Now(outcome) } else { Handled::Before(outcome) };
///     assert_eq!(handled.map_failed(|error| error.to_string()), expected);
/// }
/// # Ok(())
/// # }
/// ```
///
/// **What it promises.** Of all deliveries of a message, one at a time is handled, and after one
/// was completed none is, for as long as it is remembered. It is *not* exactly once: a process that
/// dies after the handler took effect and before that was noted leaves a message that is handled
/// again. So the effect itself has to bear a repeat.
///
/// Remember outcomes for longer than the source may deliver again; the default is 7 days. The
/// default lease is 60 seconds, and is renewed while the handler runs. Every call of the store ends
/// within [`DEFAULT_DEADLINE`] unless it was said otherwise, and is tried up to three times.
///
/// Needs a tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
pub struct Inbox {
    given: Arc<dyn InboxStore>,
    store: Arc<dyn InboxStore>,
    lease: Millis,
    remember_for: Millis,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the message may not have been handled"]
pub enum Handled<E> {
    /// The handler ran, and this outcome is remembered.
    Now(JsonValue),
    /// It was handled before, with this outcome.
    Before(JsonValue),
    /// Somebody else is at it. If the source can deliver again, tell it to; nothing is done here.
    InProgress {
        /// When it may be begun again, unless it is completed or given up before.
        until: Timestamp,
    },
    /// The handler failed. The message can be begun again at once.
    Failed(E),
    /// The handler panicked, with this message. The message can be begun again at once.
    Panicked(String),
    /// Somebody else began the message after the lease ran out, which could not be renewed in time.
    /// The handler was dropped, or its outcome is not remembered, though it may have taken effect.
    Overtaken,
}

impl<E> Handled<E> {
    /// The same with another type of failure.
    pub fn map_failed<F>(self, map: impl FnOnce(E) -> F) -> Handled<F> {
        match self {
            Self::Now(outcome) => Handled::Now(outcome),
            Self::Before(outcome) => Handled::Before(outcome),
            Self::InProgress { until } => Handled::InProgress { until },
            Self::Failed(failure) => Handled::Failed(map(failure)),
            Self::Panicked(message) => Handled::Panicked(message),
            Self::Overtaken => Handled::Overtaken,
        }
    }
}

impl Inbox {
    const LEASE: Duration = Duration::from_secs(60);
    const REMEMBER_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// An inbox over a store, with default settings.
    #[must_use]
    pub fn new(store: impl InboxStore) -> Self {
        let given: Arc<dyn InboxStore> = Arc::new(store);
        let [lease, remember_for] = [Self::LEASE, Self::REMEMBER_FOR]
            .map(|span| Millis::try_from(span).unwrap_or(Millis::MAX));
        let store = layered(&given, DEFAULT_DEADLINE);
        Self { given, store, lease, remember_for }
    }

    /// Gives every call of the store this long.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { store: layered(&self.given, deadline), ..self }
    }

    /// Leases messages for this long. It is renewed each third of it, so it is how long a message
    /// rests after its process died.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) below a millisecond or above 3,650 days.
    pub fn with_lease(self, lease: Duration) -> Result<Self> {
        Ok(Self { lease: Millis::lease(lease)?, ..self })
    }

    /// Remembers outcomes for this long.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) above 3,650 days.
    pub fn with_remember_for(self, remember_for: Duration) -> Result<Self> {
        Ok(Self { remember_for: remember_for.try_into()?, ..self })
    }

    /// The store, with the deadline and the retries of this inbox.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn InboxStore> {
        &self.store
    }

    /// Runs the handler, unless the message was handled or somebody is at it; remembers its
    /// outcome if it succeeds, gives the message up if it fails or panics.
    ///
    /// # Errors
    ///
    /// As the store's calls, or [`Invalid`](crate::ErrorKind::Invalid). If the error came after the
    /// handler had succeeded, its operation is `complete`, and whether the outcome is remembered is
    /// not known: if it is not, the message is handled again when it is delivered after its lease.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it drops the handler, and the message can be begun again after
    /// its lease.
    pub async fn once<E, F, R>(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        key: impl TryInto<DedupeKey, Error: Into<Error>>,
        handler: F,
    ) -> Result<Handled<E>>
    where
        E: Send,
        F: FnOnce() -> R + Send,
        R: Future<Output = Result<JsonValue, E>> + Send,
    {
        let (source, key) = (source.try_into().map_err(Into::into), key.try_into());
        let (source, key) = (source?, key.map_err(Into::into)?);
        let request = BeginInbox::new(source, key, self.lease, ChangeId::random())?;
        let ticket = match self.store.begin(&request).await? {
            Begun::Fresh(ticket) => ticket,
            Begun::InProgress { until } => return Ok(Handled::InProgress { until }),
            Begun::Done(outcome) => return Ok(Handled::Before(outcome)),
        };
        // What the handler shares with others is its own concern, as in a task of its own.
        let handling = AssertUnwindSafe(async move { handler().await }).catch_unwind();
        let failed = tokio::select! {
            biased;
            said = handling => match said {
                Ok(Ok(outcome)) => return self.complete(&ticket, outcome).await,
                Ok(Err(failure)) => Handled::Failed(failure),
                Err(panic) => Handled::Panicked(panic_text(&*panic).to_owned()),
            },
            () = self.renew_until_lost(&request, &ticket) => return Ok(Handled::Overtaken),
        };
        if let Err(error) = self.store.abandon(&ticket).await {
            let (source, key) = (&ticket.source, &ticket.key);
            tracing::warn!(%error, %source, %key, "could not give a message up: its lease runs on");
        }
        Ok(failed)
    }

    async fn complete<E>(&self, ticket: &Ticket, outcome: JsonValue) -> Result<Handled<E>> {
        let settled = self.store.complete(ticket, &outcome, self.remember_for).await;
        Ok(match settled.map_err(|error| error.in_operation("complete"))? {
            Settled::Done => Handled::Now(outcome),
            Settled::Lost => Handled::Overtaken,
        })
    }

    /// Keeps the lease; ends when somebody else has begun the message. An error is not the end: a
    /// ticket counts until then.
    async fn renew_until_lost(&self, request: &BeginInbox, ticket: &Ticket) {
        let third = self.lease.to_duration() / 3;
        let mut renewals = tokio::time::interval(third.max(Duration::from_millis(1)));
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renewals.reset();
        loop {
            renewals.tick().await;
            match self.store.begin(request).await {
                Ok(Begun::Fresh(renewed)) if renewed == *ticket => {}
                Ok(_) => return,
                Err(error) => {
                    let (source, key) = (&ticket.source, &ticket.key);
                    tracing::warn!(%error, %source, %key, "could not renew the lease of a message");
                }
            }
        }
    }

    /// Removes what is of no use any more: outcomes that are not remembered, and messages that were
    /// given up or whose holder vanished, longer than a day ago. How many there were. Call it now
    /// and then, and again if it runs into its deadline.
    ///
    /// # Errors
    ///
    /// As the store's [`forget_expired`](InboxStore::forget_expired), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn forget_expired(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<u64> {
        let source = source.try_into().map_err(Into::into);
        let a_day = Millis::try_from(Duration::from_secs(24 * 60 * 60))?;
        self.store.forget_expired(&source?, a_day).await
    }
}

fn layered(given: &Arc<dyn InboxStore>, deadline: Duration) -> Arc<dyn InboxStore> {
    Arc::new(Deadline::new(Retry::new(Arc::clone(given)), deadline))
}
