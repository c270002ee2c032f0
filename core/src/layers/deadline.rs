//! No call outlives its deadline.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;

use crate::change::{Change, Guard, Outcome};
use crate::claim::{ClaimRequest, Claimed};
use crate::durability::Durability;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{EntityRef, EntityType, ExternalId, Key, Source};
use crate::ledger::{Imported, Removal};
use crate::page::{Cursor, Filter, Page, PageSize};
use crate::pause::{Pause, PauseRequest};
use crate::record::SyncRecord;
use crate::rename::Renamed;
use crate::statistics::Statistics;
use crate::store::SyncStore;
use crate::time::Timestamp;
use crate::verify::Discrepancy;

/// How long one call of a store may take unless it was said otherwise: 10 seconds.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// A store whose calls end in time.
///
/// A read that does not is [`Unavailable`](ErrorKind::Unavailable), a write
/// [`Unknown`](ErrorKind::Unknown). [`verify`](SyncStore::verify) has no deadline: it reads
/// everything.
///
/// Needs a tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    pub(super) store: S,
    pub(super) limit: Duration,
}

impl<S> Deadline<S> {
    /// Gives each call of `store` this long.
    pub fn new(store: S, limit: Duration) -> Self {
        Self { store, limit }
    }
}

/// A read that is late changed nothing.
pub(super) async fn read<T>(
    limit: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    let late = || missed(limit, operation, ErrorKind::Unavailable);
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}

/// A write that is late may have been carried out.
pub(super) async fn write<T>(
    limit: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    let late = || missed(limit, operation, ErrorKind::Unknown);
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}

fn missed(limit: Duration, operation: &'static str, kind: ErrorKind) -> Error {
    Error::new(kind, format!("no answer within {limit:?}")).in_operation(operation)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: SyncStore> SyncStore for Deadline<S> {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let answer = write(self.limit, "apply", self.store.apply(key, change)).await;
        answer.map_err(|error| error.for_key(key))
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        let answer = read(self.limit, "get", self.store.get(key)).await;
        answer.map_err(|error| error.for_key(key))
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        read(self.limit, "by_external_id", self.store.by_external_id(source, entity_type, id)).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        read(self.limit, "list", self.store.list(filter, after, size)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        let answer = write(self.limit, "put", self.store.put(record)).await;
        answer.map_err(|error| error.for_key(&record.key))
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let answer = write(self.limit, "remove", self.store.remove(key, guard)).await;
        answer.map_err(|error| error.for_key(key))
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let answer = write(self.limit, "rename", self.store.rename(from, to)).await;
        answer.map_err(|error| error.for_key(from))
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        match tokio::time::timeout(self.limit, self.store.apply_many(items)).await {
            Ok(outcomes) => outcomes,
            Err(_) => {
                let missed =
                    |key| missed(self.limit, "apply_many", ErrorKind::Unknown).for_key(key);
                items.iter().map(|(key, _)| Err(missed(key))).collect()
            }
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        read(self.limit, "get_many", self.store.get_many(keys)).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        write(self.limit, "claim", self.store.claim(request)).await
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        read(self.limit, "by_external_ids", self.store.by_external_ids(source, entity_type, ids))
            .await
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        write(self.limit, "pause", self.store.pause(source, request)).await
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        write(self.limit, "resume", self.store.resume(source)).await
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        read(self.limit, "paused", self.store.paused(source)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        read(self.limit, "now", self.store.now()).await
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        read(self.limit, "statistics", self.store.statistics(source)).await
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        read(self.limit, "sources", self.store.sources()).await
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        read(self.limit, "records_of", self.store.records_of(entity)).await
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        self.store.verify().await
    }

    async fn durability(&self) -> Result<Durability> {
        read(self.limit, "durability", self.store.durability()).await
    }
}
