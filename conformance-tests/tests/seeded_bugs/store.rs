//! A store with one bug, or none.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_tracker_conformance::Setup;
use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, EntityRef, EntityType, Error, ErrorKind, ExternalId,
    Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause, PauseRequest, Refusal, Removal,
    Renamed, Result, Source, Statistics, StoreClock, SyncRecord, SyncStore, Timestamp,
};
use tokio::task::yield_now;

use crate::bug::Bug;
use crate::fast;
use crate::racing::rebinds;
use crate::records::Records;

/// A bug may make a walk or a worker go on without end, so a store answers so many calls only.
const CALLS: u32 = 30_000;

#[derive(Debug)]
pub(crate) struct Store {
    bug: Option<Bug>,
    records: Arc<Mutex<Records>>,
    clock: StoreClock,
    opened_at: Timestamp,
    calls: AtomicU32,
    in_batch: AtomicBool,
}

impl Store {
    /// Opens a store; `shared` is what all stores of one behaviour can have in common.
    pub(crate) fn open(bug: Option<Bug>, setup: Setup, shared: &Arc<Mutex<Records>>) -> Self {
        let own = || Arc::new(Mutex::new(Records { bug, ..Records::default() }));
        let is_shared = bug == Some(Bug::NamespacesShared);
        Self {
            bug,
            records: if is_shared { Arc::clone(shared) } else { own() },
            clock: setup.clock,
            opened_at: Timestamp::now(),
            calls: AtomicU32::new(0),
            in_batch: AtomicBool::new(false),
        }
    }

    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        assert!(self.calls.fetch_add(1, Ordering::Relaxed) < CALLS, "calls without end");
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(crate) fn now(&self) -> Timestamp {
        let frozen = self.has(Bug::ClockReadOnce);
        let own = || if frozen { self.opened_at } else { Timestamp::now() };
        self.clock.explicit_now().unwrap_or_else(own)
    }

    /// Reads, and writes later what was made of what it read.
    async fn apply_later(&self, key: &Key, change: &Change) -> Outcome {
        let before = self.records().get(key).cloned();
        yield_now().await;
        self.records().apply_to(before.as_ref(), key, change, self.now())
    }

    /// Asks who holds an external id, and does not ask again when it writes.
    pub(crate) async fn apply_unasked(&self, key: &Key, change: &Change) -> Outcome {
        let (first, _) = {
            let records = self.records();
            records.settle(key, change, records.get(key), self.now())
        };
        if let Some(Refusal::ExternalIdTaken { .. }) = first.refusal() {
            return first;
        }
        yield_now().await;
        let mut records = self.records();
        let outcome = change.apply_to(key, records.get(key), self.now());
        if let Outcome::Applied(applied) = &outcome {
            records.write(applied.record.clone());
        }
        outcome
    }

    /// Writes the indexes first, and the record later.
    async fn apply_in_two(&self, key: &Key, change: &Change) -> Outcome {
        let (_, written) = {
            let records = self.records();
            records.settle(key, change, records.get(key), self.now())
        };
        self.records().ghosts.extend(written);
        yield_now().await;
        let mut records = self.records();
        records.ghosts.retain(|ghost| ghost.key != *key);
        records.apply(key, change, self.now())
    }
}

