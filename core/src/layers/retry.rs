//! A call that may succeed later is made again.

use std::collections::HashMap;
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

/// A store that makes a call again, up to three times in all, while its error is
/// [retryable](Error::is_retryable).
///
/// A repeat carries the same change, so nothing is applied twice. If one try had an unknown
/// outcome and no later one has an answer, the outcome of the call is unknown, whatever the last
/// error was.
///
/// Needs a tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
pub struct Retry<S> {
    pub(super) store: S,
}

/// How long to wait before each further try.
const WAITS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

impl<S> Retry<S> {
    /// Makes calls of `store` again.
    pub fn new(store: S) -> Self {
        Self { store }
    }
}

pub(super) async fn tried<T, F: Future<Output = Result<T>> + Send>(
    mut call: impl FnMut() -> F + Send,
) -> Result<T> {
    let mut waits = WAITS.into_iter();
    let mut unknown: Option<Error> = None;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let wait = waits.next().filter(|_| error.is_retryable());
        let error =
            if error.kind() == ErrorKind::Unknown { error } else { unknown.unwrap_or(error) };
        let Some(wait) = wait else { return Err(error) };
        unknown = (error.kind() == ErrorKind::Unknown).then_some(error);
        tokio::time::sleep(wait).await;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: SyncStore> SyncStore for Retry<S> {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        tried(|| self.store.apply(key, change)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        tried(|| self.store.get(key)).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        tried(|| self.store.by_external_id(source, entity_type, id)).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        tried(|| self.store.list(filter, after, size)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        tried(|| self.store.put(record)).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        tried(|| self.store.remove(key, guard)).await
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        tried(|| self.store.rename(from, to)).await
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let mut outcomes = self.store.apply_many(items).await;
        let mut occurrences: HashMap<&Key, u32> = HashMap::new();
        items.iter().for_each(|(key, _)| *occurrences.entry(key).or_default() += 1);
        for ((key, change), outcome) in items.iter().zip(&mut outcomes) {
            // A key that occurs again was perhaps changed since, and items keep their order.
            let alone = occurrences.get(key) == Some(&1);
            if alone && outcome.as_ref().is_err_and(Error::is_retryable) {
                let again = self.apply(key, change).await;
                let still_unknown = again.is_err()
                    && outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unknown);
                if !still_unknown {
                    *outcome = again;
                }
            }
        }
        outcomes
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        tried(|| self.store.get_many(keys)).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        tried(|| self.store.claim(request)).await
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        tried(|| self.store.by_external_ids(source, entity_type, ids)).await
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        tried(|| self.store.pause(source, request)).await
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        tried(|| self.store.resume(source)).await
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        tried(|| self.store.paused(source)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        tried(|| self.store.now()).await
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        tried(|| self.store.statistics(source)).await
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        tried(|| self.store.sources()).await
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        tried(|| self.store.records_of(entity)).await
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        tried(|| self.store.verify()).await
    }

    async fn durability(&self) -> Result<Durability> {
        tried(|| self.store.durability()).await
    }
}
