//! What applications call.

mod bind;
mod claim;
mod local;
mod push;
mod synced;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use self::bind::BindExternalId;
pub use self::claim::{ClaimDue, ClaimedPushes};
pub use self::local::{LocalChange, SourceOutcome};
pub use self::push::{FailPush, Push, ReleasePush, RenewPush};
pub use self::synced::MarkSynced;

use crate::change::{Change, Outcome};
use crate::error::{Error, Result};
use crate::key::{EntityRef, EntityType, ExternalId, Key, Source};
use crate::layers::{DEFAULT_DEADLINE, Deadline, Retry};
use crate::record::SyncRecord;
use crate::rules::{self, RetrySchedule};
use crate::status::Status;
use crate::store::SyncStore;

/// The future that a call of the tracker becomes when it is awaited.
type Call<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

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
/// Every call ends within a deadline, [`DEFAULT_DEADLINE`] unless it was said otherwise, and is
/// tried up to three times while its error is retryable; see [`Deadline`] and [`Retry`]. Dropping
/// a call before it is done leaves each record as it was or wholly changed.
#[derive(Clone, Debug)]
pub struct Tracker {
    store: Arc<dyn SyncStore>,
    settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
struct Settings {
    /// The store as it was given, without layers.
    given: Arc<dyn SyncStore>,
    deadline: Duration,
    schedule: RetrySchedule,
    sources: BTreeMap<EntityType, BTreeSet<Source>>,
}

impl Tracker {
    /// A tracker over a store, with default settings.
    #[must_use]
    pub fn new(store: impl SyncStore) -> Self {
        let given: Arc<dyn SyncStore> = Arc::new(store);
        Self::with_settings(Settings {
            given,
            deadline: DEFAULT_DEADLINE,
            schedule: RetrySchedule::default(),
            sources: BTreeMap::new(),
        })
    }

    fn with_settings(settings: Settings) -> Self {
        let layered = Deadline::new(Retry::new(Arc::clone(&settings.given)), settings.deadline);
        Self { store: Arc::new(layered), settings: Arc::new(settings) }
    }

    fn changed(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings);
        change(&mut settings);
        Self::with_settings(settings)
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

    /// Tracks entities of this type in these sources: a local change touches them all, besides
    /// every other source that has a record of the entity.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), naming the part that is wrong.
    pub fn with_sources<T, S>(
        self,
        entity_type: T,
        sources: impl IntoIterator<Item = S>,
    ) -> Result<Self>
    where
        T: TryInto<EntityType, Error: Into<Error>>,
        S: TryInto<Source, Error: Into<Error>>,
    {
        let entity_type = entity_type.try_into().map_err(Into::into)?;
        let sources = sources.into_iter().map(|source| source.try_into().map_err(Into::into));
        let sources = sources.collect::<Result<BTreeSet<Source>>>()?;
        Ok(self.changed(|settings| {
            settings.sources.insert(entity_type, sources);
        }))
    }

    /// The store, with the deadline and the retries of this tracker.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SyncStore> {
        &self.store
    }

    /// The entity was created locally: in each of its sources it is to be created.
    ///
    /// See [`rules::created`] for what it means for each record.
    pub fn created<E>(&self, entity: E) -> LocalChange
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
    {
        LocalChange::new(self.clone(), entity, rules::created())
    }

    /// The entity was updated locally: in each of its sources it is to be pushed.
    ///
    /// See [`rules::updated`] for what it means for each record.
    pub fn updated<E>(&self, entity: E) -> LocalChange
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
    {
        LocalChange::new(self.clone(), entity, rules::updated())
    }

    /// The entity was deleted locally: in each of its sources it is to be deleted.
    ///
    /// See [`rules::deleted`] for what it means for each record.
    pub fn deleted<E>(&self, entity: E) -> LocalChange
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
    {
        LocalChange::new(self.clone(), entity, rules::deleted())
    }

