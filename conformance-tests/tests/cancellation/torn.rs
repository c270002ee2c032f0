//! A store that can be dropped half-way through its work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sync_tracker_conformance::Setup;
use sync_tracker_core::{
    Arm, AttemptsOp, Change, ClaimRequest, Claimed, Cursor, EntityRef, EntityType, Error,
    ErrorKind, ExternalId, Filter, Guard, Imported, Key, Ledger, Outcome, Page, PageSize, Patch,
    Pause, PauseReason, PauseRequest, RecentChanges, Removal, Renamed, Result, Source, Statistics,
    StoreClock, SyncRecord, SyncStore, Timestamp,
};
use tokio::task::yield_now;

/// What is written, or done, after a yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tear {
    None,
    Lookup,
    Counts,
    Due,
    Status,
    Queue,
    Entities,
    Memory,
    RenamedByRemoving,
    RenamedByCopying,
    ChargedFirst,
    ImportedByHalves,
    PausedByHalves,
    Locked,
}

impl Tear {
    /// Whether something that is asked of the index is written after a yield.
    fn is_of_index(self) -> bool {
        use Tear::{Counts, Due, Entities, Lookup, Queue, Status};
        matches!(self, Lookup | Counts | Due | Status | Queue | Entities)
    }
}

/// Yields before and after each step, and in the middle of it as its tear says.
#[derive(Debug)]
pub(crate) struct TornStore {
    records: Mutex<Ledger>,
    /// As the records, but written after them.
    index: Mutex<Ledger>,
    locked: AtomicBool,
    tear: Tear,
    clock: StoreClock,
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TornStore {
    pub(crate) fn new(setup: Setup, tear: Tear) -> Self {
        let (records, index) = Default::default();
        Self { records, index, locked: AtomicBool::new(false), tear, clock: setup.clock }
    }

    fn time(&self) -> Timestamp {
        self.clock.explicit_now().unwrap_or_else(Timestamp::now)
    }

    async fn begin(&self) -> Result<()> {
        if self.tear == Tear::Locked && self.locked.swap(true, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "it is locked"));
        }
        yield_now().await;
        Ok(())
    }

    async fn end(&self) {
        yield_now().await;
        self.locked.store(false, Ordering::SeqCst);
    }

    async fn write<T>(&self, write: impl Fn(&mut Ledger, Timestamp) -> T + Send) -> Result<T>
    where
        T: Send,
    {
        self.begin().await?;
        let answer = write(&mut lock(&self.records), self.time());
        if self.tear.is_of_index() {
            yield_now().await;
        }
        write(&mut lock(&self.index), self.time());
        self.end().await;
        Ok(answer)
    }

    /// Does something in two steps.
    async fn torn<T: Send>(
        &self,
        first: impl Fn(&mut Ledger, Timestamp) + Send,
        then: impl Fn(&mut Ledger, Timestamp) -> T + Send,
    ) -> Result<T> {
        for ledger in [&self.records, &self.index] {
            first(&mut lock(ledger), self.time());
        }
        yield_now().await;
        self.write(then).await
    }

    async fn read<T: Send>(
        &self,
        of_index: bool,
        read: impl Fn(&Ledger, Timestamp) -> T + Send,
    ) -> Result<T> {
        self.begin().await?;
        let ledger = if of_index { &self.index } else { &self.records };
        let answer = read(&lock(ledger), self.time());
        self.end().await;
        Ok(answer)
    }
}

