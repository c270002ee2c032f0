//! What applications call.

mod batch;
mod bind;
mod change;
mod claim;
mod conflict;
mod failed;
mod inbound;
mod local;
mod lookups;
mod merge;
mod observe;
mod pause;
mod push;
mod query;
mod retention;
mod sweep;
mod synced;
mod within;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use self::batch::{Batch, BatchProgress, BatchReport, ItemReport};
pub use self::bind::BindExternalId;
pub use self::change::ChangeRecord;
pub use self::claim::{ClaimDue, ClaimedPushes};
pub use self::conflict::{EncounterRemote, ResolveConflict};
pub use self::failed::MarkFailed;
pub use self::inbound::InboundCounts;
pub use self::local::{LocalChange, LocalChanges, SourceOutcome};
pub use self::lookups::Found;
pub use self::merge::Merged;
pub use self::observe::{AcceptRemote, ObserveRemote, Observed};
pub use self::pause::PauseSource;
pub use self::push::{FailPush, Push, ReleasePush, RenewPush};
pub use self::query::Query;
pub use self::retention::Purge;
pub use self::sweep::{Plausible, Sweep, SweepReport, Swept};
pub use self::synced::MarkSynced;
pub use self::within::Unpublished;

use tokio::task::JoinHandle;

use self::inbound::Inbound;

use crate::change::{Change, Outcome};
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::{EventBus, Events, Listener, Transition};
use crate::key::{EntityType, Key, Source};
use crate::layers::{DEFAULT_DEADLINE, Deadline, Retry};
use crate::rules::RetrySchedule;
use crate::status::Status;
use crate::store::SyncStore;
use crate::tracking::TrackingRules;

/// The future that a call of the tracker becomes when it is awaited.
type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The ledger, as applications use it: over any store, cheap to clone.
///
/// Calls are described first and run when they are awaited:
///
/// ```
/// # use sync_tracker_core::{EntityRef, Status, Tracker};
/// # use sync_tracker_memory::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tracker = Tracker::new(MemoryStore::new());
/// let customer = EntityRef::new("customer", "ada")?;
///
/// let outcome = tracker
///     .mark_synced(&customer, "crm")
///     .external_id("SF-1")
///     .merge_metadata(serde_json::json!({ "tier": "gold" }))
///     .await?;
/// assert!(outcome.is_applied());
///
/// let outcomes = tracker.updated(&customer).await?;
/// assert_eq!(outcomes[0].source.as_str(), "crm");
/// assert_eq!(tracker.status(&customer, "crm").await?, Some(Status::Pending));
/// # Ok(())
/// # }
/// ```
///
/// An entity is named by an [`EntityRef`](crate::EntityRef) or by a reference to a value of the
/// application's own, see [`Trackable`](crate::Trackable).
///
/// Every call ends within a deadline, [`DEFAULT_DEADLINE`] unless it was said otherwise, and is
/// tried up to three times while its error is retryable; see [`Deadline`] and [`Retry`]. Dropping
/// a call before it is done leaves each record as it was or wholly changed.
///
/// Clones share the store, the settings and the listeners.
#[derive(Clone, Debug)]
pub struct Tracker {
    store: Arc<dyn SyncStore>,
    settings: Arc<Settings>,
    events: EventBus,
    inbound: Arc<Inbound>,
}

#[derive(Clone, Debug)]
struct Settings {
    /// The store as it was given, without layers.
    given: Arc<dyn SyncStore>,
    deadline: Duration,
    schedule: RetrySchedule,
    rules: TrackingRules,
}

impl Tracker {
    /// A tracker over a store, with default settings.
    #[must_use]
    pub fn new(store: impl SyncStore) -> Self {
        let settings = Settings {
            given: Arc::new(store),
            deadline: DEFAULT_DEADLINE,
            schedule: RetrySchedule::default(),
            rules: TrackingRules::default(),
        };
        Self::with_settings(settings, EventBus::new(), Arc::default())
    }

