//! Deadlines and retries, on a store that fails as it is told.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use sync_tracker_conformance::{Fault, FaultyStore};
use sync_tracker_core::layers::{Deadline, Retry};
use sync_tracker_core::{ErrorKind, Key, Outcome, SyncStore, rules};
use sync_tracker_memory::MemoryStore;

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
