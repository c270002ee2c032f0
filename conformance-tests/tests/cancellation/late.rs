//! A store that carries out what it was asked for also if the caller is gone, as servers do.

use std::future::Future;
use std::sync::Arc;

use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, EntityRef, EntityType, Error, ErrorKind, ExternalId,
    Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause, PauseRequest, Removal, Renamed,
    Result, Source, Statistics, SyncRecord, SyncStore, Timestamp,
};
use tokio::task::yield_now;

/// Hands each write to a task of its own, which gets to it a little later.
#[derive(Debug)]
pub(crate) struct Late<S>(pub(crate) Arc<S>);

impl<S: SyncStore> Late<S> {
    async fn late<T, F>(&self, call: impl FnOnce(Arc<S>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let call = call(Arc::clone(&self.0));
        let task = tokio::spawn(async move {
            for _ in 0..20 {
                yield_now().await;
            }
            call.await
        });
        task.await.map_err(|error| Error::new(ErrorKind::Unknown, "it panicked").caused_by(error))
    }
}

#[async_trait::async_trait]
impl<S: SyncStore> SyncStore for Late<S> {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let (key, change) = (key.clone(), change.clone());
        self.late(|store| async move { store.apply(&key, &change).await }).await?
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let given = items.to_vec();
        let outcomes = self.late(|store| async move {
            let mut outcomes = Vec::new();
            for (key, change) in &given {
                yield_now().await;
                outcomes.push(store.apply(key, change).await);
            }
            outcomes
        });
        outcomes.await.unwrap_or_else(|error| vec![Err(error)])
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        let record = record.clone();
        self.late(|store| async move { store.put(&record).await }).await?
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let (key, guard) = (key.clone(), guard.clone());
        self.late(|store| async move { store.remove(&key, &guard).await }).await?
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let (from, to) = (from.clone(), to.clone());
        self.late(|store| async move { store.rename(&from, &to).await }).await?
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        let request = request.clone();
        self.late(|store| async move { store.claim(&request).await }).await?
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        let (source, request) = (source.clone(), request.clone());
        self.late(|store| async move { store.pause(&source, &request).await }).await?
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        let source = source.clone();
        self.late(|store| async move { store.resume(&source).await }).await?
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
        yield_now().await;
        self.0.list(filter, after, size).await
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        self.0.paused(source).await
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        yield_now().await;
        self.0.statistics(source).await
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        self.0.sources().await
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        self.0.records_of(entity).await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.0.now().await
    }
}
