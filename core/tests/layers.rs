//! Deadlines and retries, on a store that fails as it is told.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sync_tracker_conformance::{Fault, FaultyStore};
use sync_tracker_core::layers::{Deadline, Grouped, Retry};
use sync_tracker_core::{
    Change, Cursor, EntityType, Error, ErrorKind, ExternalId, Filter, Guard, Imported, Key,
    Outcome, Page, PageSize, Removal, Result, Source, SyncRecord, SyncStore, rules,
};
use sync_tracker_memory::MemoryStore;
use tokio::sync::Semaphore;

fn faulty(plan: impl IntoIterator<Item = Fault>) -> FaultyStore<MemoryStore> {
    FaultyStore::planned(MemoryStore::new(), plan)
}

fn key() -> Key {
    Key::new("shop", "product", 1).unwrap()
}

const UNKNOWN: ErrorKind = ErrorKind::Unknown;
const UNAVAILABLE: ErrorKind = ErrorKind::Unavailable;

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_retried_and_nothing_is_applied_twice() {
    let store = Retry::new(faulty([Fault::Done(UNKNOWN), Fault::NotDone(UNAVAILABLE)]));
    let outcome = store.apply(&key(), &rules::updated()).await.unwrap();
    assert!(matches!(&outcome, Outcome::Applied(applied) if applied.replayed));
    assert_eq!(outcome.record().unwrap().revision.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn three_tries_are_all() {
    let store = Retry::new(faulty([Fault::NotDone(UNAVAILABLE); 3]));
    let error = store.apply(&key(), &rules::updated()).await.unwrap_err();
    assert_eq!(error.kind(), UNAVAILABLE);
    assert!(store.apply(&key(), &rules::updated()).await.unwrap().is_applied());
}

#[tokio::test(start_paused = true)]
async fn one_unknown_outcome_makes_the_call_unknown_whatever_follows() {
    let internal = ErrorKind::Internal;
    for plan in [
        vec![Fault::Done(UNKNOWN), Fault::NotDone(UNAVAILABLE), Fault::NotDone(UNAVAILABLE)],
        vec![Fault::NotDone(UNAVAILABLE), Fault::Done(UNKNOWN), Fault::NotDone(UNAVAILABLE)],
        vec![Fault::Done(UNKNOWN), Fault::NotDone(internal)],
        vec![Fault::NotDone(UNAVAILABLE), Fault::NotDone(UNAVAILABLE), Fault::Done(UNKNOWN)],
    ] {
        let store = Retry::new(faulty(plan));
        let error = store.apply(&key(), &rules::updated()).await.unwrap_err();
        assert_eq!(error.kind(), UNKNOWN);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_retryable_is_not_retried() {
    let store = Retry::new(faulty([Fault::NotDone(ErrorKind::Corrupt)]));
    let error = store.get(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(store.get(&key()).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn items_of_a_batch_are_retried_but_not_out_of_order() {
    let (once, twice) = (key(), Key::new("shop", "product", 2).unwrap());
    let items = [
        (once.clone(), rules::updated()),
        (twice.clone(), rules::created()),
        (twice.clone(), rules::updated()),
    ];
    let plan = [Fault::Done(UNKNOWN), Fault::NotDone(UNAVAILABLE)];
    let outcomes = Retry::new(faulty(plan)).apply_many(&items).await;
    let record = outcomes[0].as_ref().unwrap().record().unwrap();
    assert_eq!(record.revision.get(), 1);
    assert_eq!(outcomes[1].as_ref().unwrap_err().kind(), UNAVAILABLE);
    assert!(outcomes[2].as_ref().unwrap().is_applied());
}

#[tokio::test(start_paused = true)]
async fn a_late_write_is_unknown_and_a_late_read_unavailable() {
    let limit = Duration::from_secs(3);
    let store = Deadline::new(faulty([Fault::Hangs, Fault::Hangs]), limit);
    let begun = tokio::time::Instant::now();
    let change = rules::updated();
    let error = store.apply(&key(), &change).await.unwrap_err();
    assert_eq!(error.kind(), UNKNOWN);
    assert_eq!(begun.elapsed(), limit);
    assert_eq!(error.to_string(), "outcome unknown: no answer within 3s [apply, shop:product/1]");
    assert_eq!(store.get(&key()).await.unwrap_err().kind(), UNAVAILABLE);
    let again = store.apply(&key(), &change).await.unwrap();
    assert_eq!(again.record().unwrap().revision.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_bounds_all_tries_together() {
    let limit = Duration::from_millis(100);
    let faulty = faulty([Fault::NotDone(UNAVAILABLE); 3]);
    let store = Deadline::new(Retry::new(faulty), limit);
    let begun = tokio::time::Instant::now();
    assert_eq!(store.get(&key()).await.unwrap_err().kind(), UNAVAILABLE);
    assert_eq!(begun.elapsed(), limit);
}

/// Keeps each call of some kinds until it is let go, and remembers how many items each had.
#[derive(Clone, Debug)]
struct Held {
    store: MemoryStore,
    go: Arc<Semaphore>,
    calls: Arc<Mutex<Vec<usize>>>,
}

impl Held {
    fn new() -> Self {
        let (go, calls) = (Arc::new(Semaphore::new(0)), Arc::default());
        Self { store: MemoryStore::new(), go, calls }
    }

    async fn call(&self, items: usize) {
        self.calls.lock().unwrap().push(items);
        self.go.acquire().await.unwrap().forget();
    }

    fn check(key: &Key) -> Result<()> {
        match key.entity.entity_id.as_str() {
            "corrupt" => Err(Error::new(ErrorKind::Corrupt, "it does not decode")),
            _ => Ok(()),
        }
    }

    fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl SyncStore for Held {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        self.call(1).await;
        self.store.apply(key, change).await
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        self.call(items.len()).await;
        assert!(items.iter().all(|(key, _)| key.entity.entity_id.as_str() != "panics"));
        self.store.apply_many(items).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        self.call(1).await;
        Self::check(key)?;
        self.store.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        self.call(keys.len()).await;
        keys.iter().try_for_each(Self::check)?;
        self.store.get_many(keys).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        self.store.by_external_id(source, entity_type, id).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        self.store.list(filter, after, size).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.store.put(record).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        self.store.remove(key, guard).await
    }
}

/// Starts a call for each of these entities, and lets them come as far as they do.
async fn start(
    store: &Grouped<Held>,
    ids: impl IntoIterator<Item = &'static str>,
) -> Vec<tokio::task::JoinHandle<Result<Outcome>>> {
    let mut calls = Vec::new();
    for id in ids {
        let store = store.clone();
        let key = Key::new("shop", "product", id).unwrap();
        calls.push(tokio::spawn(async move { store.apply(&key, &rules::updated()).await }));
        tokio::task::yield_now().await;
    }
    calls
}

#[tokio::test]
async fn calls_travel_together_only_beyond_those_that_may_be_on_their_way() {
    let held = Held::new();
    let store = Grouped::new(held.clone(), 2);
    let calls = start(&store, ["a", "b", "c", "d", "c"]).await;
    assert_eq!(held.calls(), [1, 1]);
    held.go.add_permits(3);
    let mut revisions = Vec::new();
    for call in calls {
        let outcome = call.await.unwrap().unwrap();
        revisions.push(outcome.record().unwrap().revision.get());
    }
    assert_eq!(held.calls(), [1, 1, 3]);
    assert_eq!(revisions, [1, 1, 1, 1, 2]);
    held.go.add_permits(1);
    assert!(start(&store, ["e"]).await.remove(0).await.unwrap().unwrap().is_applied());
    assert_eq!(held.calls(), [1, 1, 3, 1]);
}

#[tokio::test]
async fn reads_travel_together_and_each_gets_its_own() {
    let held = Held::new();
    assert!(held.store.apply(&key(), &rules::updated()).await.unwrap().is_applied());
    let store = Grouped::new(held.clone(), 1);
    let (there, absent) = (key(), Key::new("shop", "product", 2).unwrap());
    let (alone, none, same, ()) =
        tokio::join!(store.get(&there), store.get(&absent), store.get(&there), async {
            held.go.add_permits(2);
        });
    assert_eq!(held.calls(), [1, 2]);
    assert_eq!(alone.unwrap().map(|record| record.key), Some(key()));
    assert_eq!(none.unwrap(), None);
    assert_eq!(same.unwrap().map(|record| record.key), Some(key()));
}

#[tokio::test]
async fn a_read_that_fails_does_not_fail_its_companions() {
    let held = Held::new();
    let store = Grouped::new(held.clone(), 1);
    let (good, bad) = (key(), Key::new("shop", "product", "corrupt").unwrap());
    let (_, corrupt, read, ()) =
        tokio::join!(store.get(&good), store.get(&bad), store.get(&good), async {
            held.go.add_permits(4);
        });
    assert_eq!(held.calls(), [1, 2, 1, 1]);
    assert_eq!(corrupt.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(read.unwrap(), None);
}

#[tokio::test]
async fn a_call_dropped_while_it_waits_is_not_made_and_one_dropped_under_way_lets_others_follow() {
    let held = Held::new();
    let store = Grouped::new(held.clone(), 1);
    let mut calls = start(&store, ["a", "b", "c"]).await;
    calls.remove(1).abort();
    calls.remove(0).abort();
    held.go.add_permits(1);
    assert!(calls.remove(0).await.unwrap().unwrap().is_applied());
    assert_eq!(held.calls(), [1, 1]);
    let sources = held.store.list(&Filter::default(), None, PageSize::MAX).await.unwrap();
    let ids = sources.records.iter().map(|it| it.key.entity.entity_id.as_str());
    assert_eq!(ids.collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn a_store_that_panics_leaves_unknown_outcomes_and_a_way_for_others() {
    let held = Held::new();
    let store = Grouped::new(held.clone(), 1);
    let mut calls = start(&store, ["a", "b", "panics"]).await;
    held.go.add_permits(3);
    assert!(calls.remove(0).await.unwrap().is_ok());
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().kind(), UNKNOWN);
    }
    assert!(start(&store, ["b"]).await.remove(0).await.unwrap().unwrap().is_applied());
}
