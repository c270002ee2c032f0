//! A store that does not give up.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sync_tracker::{
    AnyStore, BeginInbox, Begun, Change, ChangeId, Checkpoint, CheckpointStore, Cursor, EntityRef,
    EntityType, Error, ErrorKind, ExternalId, Filter, Guard, Imported, InboxStore, JsonValue, Key,
    Millis, Outcome, Page, PageSize, Removal, SaveCheckpoint, Saved, Settled, Source, StreamName,
    SyncRecord, SyncStore, Ticket, Timestamp,
};

/// How long it waits before the same call is made again.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes each call again, as it was, until there is an answer: what an application does that
/// repeats the same change after an error, however long the outage.
#[derive(Debug)]
pub(crate) struct Patient {
    store: Arc<dyn AnyStore>,
    met: Met,
}

/// What it met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    unavailable: AtomicU64,
    unknown: AtomicU64,
    unknown_but_applied: AtomicU64,
    denied: AtomicU64,
}

impl Met {
    /// Calls that were not carried out.
    pub(crate) fn unavailable(&self) -> u64 {
        self.unavailable.load(Ordering::SeqCst)
    }

    /// Calls of which nobody knew whether they were.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::SeqCst)
    }

    /// Changes among these that turned out to have been. Of messages and checkpoints nobody says.
    pub(crate) fn unknown_but_applied(&self) -> u64 {
        self.unknown_but_applied.load(Ordering::SeqCst)
    }

    /// Changes that had been made, although every error said that they had not.
    pub(crate) fn denied(&self) -> u64 {
        self.denied.load(Ordering::SeqCst)
    }
}

impl Patient {
    pub(crate) fn new(store: Arc<dyn AnyStore>) -> Self {
        Self { store, met: Met::default() }
    }

    pub(crate) fn met(&self) -> &Met {
        &self.met
    }

    /// The answer, and whether the outcome of a call before it was unknown.
    async fn answer<T, F>(&self, mut call: impl FnMut() -> F + Send) -> Result<(T, bool), Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let mut was_unknown = false;
        loop {
            match call().await {
                Ok(answer) => return Ok((answer, was_unknown)),
                Err(error) if error.kind() == ErrorKind::Unknown => {
                    was_unknown = true;
                    self.met.unknown.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) if error.is_retryable() => {
                    self.met.unavailable.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn only_answer<T, F>(&self, call: impl FnMut() -> F + Send) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        self.answer(call).await.map(|(answer, _)| answer)
    }
}

#[async_trait]
impl SyncStore for Patient {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome, Error> {
        let (outcome, was_unknown) = self.answer(|| self.store.apply(key, change)).await?;
        if let Outcome::Applied(applied) = &outcome
            && applied.replayed
        {
            let met = &self.met;
            let count = if was_unknown { &met.unknown_but_applied } else { &met.denied };
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(outcome)
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>, Error> {
        self.only_answer(|| self.store.get(key)).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>, Error> {
        self.only_answer(|| self.store.by_external_id(source, entity_type, id)).await
    }

    async fn list(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
    ) -> Result<Page, Error> {
        self.only_answer(|| self.store.list(filter, after, size)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported, Error> {
        self.only_answer(|| self.store.put(record)).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal, Error> {
        self.only_answer(|| self.store.remove(key, guard)).await
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>, Error> {
        self.only_answer(|| self.store.records_of(entity)).await
    }
}

#[async_trait]
impl InboxStore for Patient {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun, Error> {
        self.only_answer(|| self.store.begin(request)).await
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled, Error> {
        self.only_answer(|| self.store.complete(ticket, outcome, remember_for)).await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled, Error> {
        self.only_answer(|| self.store.abandon(ticket)).await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64, Error> {
        self.only_answer(|| self.store.forget_expired(source, grace)).await
    }
}

#[async_trait]
impl CheckpointStore for Patient {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint, Error> {
        self.only_answer(|| self.store.load(source, stream)).await
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved, Error> {
        self.only_answer(|| self.store.save(request)).await
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint, Error> {
        self.only_answer(|| self.store.reset(source, stream, id)).await
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>, Error> {
        self.only_answer(|| self.store.checkpoints(source)).await
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>, Error> {
        self.only_answer(|| self.store.horizon(source)).await
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp, Error> {
        self.only_answer(|| self.store.raise_horizon(source, to)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_tracker::memory::MemoryStore;
    use sync_tracker::rules;
    use sync_tracker_conformance::{Fault, FaultyStore};

    async fn met(plan: &[Fault]) -> (u64, u64, u64, u64) {
        let store = FaultyStore::planned(MemoryStore::new(), plan.iter().copied());
        let patient = Patient::new(Arc::new(store));
        let key = Key::new("remote", "thing", 1).unwrap();
        assert!(patient.apply(&key, &rules::created()).await.unwrap().is_applied());
        let met = patient.met();
        (met.unavailable(), met.unknown(), met.unknown_but_applied(), met.denied())
    }

    #[tokio::test]
    async fn a_call_is_made_until_it_is_answered_and_what_it_met_is_counted() {
        use ErrorKind::{Unavailable, Unknown};
        assert_eq!(met(&[Fault::NotDone(Unavailable); 3]).await, (3, 0, 0, 0));
        assert_eq!(met(&[Fault::NotDone(Unknown); 2]).await, (0, 2, 0, 0));
        let applied_at_first = [Fault::Done(Unknown), Fault::NotDone(Unavailable)];
        assert_eq!(met(&applied_at_first).await, (1, 1, 1, 0));
        assert_eq!(met(&[Fault::Done(Unavailable)]).await, (1, 0, 0, 1), "which is a lie");
    }
}