    /// Asserts that the **current** state of the entity is in the source.
    ///
    /// For simple use, where nothing changes the entity while it is pushed; else claim it, and
    /// report the [`Push`]. What is not said is kept: external id, version, metadata.
    ///
    /// See [`rules::MarkSynced`].
    pub fn mark_synced<E, S>(&self, entity: E, source: S) -> MarkSynced
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
        S: TryInto<Source, Error: Into<Error>>,
    {
        MarkSynced::current(self.clone(), key_of(entity, source))
    }

    /// Binds an external id to the entity in the source.
    ///
    /// See [`rules::Bind`].
    pub fn bind<E, S, X>(&self, entity: E, source: S, external_id: X) -> BindExternalId
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
        S: TryInto<Source, Error: Into<Error>>,
        X: TryInto<ExternalId, Error: Into<Error>>,
    {
        let external_id = external_id.try_into().map_err(Into::into);
        BindExternalId::new(self.clone(), key_of(entity, source), external_id)
    }

    /// Claims due records of the source, to be pushed by the caller and nobody else.
    ///
    /// See [`SyncStore::claim`].
    pub fn claim<S>(&self, source: S) -> ClaimDue
    where
        S: TryInto<Source, Error: Into<Error>>,
    {
        ClaimDue::new(self.clone(), source.try_into().map_err(Into::into))
    }

    /// The record of the entity in the source.
    ///
    /// # Errors
    ///
    /// As the store's [`get`](SyncStore::get), or [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn record<E, S>(&self, entity: E, source: S) -> Result<Option<SyncRecord>>
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
        S: TryInto<Source, Error: Into<Error>>,
    {
        let key = key_of(entity, source);
        self.store.get(&key?).await
    }

    /// The records of the entity in all sources, ordered by source.
    ///
    /// # Errors
    ///
    /// As the store's [`records_of`](SyncStore::records_of), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn records_of<E>(&self, entity: E) -> Result<Vec<SyncRecord>>
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
    {
        let entity = entity.try_into().map_err(Into::into);
        self.store.records_of(&entity?).await
    }

    /// Where the entity stands in the source; `None` if it is not tracked there.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn status<E, S>(&self, entity: E, source: S) -> Result<Option<Status>>
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
        S: TryInto<Source, Error: Into<Error>>,
    {
        let key = key_of(entity, source);
        Ok(self.store.get(&key?).await?.map(|record| record.status()))
    }

    /// Whether the current state of the entity is in the source.
    ///
    /// Not whether it ever was: for that, [`SyncRecord::was_ever_synced`].
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn is_synced<E, S>(&self, entity: E, source: S) -> Result<bool>
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
        S: TryInto<Source, Error: Into<Error>>,
    {
        Ok(self.status(entity, source).await? == Some(Status::Synced))
    }

    /// The record of the source and entity type with this external id, as its own or as an alias.
    ///
    /// # Errors
    ///
    /// As the store's [`by_external_id`](SyncStore::by_external_id), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn by_external_id<S, T, X>(
        &self,
        source: S,
        entity_type: T,
        external_id: X,
    ) -> Result<Option<SyncRecord>>
    where
        S: TryInto<Source, Error: Into<Error>>,
        T: TryInto<EntityType, Error: Into<Error>>,
        X: TryInto<ExternalId, Error: Into<Error>>,
    {
        let source = source.try_into().map_err(Into::into);
        let entity_type = entity_type.try_into().map_err(Into::into);
        let external_id = external_id.try_into().map_err(Into::into);
        self.store.by_external_id(&source?, &entity_type?, &external_id?).await
    }

    /// Carries one change out. A refusal is logged: it is an answer, and easily overlooked.
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let outcome = self.store.apply(key, change).await?;
        if let Some(reason) = outcome.refusal() {
            tracing::debug!(%key, %reason, "change refused");
        }
        Ok(outcome)
    }
}

fn key_of<E, S>(entity: E, source: S) -> Result<Key>
where
    E: TryInto<EntityRef, Error: Into<Error>>,
    S: TryInto<Source, Error: Into<Error>>,
{
    Ok(Key {
        source: source.try_into().map_err(Into::into)?,
        entity: entity.try_into().map_err(Into::into)?,
    })
}
