//! Events: told after the write, once, and never in the way.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use sync_tracker_core::{EntityRef, Event, Events, FailureNote, Listener, Tracker};
use sync_tracker_memory::MemoryStore;

fn tracker() -> Tracker {
    Tracker::new(MemoryStore::new()).with_sources("product", ["shop"]).unwrap()
}

fn product() -> EntityRef {
    EntityRef::new("product", 1).unwrap()
}

/// The names of the events so far.
async fn told(events: &mut Events) -> Vec<String> {
    let mut names = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(20), events.next()).await
    {
        let text = format!("{event:?}");
        names.push(text.split(['(', ' ']).next().unwrap().to_owned());
    }
    names
}

#[tokio::test]
async fn every_transition_has_its_event() {
    let tracker = tracker();
    let mut events = tracker.events();
    tracker.created(product()).await.unwrap();
    tracker.updated(product()).await.unwrap();
    let push = tracker.claim("shop").await.unwrap().pushes.remove(0);
    let _ = push.release().await.unwrap();
    assert_eq!(told(&mut events).await, ["Created", "Updated", "Claimed", "Released"]);

    let push = tracker.claim("shop").await.unwrap().pushes.remove(0);
    let _ = push.failed(FailureNote::permanent("no")).await.unwrap();
    let _ = tracker.redrive(product(), "shop").await.unwrap();
    let _ = tracker.bind(product(), "shop", "x").await.unwrap();
    let _ = tracker.dismiss(product(), "shop").await.unwrap();
    let _ = tracker.mark_synced(product(), "shop").await.unwrap();
    let expected =
        ["Claimed", "SyncFailed", "DeadLettered", "Redriven", "Bound", "Dismissed", "EntitySynced"];
    assert_eq!(told(&mut events).await, expected);

    tracker.deleted(product()).await.unwrap();
    tracker.restored(product()).await.unwrap();
    let _ = tracker.mark_failed(product(), "shop", FailureNote::transient("x")).await.unwrap();
    tracker.pause("shop").await.unwrap();
    tracker.resume("shop").await.unwrap();
    tracker.forget(product()).await.unwrap();
    let expected = ["Deleted", "Restored", "SyncFailed", "Paused", "Resumed", "Removed"];
    assert_eq!(told(&mut events).await, expected);
}

#[tokio::test]
async fn what_is_refused_or_repeated_is_not_told() {
    let tracker = tracker();
    tracker.created(product()).await.unwrap();
    let push = tracker.claim("shop").await.unwrap().pushes.remove(0);
    let mut events = tracker.events();
    let _ = tracker.created(product()).await.unwrap();
    for _ in 0..3 {
        let _ = push.synced().await.unwrap();
    }
    let _ = push.failed(FailureNote::transient("late")).await.unwrap();
    assert_eq!(told(&mut events).await, ["EntitySynced"]);
}

#[tokio::test]
async fn an_event_carries_the_record_right_after() {
    let tracker = tracker();
    let mut events = tracker.events();
    let outcome = tracker.mark_synced(product(), "shop").external_id("x").await.unwrap();
    let event = events.next().await.unwrap();
    assert_eq!(event.record(), outcome.record());
    drop(tracker);
    assert_eq!(events.next().await, None, "it ends with the tracker");
}

#[tokio::test]
async fn a_slow_subscriber_misses_the_oldest_and_is_told_how_many() {
    let tracker = tracker();
    let mut events = tracker.events();
    for _ in 0..1_100 {
        tracker.updated(product()).await.unwrap();
    }
    let first = events.next().await.unwrap();
    assert_eq!(first.record().unwrap().revision.get(), 77);
    assert_eq!(events.missed(), 76);
    drop(tracker);
    assert_eq!(events.into_stream().count().await, 1_023);
}

#[tokio::test]
async fn a_listener_that_panics_goes_on_and_breaks_nothing() {
    struct Fragile(Arc<Mutex<Vec<u64>>>);

    impl Listener for Fragile {
        fn on_event(&mut self, event: &Event) {
            let revision = event.record().unwrap().revision.get();
            assert_ne!(revision, 2, "it cannot count to two");
            self.0.lock().unwrap().push(revision);
        }
    }

    let tracker = tracker();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let task = tracker.listen(Fragile(Arc::clone(&heard)));
    for _ in 0..3 {
        assert!(tracker.updated(product()).await.unwrap()[0].outcome.is_applied());
    }
    drop(tracker);
    task.await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [1, 3]);
}