    fn with_settings(settings: Settings, events: EventBus, inbound: Arc<Inbound>) -> Self {
        let layered = Deadline::new(Retry::new(Arc::clone(&settings.given)), settings.deadline);
        Self { store: Arc::new(layered), settings: Arc::new(settings), events, inbound }
    }

    fn changed(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings);
        change(&mut settings);
        Self::with_settings(settings, self.events, self.inbound)
    }

    /// Gives every call this long.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        self.changed(|settings| settings.deadline = deadline)
    }

    /// Retries failed pushes by this schedule.
    #[must_use]
    pub fn with_retry_schedule(self, schedule: RetrySchedule) -> Self {
        self.changed(|settings| settings.schedule = schedule)
    }

    /// Tracks what these rules say, from code or from a configuration file.
    #[must_use]
    pub fn with_rules(self, rules: TrackingRules) -> Self {
        self.changed(|settings| settings.rules = rules)
    }

    /// Tracks entities of this type in these sources: a local change touches them all, besides
    /// every other source that has a record of the entity.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), naming the part that is wrong.
    pub fn with_sources<S: TryInto<Source, Error: Into<Error>>>(
        self,
        entity_type: impl TryInto<EntityType, Error: Into<Error>>,
        sources: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let entity_type = entity_type.try_into().map_err(Into::into)?;
        let sources = sources.into_iter().map(|source| source.try_into().map_err(Into::into));
        let sources = sources.collect::<Result<_>>()?;
        Ok(self.changed(|settings| {
            settings.rules.types.entry(entity_type).or_default().sources = Some(sources);
        }))
    }

    /// The store, with the deadline and the retries of this tracker.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SyncStore> {
        &self.store
    }

    /// How failed pushes are retried.
    #[must_use]
    pub fn retry_schedule(&self) -> &RetrySchedule {
        &self.settings.schedule
    }

    /// Subscribes to what happens by this tracker and its clones from now on. What happens by other
    /// processes is not told.
    #[must_use]
    pub fn events(&self) -> Events {
        self.events.subscribe()
    }

    /// Tells a listener what happens by this tracker and its clones from now on, in a task of its
    /// own. It ends with the tracker, or when the handle is aborted.
    ///
    /// Needs a tokio runtime.
    ///
    /// ```
    /// # use sync_tracker_core::{EntityRef, Event, Tracker};
    /// # use sync_tracker_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tracker = Tracker::new(MemoryStore::new());
    /// tracker.listen(|event: &Event| {
    ///     if let Event::SyncFailed(record) = event {
    ///         eprintln!("{} failed", record.key);
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn listen(&self, listener: impl Listener) -> JoinHandle<()> {
        self.events().run(listener)
    }

    /// Carries one change out, and tells the event if it is in the record.
    async fn apply(
        &self,
        key: &Key,
        change: &Change,
        event: Option<Transition>,
    ) -> Result<Outcome> {
        let outcome = self.store.apply(key, change).await?;
        self.tell(&outcome, event);
        Ok(outcome)
    }

    /// Tells what an outcome means: the event itself, and a dead letter that it left behind. A
    /// refusal is logged, since it is easily overlooked.
    ///
    /// A change that a reply was lost of is told by the reply to its repeat; so it is told once as
    /// long as a change is not made again by a call of its own.
    fn tell(&self, outcome: &Outcome, event: Option<Transition>) {
        match outcome {
            Outcome::Applied(applied) => {
                let record = &applied.record;
                if let Some(event) = event {
                    self.events.tell(|| event.of(record));
                }
                if event == Some(Transition::SyncFailed) && record.status() == Status::DeadLetter {
                    self.events.tell(|| Transition::DeadLettered.of(record));
                }
            }
            Outcome::Refused(refused) => {
                tracing::debug!(reason = %refused.reason, "change refused");
            }
        }
    }
}

fn key_of(
    entity: impl IntoEntity,
    source: impl TryInto<Source, Error: Into<Error>>,
) -> Result<Key> {
    Ok(Key { source: source.try_into().map_err(Into::into)?, entity: entity.into_entity()? })
}
