//! The reference ledger passes the suite itself, with each of its own operations.

#![allow(clippy::unwrap_used)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sync_tracker_conformance::Setup;
use sync_tracker_core::{
    Arm, Change, ClaimRequest, Claimed, Cursor, EntityRef, EntityType, ExternalId, Filter, Guard,
    Imported, Key, Ledger, Outcome, Page, PageSize, Pause, PauseRequest, Removal, Renamed, Result,
    Source, Statistics, StoreClock, SyncRecord, SyncStore, Timestamp,
};

#[derive(Debug)]
struct LedgerStore {
    ledger: Mutex<Ledger>,
    clock: StoreClock,
}

impl LedgerStore {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.explicit_now().unwrap_or_else(Timestamp::now)
    }
}

#[async_trait]
impl SyncStore for LedgerStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        Ok(self.ledger().apply(key, change, self.now()))
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        Ok(self.ledger().get(key).cloned())
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        Ok(self.ledger().by_external_id(source, entity_type, id).cloned())
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        Ok(self.ledger().list(filter, after, size, self.now()))
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.ledger().put(record)
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        Ok(self.ledger().remove(key, guard, self.now()))
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        Ok(self.ledger().rename(from, to, self.now()))
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        Ok(self.ledger().claim(request, self.now()))
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        self.ledger().pause(source, request, self.now());
        Ok(())
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        self.ledger().resume(source);
        Ok(())
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        Ok(self.ledger().paused(source, self.now()).cloned())
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.now())
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        Ok(self.ledger().statistics(source, self.now()))
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        Ok(self.ledger().sources())
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        Ok(self.ledger().records_of(entity))
    }
}

async fn store(setup: Setup) -> LedgerStore {
    LedgerStore { ledger: Mutex::default(), clock: setup.clock }
}

sync_tracker_conformance::suite!(store);

#[test]
fn a_restored_record_is_there_and_what_is_restored_to_nothing_is_gone() {
    let key = Key::new("shop", "product", 1).unwrap();
    let change = Change::new([Arm::default()]).unwrap();
    let record = change.apply_to(&key, None, Timestamp::now()).record().cloned();
    let mut ledger = Ledger::default();
    ledger.restore(&key, record.clone());
    assert_eq!(ledger.get(&key), record.as_ref());
    ledger.restore(&key, None);
    assert_eq!(ledger.get(&key), None);
}
