//! The store: every partition, behind one lock.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, Discrepancy, Durability, EntityRef, EntityType,
    ExternalId, Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause, PauseRequest,
    Refusal, Removal, Renamed, Result, Source, Statistics, StoreClock, Survival, SyncRecord,
    SyncStore, Timestamp,
};

use crate::checkpoints::Streams;
use crate::inbox::Entries;
use crate::partition::Partition;

/// A store in memory, with an inbox and checkpoints besides the records. Clones share all of them.
///
/// Every call is one step under one lock, and never waits for anything else.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    ledger: Arc<RwLock<Partitions>>,
    pub(crate) inbox: Arc<Mutex<Entries>>,
    pub(crate) checkpoints: Arc<Mutex<Streams>>,
    clock: StoreClock,
}

#[derive(Debug, Default)]
struct Partitions {
    by_source: BTreeMap<Source, Partition>,
    /// The sources of each entity, in order.
    sources_of: HashMap<EntityRef, Vec<Source>>,
}

impl MemoryStore {
    /// An empty store, which decides by this machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store, which decides by the given clock.
    ///
    /// ```
    /// use sync_tracker_core::{ManualClock, StoreClock, Timestamp};
    /// use sync_tracker_memory::MemoryStore;
    ///
    /// let clock = ManualClock::new(Timestamp::from_millis(1_000_000)?)?;
    /// let store = MemoryStore::with_clock(StoreClock::Manual(clock.clone()));
    /// # Ok::<(), sync_tracker_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_clock(clock: StoreClock) -> Self {
        Self { clock, ..Self::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.explicit_now().unwrap_or_else(Timestamp::now)
    }

