//! What a store is.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::change::{Change, Guard, Outcome};
use crate::claim::{ClaimRequest, Claimed, claim_order};
use crate::durability::Durability;
use crate::error::Result;
use crate::key::{EntityRef, EntityType, ExternalId, Key, Source};
use crate::ledger::{Imported, Removal};
use crate::page::{Cursor, Filter, Page, PageSize};
use crate::pause::{self, Pause, PauseRequest};
use crate::record::SyncRecord;
use crate::rename::{Renamed, rename_by_stashing};
use crate::statistics::Statistics;
use crate::time::Timestamp;
use crate::verify::{Discrepancy, verify};

/// Where records live.
///
/// While this trait looks large, an implementation needs six methods, and one of them writes all
/// that rules have to say: [`apply`](Self::apply). A store has no rules of its own.
/// [`Change::settle`] tells what a change means, and [`Ledger`](crate::Ledger) what each operation
/// does among all records; a store that works under a lock may simply call them. Every other
/// method is correct by default on any such store, and there to be overridden where one round trip
/// can do its work.
///
/// # To be correct
///
/// - Keys and external ids are compared, and keys ordered, byte by byte.
/// - Time is the store's: read where the decision is made, or the explicit clock that the store
///   was opened with. The clocks of callers never count.
/// - A record comes back as it was written: every field, every number, every byte.
/// - Dropping a future leaves each record as it was or wholly changed, and the store usable.
/// - An error of kind [`Unavailable`](crate::ErrorKind::Unavailable) or
///   [`Invalid`](crate::ErrorKind::Invalid) means that nothing was done. If that is not certain,
///   the kind is [`Unknown`](crate::ErrorKind::Unknown).
#[async_trait]
pub trait SyncStore: Debug + Send + Sync + 'static {
    /// Applies a change to the record of `key`.
    ///
    /// # To be correct
    ///
    /// - Reading the record, judging the guards, deciding who holds an external id and writing are
    ///   one step that no other call comes between.
    /// - The outcome equals [`Change::settle`] for the record and the holders at that step.
    /// - A change that is among the record's recent ones has no effect, and answers `Applied` with
    ///   the record as it stands.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, the change may or may not be applied. Repeat the same one.
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome>;

    /// The record of a key.
    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>>;

    /// The record of this source and entity type with this external id, as its own or as an alias.
    ///
    /// # To be correct
    ///
    /// Of several, the one that [`first_found`](crate::first_found) picks: the holder, then
    /// tombstones.
    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>>;

    /// A page of the records that pass `filter`, ordered by key, after a cursor.
    ///
    /// # To be correct
    ///
    /// - A record that passes all the while is on exactly one page of a walk, whatever else is
    ///   written meanwhile.
    /// - `next` is `None` only if no further record passed.
    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page>;

    /// Stores a whole record as it is, in place of the one there: for imports.
    ///
    /// # To be correct
    ///
    /// - What [`SyncRecord::validate`] refuses is an error of kind
    ///   [`Invalid`](crate::ErrorKind::Invalid).
    /// - An external id that another record holds refuses it.
    async fn put(&self, record: &SyncRecord) -> Result<Imported>;

    /// Removes the record of `key` if the guard holds. Removing what is absent changes nothing.
    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal>;

    /// Moves the record of one key to another, which must have none: the id of an entity changed, or
    /// the name of a source. Whatever it carries comes along.
    ///
    /// Refused while a worker holds the record or a create of it is in doubt, since the idempotency
    /// key contains the key. The default is several calls, of which a crash loses nothing and a
    /// repeat completes what was cut off; until then the record waits, dismissed, under the new key.
    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        rename_by_stashing(self, from, to).await
    }

    /// Applies many changes, each on its own: one outcome per item, in the order of the items. The
    /// same key twice is changed in that order. Items of other keys may come one before the other: of
    /// one that lets an external id go and one that takes it, either may be first.
    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let mut outcomes = Vec::with_capacity(items.len());
        for (key, change) in items {
            outcomes.push(self.apply(key, change).await);
        }
        outcomes
    }

    /// The records of many keys, in the order of the keys.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        let mut records = Vec::with_capacity(keys.len());
        for key in keys {
            records.push(self.get(key).await?);
        }
        Ok(records)
    }

    /// The records of this source and entity type with these external ids, in the order of the ids;
    /// each as [`by_external_id`](Self::by_external_id) finds it.
    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            records.push(self.by_external_id(source, entity_type, id).await?);
        }
        Ok(records)
    }

    /// Claims due records of one source: each goes to one claim only, the one due longest first.
    ///
    /// Repeated with the same request after a lost reply, it returns what that call was granted,
    /// as far as the leases still run, before it takes more.
    ///
    /// # To be correct
    ///
    /// - What is taken is what [`ClaimRequest::select`] selects. It may be less, where another call
    ///   takes records at the same time, or where leases that ran out stand before other records;
    ///   but not nothing while something is due and nobody else claims.
    /// - What becomes of each is [`ClaimRequest::claim_to`].
    /// - While the source is [paused](Self::pause), nothing more is taken.
    ///
    /// The default reads every due record and applies one change at a time.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        let mut granted = all(self, &request.granted()).await?;
        let mut due = all(self, &request.due()).await?;
        granted.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
        due.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
        granted.truncate(request.limit());
        if self.paused(request.source()).await?.is_some() {
            due.clear();
        }
        let change = request.change();
        let mut claimed = Claimed::default();
        let selected = request.select(granted.len(), &due);
        granted.into_iter().for_each(|record| claimed.push(record));
        for candidate in selected {
            let outcome = self.apply(&candidate.key, &change).await?;
            if let Outcome::Applied(applied) = outcome
                && !applied.replayed
            {
                claimed.push(applied.record);
            }
        }
        Ok(claimed)
    }

    /// Pauses a source: until it is over or [resumed](Self::resume), no claim on any worker takes
    /// its records. A pause that lasts is replaced. Leases that were granted run on.
    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        pause::pause(self, source, request).await
    }

    /// Ends the pause of a source. Resuming what is not paused changes nothing.
    async fn resume(&self, source: &Source) -> Result<()> {
        pause::resume(self, source).await
    }

    /// The pause of a source, if it lasts by the store's clock.
    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        pause::paused(self, source).await
    }

    /// The time that this store decides by. The default is this machine's: a store with a server,
    /// or one that was opened with an explicit clock, overrides it.
    async fn now(&self) -> Result<Timestamp> {
        Ok(Timestamp::now())
    }

    /// How a source is doing: counts, what is due, what waits.
    ///
    /// The default reads all of its records.
    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        let filter = Filter { source: Some(source.clone()), ..Filter::default() };
        let mut statistics = Statistics::new(self.now().await?);
        all(self, &filter).await?.iter().for_each(|record| statistics.add(record));
        Ok(statistics)
    }

    /// The sources that have records, in order. A source whose last record was removed may still
    /// be among them; one that has a record is never missing.
    async fn sources(&self) -> Result<Vec<Source>> {
        let mut sources: Vec<Source> = Vec::new();
        loop {
            let after = sources.last().map(Cursor::after_source);
            let page = self.list(&Filter::default(), after.as_ref(), PageSize::ONE).await?;
            match page.records.into_iter().next() {
                Some(first) => sources.push(first.key.source),
                None => return Ok(sources),
            }
        }
    }

    /// The records of one entity in all sources, ordered by source.
    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        let sources = self.sources().await?;
        let keys: Vec<_> = sources.iter().map(|source| entity.in_source(source)).collect();
        Ok(self.get_many(&keys).await?.into_iter().flatten().collect())
    }

    /// Compares every index with the records themselves, and says where they differ. An answer is
    /// exact only while nobody writes. Reads everything.
    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        verify(self).await
    }

    /// What becomes of acknowledged writes when something breaks.
    async fn durability(&self) -> Result<Durability> {
        Ok(Durability::default())
    }
}

