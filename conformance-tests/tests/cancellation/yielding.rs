//! Stores that can be dropped before and after each call of the store that they are around.

use std::future::Future;

use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, Discrepancy, Durability, EntityRef, EntityType,
    ExternalId, Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause, PauseRequest,
    Removal, Renamed, Result, Source, Statistics, SyncRecord, SyncStore, Timestamp,
};
use tokio::task::yield_now;

async fn around<F: Future>(call: F) -> F::Output {
    yield_now().await;
    let answer = call.await;
    yield_now().await;
    answer
}

/// Yields around the methods that a store must bring; the others are the defaults.
#[derive(Debug)]
pub(crate) struct Yielding<S>(pub(crate) S);

#[async_trait::async_trait]
impl<S: SyncStore> SyncStore for Yielding<S> {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        around(self.0.apply(key, change)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        around(self.0.get(key)).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        around(self.0.by_external_id(source, entity_type, id)).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        around(self.0.list(filter, after, size)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        around(self.0.put(record)).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        around(self.0.remove(key, guard)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        around(self.0.now()).await
    }
}

/// Yields around every method.
#[derive(Debug)]
pub(crate) struct Whole<S>(pub(crate) S);

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: SyncStore> SyncStore for Whole<S> {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        around(self.0.apply(key, change)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        around(self.0.get(key)).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        around(self.0.by_external_id(source, entity_type, id)).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        around(self.0.list(filter, after, size)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        around(self.0.put(record)).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        around(self.0.remove(key, guard)).await
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        around(self.0.rename(from, to)).await
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        around(self.0.apply_many(items)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        around(self.0.get_many(keys)).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        around(self.0.claim(request)).await
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        around(self.0.by_external_ids(source, entity_type, ids)).await
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        around(self.0.pause(source, request)).await
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        around(self.0.resume(source)).await
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        around(self.0.paused(source)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        around(self.0.now()).await
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        around(self.0.statistics(source)).await
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        around(self.0.sources()).await
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        around(self.0.records_of(entity)).await
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        around(self.0.verify()).await
    }

    async fn durability(&self) -> Result<Durability> {
        around(self.0.durability()).await
    }
}