    // A panic under the lock leaves records and indexes as they were: each new record is complete
    // before the first index is touched, and what follows does not panic.
    fn read(&self) -> RwLockReadGuard<'_, Partitions> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Partitions> {
        self.ledger.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Partitions {
    fn get(&self, key: &Key) -> Option<&SyncRecord> {
        self.by_source.get(&key.source)?.get(&key.entity)
    }

    /// The partition of a source, which is made if there is none.
    fn partition(&mut self, source: &Source) -> &mut Partition {
        self.by_source.entry(source.clone()).or_insert_with_key(|it| Partition::new(it.clone()))
    }

    /// Carries out a write to one record, and keeps the index by entity.
    fn write<T>(&mut self, key: &Key, write: impl FnOnce(&mut Partition) -> T) -> T {
        let partition = self.partition(&key.source);
        let before = partition.len();
        let answer = write(partition);
        match partition.len().cmp(&before) {
            Ordering::Greater => self.remember(key),
            Ordering::Less => self.forget(key),
            Ordering::Equal => {}
        }
        answer
    }

    /// Moves a record, maybe to another partition.
    fn rename(&mut self, from: &Key, to: &Key, now: Timestamp) -> Renamed {
        let Some(record) = self.get(from).cloned() else {
            return Renamed::Absent;
        };
        if from == to {
            return Renamed::Moved;
        }
        let anything = Guard::default();
        if let Some(refusal) = record.rename_refusal(now) {
            return Renamed::Refused(refusal);
        }
        if self.get(to).is_some() {
            return Renamed::Refused(Refusal::AlreadyExists);
        }
        // The old record goes first, so that its ids are free; it comes back if they are taken.
        let _ = self.write(from, |partition| partition.remove(&from.entity, &anything, now));
        let moved = record.renamed(to);
        match self.write(to, |partition| partition.put(&moved)) {
            Imported::Stored => Renamed::Moved,
            Imported::Refused(refusal) => {
                let _ = self.write(from, |partition| partition.put(&record));
                Renamed::Refused(refusal)
            }
        }
    }

    fn remember(&mut self, key: &Key) {
        // The texts that are stored already.
        let stored = self.get(key).map_or_else(|| key.clone(), |record| record.key.clone());
        let sources = self.sources_of.entry(stored.entity);
        let sources = sources.or_insert_with(|| Vec::with_capacity(1));
        if let Err(at) = sources.binary_search(&stored.source) {
            sources.insert(at, stored.source);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(sources) = self.sources_of.get_mut(&key.entity) {
            sources.retain(|source| *source != key.source);
            if sources.is_empty() {
                self.sources_of.remove(&key.entity);
            }
        }
    }

    fn list(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
        now: Timestamp,
    ) -> Page {
        let from = after.map_or(Bound::Unbounded, |cursor| match cursor.key() {
            Some(key) => Bound::Included(&key.source),
            None => Bound::Excluded(cursor.source()),
        });
        let key = after.and_then(Cursor::key);
        let records = self
            .by_source
            .range::<Source, _>((from, Bound::Unbounded))
            .filter(|(source, _)| filter.source.as_ref().is_none_or(|only| only == *source))
            .flat_map(|(source, partition)| {
                let entity = key.filter(|key| key.source == *source).map(|key| &key.entity);
                partition.walk(filter, entity, now)
            });
        Page::of(records.cloned(), size)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SyncStore for MemoryStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let mut ledger = self.write();
        let now = self.now();
        Ok(ledger.write(key, |partition| partition.apply(key, change, now)))
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        Ok(self.read().get(key).cloned())
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        let ledger = self.read();
        let partition = ledger.by_source.get(source);
        Ok(partition.and_then(|partition| partition.by_external_id(entity_type, id)).cloned())
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        let ledger = self.read();
        Ok(ledger.list(filter, after, size, self.now()))
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        record.validate()?;
        Ok(self.write().write(&record.key, |partition| partition.put(record)))
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let mut ledger = self.write();
        let now = self.now();
        Ok(ledger.write(key, |partition| partition.remove(&key.entity, guard, now)))
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let mut ledger = self.write();
        let now = self.now();
        Ok(ledger.rename(from, to, now))
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let mut ledger = self.write();
        let now = self.now();
        let mut apply = |key: &Key, change: &Change| {
            ledger.write(key, |partition| partition.apply(key, change, now))
        };
        items.iter().map(|(key, change)| Ok(apply(key, change))).collect()
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        let ledger = self.read();
        Ok(keys.iter().map(|key| ledger.get(key).cloned()).collect())
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        let mut ledger = self.write();
        let now = self.now();
        let partition = ledger.by_source.get_mut(request.source());
        Ok(partition.map(|partition| partition.claim(request, now)).unwrap_or_default())
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let ledger = self.read();
        let partition = ledger.by_source.get(source);
        let find = |id| partition?.by_external_id(entity_type, id).cloned();
        Ok(ids.iter().map(find).collect())
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        let mut ledger = self.write();
        let pause = Pause::begin(request, self.now());
        ledger.partition(source).pause(Some(pause));
        Ok(())
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        if let Some(partition) = self.write().by_source.get_mut(source) {
            partition.pause(None);
        }
        Ok(())
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        let ledger = self.read();
        let now = self.now();
        let partition = ledger.by_source.get(source);
        Ok(partition.and_then(|partition| partition.paused(now)).cloned())
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.now())
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        let ledger = self.read();
        let now = self.now();
        let partition = ledger.by_source.get(source);
        Ok(partition.map_or_else(|| Statistics::new(now), |partition| partition.statistics(now)))
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        Ok(self.read().by_source.keys().cloned().collect())
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        let ledger = self.read();
        let sources = ledger.sources_of.get(entity).into_iter().flatten();
        let records = sources.filter_map(|source| ledger.get(&entity.in_source(source)));
        Ok(records.cloned().collect())
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        sync_tracker_core::verify(self).await
    }

    async fn durability(&self) -> Result<Durability> {
        let lost = Survival::MayBeLost;
        Ok(Durability { process_crash: lost, power_loss: lost, failover: lost })
    }
}
