//! Verifying a store while time passes.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use async_trait::async_trait;
use sync_tracker_core::{
    Change, Cursor, EntityRef, EntityType, ExternalId, FailureNote, Filter, Guard, Imported, Key,
    ManualClock, Millis, Outcome, Page, PageSize, Removal, Result, Source, StoreClock, SyncRecord,
    SyncStore, Timestamp, Tracker,
};
use sync_tracker_memory::MemoryStore;

/// A store that takes a second for every list.
#[derive(Clone, Debug)]
struct Slow(MemoryStore, ManualClock);

#[async_trait]
impl SyncStore for Slow {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        self.0.apply(key, change).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        self.0.get(key).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        self.0.by_external_id(source, entity_type, id).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        self.1.advance(Millis::try_from(Duration::from_secs(1))?);
        self.0.list(filter, after, size).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.0.put(record).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        self.0.remove(key, guard).await
    }
}

#[tokio::test]
async fn what_becomes_due_while_a_store_is_verified_is_no_discrepancy() {
    let clock = ManualClock::new(Timestamp::from_millis(1_700_000_000_000).unwrap()).unwrap();
    let memory = MemoryStore::with_clock(StoreClock::Manual(clock.clone()));
    let store = Slow(memory, clock);
    let tracker = Tracker::new(store.clone());
    for second in 1..60_u64 {
        let entity = EntityRef::new("product", second).unwrap();
        let failed = tracker.mark_failed(&entity, "shop", FailureNote::transient("busy"));
        let failed = failed.retry_after(Duration::from_secs(second)).await.unwrap();
        assert!(failed.is_applied());
    }
    assert_eq!(store.verify().await.unwrap(), []);
}