#[async_trait::async_trait]
impl SyncStore for TornStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let then = |ledger: &mut Ledger, now| ledger.apply(key, change, now);
        if self.tear != Tear::Memory {
            return self.write(then).await;
        }
        let forgetful = |ledger: &mut Ledger, now| {
            let before = ledger.get(key).cloned();
            if let Outcome::Applied(applied) = ledger.apply(key, change, now) {
                let remembered =
                    before.map_or_else(RecentChanges::default, |before| before.recent_changes);
                let record = SyncRecord { recent_changes: remembered, ..applied.record };
                ledger.restore(key, Some(record));
            }
        };
        let before = lock(&self.records).get(key).cloned();
        let whole = |ledger: &mut Ledger, now| {
            ledger.restore(key, before.clone());
            ledger.apply(key, change, now)
        };
        self.torn(forgetful, whole).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        self.read(false, |ledger, _| ledger.get(key).cloned()).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        self.read(self.tear == Tear::Lookup, |ledger, _| {
            ledger.by_external_id(source, entity_type, id).cloned()
        })
        .await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        let of_index = self.tear == Tear::Due && filter.due.is_some()
            || self.tear == Tear::Status && filter.status.is_some();
        self.read(of_index, |ledger, now| ledger.list(filter, after, size, now)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        let then = |ledger: &mut Ledger, _| ledger.put(record);
        if self.tear != Tear::ImportedByHalves {
            return self.write(then).await?;
        }
        let half = SyncRecord { external_id: None, ..record.clone() };
        self.torn(|ledger, _| ledger.restore(&half.key, Some(half.clone())), then).await?
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        self.write(|ledger, now| ledger.remove(key, guard, now)).await
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let Some(record) = lock(&self.records).get(from).cloned() else {
            return Ok(Renamed::Absent);
        };
        let moved = record.renamed(to);
        let write = |ledger: &mut Ledger, _| ledger.restore(to, Some(moved.clone()));
        let remove = |ledger: &mut Ledger, _| ledger.restore(from, None);
        match self.tear {
            Tear::RenamedByRemoving => self.torn(remove, write).await?,
            Tear::RenamedByCopying => self.torn(write, remove).await?,
            _ => return self.write(|ledger, now| ledger.rename(from, to, now)).await,
        }
        Ok(Renamed::Moved)
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        let due = |ledger: &Mutex<Ledger>| {
            let page = lock(ledger).list(&request.due(), None, PageSize::MAX, self.time());
            page.records.into_iter().map(|record| record.key).collect::<Vec<_>>()
        };
        let then = |ledger: &mut Ledger, now| ledger.claim(request, now);
        match self.tear {
            // What is not in the queue is not granted.
            Tear::Queue => {
                let queue = due(&self.index);
                let missing: Vec<_> =
                    due(&self.records).into_iter().filter(|key| !queue.contains(key)).collect();
                self.write(|ledger, now| {
                    let missing = missing.iter().map(|key| (key, ledger.get(key).cloned()));
                    let missing: Vec<_> = missing.collect();
                    missing.iter().for_each(|(key, _)| ledger.restore(key, None));
                    let claimed = ledger.claim(request, now);
                    missing.into_iter().for_each(|(key, record)| ledger.restore(key, record));
                    claimed
                })
                .await
            }
            Tear::ChargedFirst => {
                let keys = due(&self.records);
                let charge = |ledger: &mut Ledger, now| {
                    let then = Patch { attempts: AttemptsOp::Charge, ..Patch::default() };
                    let charge = Change::new([Arm { then, ..Arm::default() }]).expect("a change");
                    keys.iter().for_each(|key| drop(ledger.apply(key, &charge, now)));
                };
                self.torn(charge, then).await
            }
            _ => self.write(then).await,
        }
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        let then = |ledger: &mut Ledger, now| ledger.pause(source, request, now);
        if self.tear != Tear::PausedByHalves {
            return self.write(then).await;
        }
        let half = PauseRequest { span: None, reason: PauseReason::new("half") };
        self.torn(|ledger, now| ledger.pause(source, &half, now), then).await
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        self.write(|ledger, _| ledger.resume(source)).await
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        self.read(false, |ledger, now| ledger.paused(source, now).cloned()).await
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        self.read(self.tear == Tear::Counts, |ledger, now| ledger.statistics(source, now)).await
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        self.read(self.tear == Tear::Entities, |ledger, _| ledger.records_of(entity)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.time())
    }
}
