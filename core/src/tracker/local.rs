//! Local changes, over all sources of the entity.

use std::collections::BTreeMap;
use std::future::IntoFuture;

use super::{Call, Tracker, Unpublished};
use crate::change::{Change, Outcome, Refusal, Refused};
use crate::entity::IntoEntity;
use crate::error::Result;
use crate::events::Transition;
use crate::key::{EntityRef, Key, Source};
use crate::record::SyncRecord;
use crate::rules;
use crate::store::TransactionalStore;
use crate::tracking::Tracked;

/// What became of a local change in one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOutcome {
    /// The source.
    pub source: Source,
    /// What became of it. [`Ignored`](Refusal::Ignored) if the rules do not track such changes.
    pub outcome: Outcome,
}

/// The kinds of local changes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Created,
    Updated,
    Deleted,
    Restored,
}

impl Kind {
    fn change(self) -> Change {
        match self {
            Self::Created => rules::created(),
            Self::Updated => rules::updated(),
            Self::Deleted => rules::deleted(),
            Self::Restored => rules::restored(),
        }
    }

    fn is_tracked(self, tracked: &Tracked) -> bool {
        match self {
            Self::Created => tracked.created,
            Self::Updated => tracked.updated,
            Self::Deleted | Self::Restored => tracked.deleted,
        }
    }

    fn event(self) -> Transition {
        match self {
            Self::Created => Transition::Created,
            Self::Updated => Transition::Updated,
            Self::Deleted => Transition::Deleted,
            Self::Restored => Transition::Restored,
        }
    }
}

/// What a local change has to do.
enum Plan {
    /// Nothing: such changes are not tracked.
    Ignore(Vec<SourceOutcome>),
    Change(Vec<(Key, Change)>),
}

impl Tracker {
    /// The entity was created locally: in each of its sources it is to be created.
    ///
    /// See [`rules::created`] for what it means for each record.
    pub fn created(&self, entity: impl IntoEntity) -> LocalChange {
        LocalChange::new(self, entity, Kind::Created)
    }

    /// The entity was updated locally: in each of its sources it is to be pushed.
    ///
    /// See [`rules::updated`] for what it means for each record.
    pub fn updated(&self, entity: impl IntoEntity) -> LocalChange {
        LocalChange::new(self, entity, Kind::Updated)
    }

    /// The entity was deleted locally: in each of its sources it is to be deleted.
    ///
    /// See [`rules::deleted`] for what it means for each record.
    pub fn deleted(&self, entity: impl IntoEntity) -> LocalChange {
        LocalChange::new(self, entity, Kind::Deleted)
    }

    /// The entity was restored locally after it had been deleted.
    ///
    /// See [`rules::restored`] for what it means for each record.
    pub fn restored(&self, entity: impl IntoEntity) -> LocalChange {
        LocalChange::new(self, entity, Kind::Restored)
    }

    /// Many entities were [created](Self::created).
    pub fn created_many<E: IntoEntity>(&self, all: impl IntoIterator<Item = E>) -> LocalChanges {
        LocalChanges::new(self, all, Kind::Created)
    }

    /// Many entities were [updated](Self::updated).
    pub fn updated_many<E: IntoEntity>(&self, all: impl IntoIterator<Item = E>) -> LocalChanges {
        LocalChanges::new(self, all, Kind::Updated)
    }

    /// Many entities were [deleted](Self::deleted).
    pub fn deleted_many<E: IntoEntity>(&self, all: impl IntoIterator<Item = E>) -> LocalChanges {
        LocalChanges::new(self, all, Kind::Deleted)
    }

    /// Many entities were [restored](Self::restored).
    pub fn restored_many<E: IntoEntity>(&self, all: impl IntoIterator<Item = E>) -> LocalChanges {
        LocalChanges::new(self, all, Kind::Restored)
    }

    /// What a local change has to do, given the records of the entity.
    fn plan(&self, entity: &EntityRef, kind: Kind, records: Vec<SyncRecord>) -> Plan {
        let tracked = self.settings.rules.of(&entity.entity_type);
        let mut sources: BTreeMap<Source, Option<SyncRecord>> =
            tracked.sources.iter().map(|source| (source.clone(), None)).collect();
        let with_records = records.into_iter();
        sources.extend(with_records.map(|record| (record.key.source.clone(), Some(record))));
        if !kind.is_tracked(&tracked) {
            let ignored = |record| Outcome::Refused(Refused { reason: Refusal::Ignored, record });
            let sources = sources.into_iter();
            let outcomes =
                sources.map(|(source, record)| SourceOutcome { source, outcome: ignored(record) });
            return Plan::Ignore(outcomes.collect());
        }
        let change = kind.change();
        let keys = sources.keys().map(|source| entity.in_source(source));
        Plan::Change(keys.map(|key| (key, change.clone())).collect())
    }