/// Every record that passes a filter, ordered by key.
pub(crate) async fn all<S: SyncStore + ?Sized>(
    store: &S,
    filter: &Filter,
) -> Result<Vec<SyncRecord>> {
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(filter, after.as_ref(), PageSize::MAX).await?;
        records.extend(page.records);
        after = page.next;
        if after.is_none() {
            return Ok(records);
        }
    }
}

macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<S: SyncStore + ?Sized> SyncStore for $pointer<S> {
            async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
                (**self).apply(key, change).await
            }

            async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
                (**self).get(key).await
            }

            async fn by_external_id(
                &self,
                source: &Source,
                entity_type: &EntityType,
                id: &ExternalId,
            ) -> Result<Option<SyncRecord>> {
                (**self).by_external_id(source, entity_type, id).await
            }

            async fn list(
                &self,
                filter: &Filter,
                after: Option<&Cursor>,
                size: PageSize,
            ) -> Result<Page> {
                (**self).list(filter, after, size).await
            }

            async fn put(&self, record: &SyncRecord) -> Result<Imported> {
                (**self).put(record).await
            }

            async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
                (**self).remove(key, guard).await
            }

            async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
                (**self).rename(from, to).await
            }

            async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
                (**self).apply_many(items).await
            }

            async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
                (**self).get_many(keys).await
            }

            async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
                (**self).claim(request).await
            }

            async fn by_external_ids(
                &self,
                source: &Source,
                entity_type: &EntityType,
                ids: &[ExternalId],
            ) -> Result<Vec<Option<SyncRecord>>> {
                (**self).by_external_ids(source, entity_type, ids).await
            }

            async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
                (**self).pause(source, request).await
            }

            async fn resume(&self, source: &Source) -> Result<()> {
                (**self).resume(source).await
            }

            async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
                (**self).paused(source).await
            }

            async fn now(&self) -> Result<Timestamp> {
                (**self).now().await
            }

            async fn statistics(&self, source: &Source) -> Result<Statistics> {
                (**self).statistics(source).await
            }

            async fn sources(&self) -> Result<Vec<Source>> {
                (**self).sources().await
            }

            async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
                (**self).records_of(entity).await
            }

            async fn verify(&self) -> Result<Vec<Discrepancy>> {
                (**self).verify().await
            }

            async fn durability(&self) -> Result<Durability> {
                (**self).durability().await
            }
        }
    };
}
forward!(Arc);
forward!(Box);

/// A store that also changes records within a transaction of the caller's own, so that what the
/// application writes and what the ledger keeps commit together or not at all.
///
/// Applications reach it by the calls of a [`Tracker`](crate::Tracker): `within(&store, &mut
/// transaction)`.
///
/// # To be correct
///
/// - Nobody outside sees a change before the commit, and a rollback leaves no trace of it.
/// - A refusal leaves the transaction usable: also of an external id that is taken.
/// - After an error nothing of the call is in the transaction.
/// - Two transactions that change one record come one after the other: the later one waits, or is
///   told [`Unavailable`](crate::ErrorKind::Unavailable) and may be begun anew.
/// - Dropping a future is as with a [`SyncStore`]: what is then in the transaction is whole or not
///   there.
pub trait TransactionalStore: SyncStore {
    /// A transaction of the database's driver.
    type Transaction<'t>: Send;

    /// Applies a change, as [`SyncStore::apply`].
    fn apply_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        key: &Key,
        change: &Change,
    ) -> impl Future<Output = Result<Outcome>> + Send;

    /// The records of one entity as the transaction sees them, as [`SyncStore::records_of`].
    fn records_of_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        entity: &EntityRef,
    ) -> impl Future<Output = Result<Vec<SyncRecord>>> + Send;
}