#[async_trait::async_trait]
impl SyncStore for Store {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        Ok(match self.bug {
            Some(Bug::HoldsJudgedBeforehand) if fast::is_about_holding(change) => {
                self.apply_later(key, change).await
            }
            Some(Bug::GuardsJudgedBeforehand) => self.apply_later(key, change).await,
            Some(Bug::IdsCheckedBeforehand) => self.apply_unasked(key, change).await,
            Some(Bug::DroppedCallsTorn) => self.apply_in_two(key, change).await,
            Some(Bug::HoldersReadBeforehand) => self.apply_and_tell(key, change).await,
            Some(Bug::RebindsCheckedBeforehand) if rebinds(change) => {
                self.apply_unasked(key, change).await
            }
            Some(Bug::IdsLetGoFirst) if rebinds(change) => self.rebind_in_two(key, change).await,
            Some(Bug::ReplaysJudgedBeforehand) => self.apply_unless_known(key, change).await,
            Some(Bug::RingReadBeforehand) => self.apply_and_remember(key, change).await,
            _ => self.records().apply(key, change, self.now()),
        })
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        Ok(self.records().get(key).cloned())
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        Ok(self.records().find(source, entity_type, id).cloned())
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        let page = self.records().list(filter, after, size, self.now());
        Ok(if self.has(Bug::PagesReadInTwo) { self.read_again(page).await } else { page })
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        if !self.has(Bug::ImportsCheckedBeforehand) {
            return self.records().put(record);
        }
        // Tried out on a copy.
        let tried = self.records().clone().put(record)?;
        if tried == Imported::Stored {
            yield_now().await;
            self.records().write(record.clone());
        }
        Ok(tried)
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        if !self.has(Bug::RemovalsJudgedBeforehand) {
            return Ok(self.records().remove(key, guard, self.now()));
        }
        // Tried out on a copy.
        let tried = self.records().clone().remove(key, guard, self.now());
        if tried == Removal::Removed {
            yield_now().await;
            let _ = self.records().remove(key, &Guard::default(), self.now());
        }
        Ok(tried)
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let before = self.records().get(from).cloned();
        if self.has(Bug::RenamedLater) {
            yield_now().await;
        }
        let mut records = self.records();
        let renamed = records.rename(from, to, self.now());
        if let Some(before) = before
            && self.has(Bug::RenamedLater)
            && renamed == Renamed::Moved
            && from != to
        {
            records.write(before.renamed(to));
        }
        Ok(renamed)
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        if self.has(Bug::BatchesExclude) {
            let met = self.in_batch.swap(true, Ordering::SeqCst);
            yield_now().await;
            self.in_batch.store(met, Ordering::SeqCst);
            if met {
                let failed = || Error::new(ErrorKind::Unavailable, "it met another batch");
                return items.iter().map(|_| Err(failed())).collect();
            }
        }
        let mut records = self.records();
        let before = records.clone();
        let mut answers: Vec<_> = items.iter().map(|(key, _)| (key, None)).collect();
        let backwards = self.has(Bug::BatchBackwards);
        let mut stopped = false;
        for at in 0..items.len() {
            let at = if backwards { items.len() - 1 - at } else { at };
            let (key, change) = &items[at];
            if !stopped {
                let outcome = if self.has(Bug::BatchReadFirst) {
                    records.apply_to(before.get(key), key, change, self.now())
                } else {
                    records.apply(key, change, self.now())
                };
                stopped = self.has(Bug::BatchStops) && !outcome.is_applied()
                    || self.has(Bug::BatchesCutShort) && at >= 99;
                answers[at].1 = Some(outcome);
            }
        }
        let is_refused = |(_, answer): &(&Key, Option<Outcome>)| {
            answer.as_ref().is_some_and(|outcome| !outcome.is_applied())
        };
        if self.has(Bug::BatchAllOrNothing) && answers.iter().any(is_refused) {
            *records = before;
        }
        if self.has(Bug::BatchAnsweredByKey) {
            answers.sort_by_key(|(key, _)| *key);
        }
        let unanswered = || Error::new(ErrorKind::Unavailable, "it was left out");
        answers.into_iter().map(|(_, answer)| answer.ok_or_else(unanswered)).collect()
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        if keys.is_empty() && self.has(Bug::EmptyBatchFails) {
            return Err(Error::new(ErrorKind::Invalid, "no keys"));
        }
        let mut keys = keys.to_vec();
        if self.has(Bug::RecordsReadByKey) {
            keys.sort();
        }
        let records = self.records();
        Ok(keys.iter().map(|key| records.get(key).cloned()).collect())
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut ids = ids.to_vec();
        if self.has(Bug::IdsReadInOrder) {
            ids.sort();
        }
        let records = self.records();
        let found = ids.iter().map(|id| records.find(source, entity_type, id).cloned());
        Ok(found.filter(|found| found.is_some() || !self.has(Bug::IdsReadOnce)).collect())
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        let now = if self.has(Bug::ClaimsByOtherClock) { Timestamp::now() } else { self.now() };
        let chosen = {
            let mut records = self.records();
            let chosen = records.chosen(request, now);
            let expired = chosen.1.iter().any(|record| record.lease.is_some());
            let later = self.has(Bug::ClaimsChosenBeforehand)
                || self.has(Bug::ExpiredChosenBeforehand) && expired;
            if !later {
                return Ok(records.grant(request, chosen, now));
            }
            chosen
        };
        yield_now().await;
        Ok(self.records().grant(request, chosen, now))
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        self.records().pause(source, request, self.now());
        Ok(())
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        self.records().pauses.remove(source);
        Ok(())
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        let now = self.now();
        let mut pause = self.records().paused(source, now).cloned();
        if self.has(Bug::PauseSinceRead) {
            pause.iter_mut().for_each(|pause| pause.since = now);
        }
        Ok(pause)
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.now())
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        Ok(self.records().statistics(source, self.now()))
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        Ok(self.records().sources())
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        Ok(self.records().records_of(entity))
    }
}