    async fn change_locally(&self, entity: EntityRef, kind: Kind) -> Result<Vec<SourceOutcome>> {
        let records = self.store.records_of(&entity).await?;
        let items = match self.plan(&entity, kind, records) {
            Plan::Ignore(outcomes) => return Ok(outcomes),
            Plan::Change(items) => items,
        };
        let outcomes = self.store.apply_many(&items).await;
        // What was done is told even if another source failed.
        outcomes.iter().flatten().for_each(|outcome| self.tell(outcome, Some(kind.event())));
        items
            .into_iter()
            .zip(outcomes)
            .map(|((key, _), outcome)| {
                let outcome = outcome.map_err(|error| error.for_key(&key))?;
                Ok(SourceOutcome { source: key.source, outcome })
            })
            .collect()
    }
}

/// A local change to be carried out.
///
/// It touches every source that its type is configured for, and every source that has a record of
/// the entity. Each record is changed on its own, and the answer has one outcome per source,
/// ordered by source; none if there is no source.
///
/// # Errors
///
/// If a source could not be changed, the whole call is an error, with the key of the first such
/// record, and others may have been changed. Make the call again: it completes what was cut off.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct LocalChange {
    tracker: Tracker,
    entity: Result<EntityRef>,
    kind: Kind,
}

impl LocalChange {
    fn new(tracker: &Tracker, entity: impl IntoEntity, kind: Kind) -> Self {
        Self { tracker: tracker.clone(), entity: entity.into_entity(), kind }
    }

    /// Makes this call within a transaction of your own, on the store that the tracker is over: the
    /// change of the entity, and that it is to be pushed, are committed together or not at all.
    ///
    /// Neither the deadline nor the retries of the tracker apply. After an error, roll back and
    /// begin anew.
    ///
    /// # Errors
    ///
    /// Those of [`TransactionalStore::apply_in`]. Some sources may be changed in the transaction
    /// then.
    pub async fn within<S: TransactionalStore>(
        self,
        store: &S,
        transaction: &mut S::Transaction<'_>,
    ) -> Result<Unpublished<Vec<SourceOutcome>>> {
        let Self { tracker, entity, kind } = self;
        let entity = entity?;
        let records = store.records_of_in(transaction, &entity).await?;
        let items = match tracker.plan(&entity, kind, records) {
            Plan::Ignore(outcomes) => return Ok(Unpublished::of_sources(tracker, outcomes, None)),
            Plan::Change(items) => items,
        };
        let mut outcomes = Vec::with_capacity(items.len());
        for (key, change) in items {
            let outcome = store.apply_in(transaction, &key, &change).await;
            let outcome = outcome.map_err(|error| error.for_key(&key))?;
            outcomes.push(SourceOutcome { source: key.source, outcome });
        }
        Ok(Unpublished::of_sources(tracker, outcomes, Some(kind.event())))
    }
}

impl IntoFuture for LocalChange {
    type Output = Result<Vec<SourceOutcome>>;
    type IntoFuture = Call<'static, Vec<SourceOutcome>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { tracker, entity, kind } = self;
        Box::pin(async move { tracker.change_locally(entity?, kind).await })
    }
}

/// Local changes of many entities to be carried out, one after the other.
///
/// The answer has one result per entity, in their order, each as that of a [`LocalChange`]: one
/// that fails does not keep the others from being changed.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct LocalChanges {
    tracker: Tracker,
    entities: Vec<Result<EntityRef>>,
    kind: Kind,
}

impl LocalChanges {
    fn new<E: IntoEntity>(
        tracker: &Tracker,
        entities: impl IntoIterator<Item = E>,
        kind: Kind,
    ) -> Self {
        let entities = entities.into_iter().map(IntoEntity::into_entity).collect();
        Self { tracker: tracker.clone(), entities, kind }
    }
}

impl IntoFuture for LocalChanges {
    type Output = Vec<Result<Vec<SourceOutcome>>>;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { tracker, entities, kind } = self;
        Box::pin(async move {
            let mut results = Vec::with_capacity(entities.len());
            for entity in entities {
                results.push(match entity {
                    Ok(entity) => tracker.change_locally(entity, kind).await,
                    Err(error) => Err(error),
                });
            }
            results
        })
    }
}
