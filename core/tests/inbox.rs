//! A handler that runs once, on an inbox that works and on one that fails.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use sync_tracker_conformance::{Fault, FaultRates, FaultyStore};
use sync_tracker_core::{
    Arm, BeginInbox, Begun, Change, ChangeId, ErrorKind, Filter, Guard, Handled, Inbox, InboxStore,
    JsonValue, Key, ManualClock, Metadata, MetadataOp, Millis, OverRecords, PageSize, Patch,
    Settled, StoreClock, SyncStore, Timestamp,
};
use sync_tracker_memory::MemoryStore;
use tokio::time::{Instant, sleep};

const LEASE: Duration = Duration::from_secs(60);

fn outcome() -> JsonValue {
    JsonValue::new(json!({ "id": 7 })).unwrap()
}

fn manual() -> (ManualClock, MemoryStore) {
    let clock = ManualClock::new(Timestamp::from_millis(1_000_000).unwrap()).unwrap();
    (clock.clone(), MemoryStore::with_clock(StoreClock::Manual(clock)))
}

fn request(store_key: &str) -> BeginInbox {
    let lease = Millis::try_from(LEASE).unwrap();
    let (source, key) = ("shop".try_into().unwrap(), store_key.try_into().unwrap());
    BeginInbox::new(source, key, lease, ChangeId::random()).unwrap()
}

/// A handler that counts how often it takes effect.
#[derive(Clone, Default)]
struct Effects(Arc<AtomicU32>);

impl Effects {
    async fn take(self) -> Result<JsonValue, String> {
        tokio::task::yield_now().await;
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(outcome())
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_handler_runs_once_and_its_outcome_is_told_ever_after() {
    let inbox = Inbox::new(MemoryStore::new());
    let effects = Effects::default();
    let first = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    assert_eq!(first, Handled::Now(outcome()));
    for _ in 0..3 {
        let again = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
        assert_eq!(again, Handled::Before(outcome()));
    }
    assert_eq!(effects.count(), 1);
}

#[tokio::test]
async fn of_many_deliveries_at_once_one_is_handled() {
    let inbox = Inbox::new(OverRecords::new(MemoryStore::new()));
    let effects = Effects::default();
    let deliveries = (0..16).map(|_| {
        let (inbox, effects) = (inbox.clone(), effects.clone());
        tokio::spawn(async move { inbox.once("shop", "1", || effects.take()).await.unwrap() })
    });
    let mut now = 0;
    for delivery in deliveries.collect::<Vec<_>>() {
        now += u32::from(matches!(delivery.await.unwrap(), Handled::Now(_)));
    }
    assert_eq!((now, effects.count()), (1, 1));
}

#[tokio::test]
async fn what_failed_or_panicked_is_handled_again_at_once() {
    let inbox = Inbox::new(MemoryStore::new());
    let failed = inbox.once("shop", "1", || async { Err("no such customer") }).await.unwrap();
    assert_eq!(failed, Handled::Failed("no such customer"));
    let panics = || async { panic!("out of {}", "range") };
    let panicked: Handled<String> = inbox.once("shop", "1", panics).await.unwrap();
    assert_eq!(panicked, Handled::Panicked("out of range".into()));
    let effects = Effects::default();
    let handled = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    assert_eq!((handled, effects.count()), (Handled::Now(outcome()), 1));
}

#[tokio::test]
async fn a_panic_before_the_first_await_is_caught_too() {
    let inbox = Inbox::new(MemoryStore::new());
    let panics = || -> std::future::Ready<Result<JsonValue, String>> { panic!("at once") };
    let panicked = inbox.once("shop", "1", panics).await.unwrap();
    assert_eq!(panicked, Handled::Panicked("at once".into()));
    let begun = inbox.store().begin(&request("1")).await.unwrap();
    assert!(matches!(begun, Begun::Fresh(_)));
}

#[tokio::test]
async fn a_handler_that_was_dropped_leaves_its_message_to_others_after_its_lease() {
    let (clock, store) = manual();
    let inbox = Inbox::new(store);
    let never = inbox.once("shop", "1", std::future::pending::<Result<JsonValue, String>>);
    tokio::time::timeout(Duration::from_millis(20), never).await.unwrap_err();
    let effects = Effects::default();
    let begun = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    let until = clock.now().plus(LEASE.try_into().unwrap());
    assert_eq!((begun, effects.count()), (Handled::InProgress { until }, 0));
    clock.advance(LEASE.try_into().unwrap());
    let handled = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    assert_eq!((handled, effects.count()), (Handled::Now(outcome()), 1));
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_long_handler_is_renewed() {
    let (clock, store) = manual();
    let inbox = Inbox::new(store);
    let began = Instant::now();
    let long = {
        let (inbox, clock) = (inbox.clone(), clock.clone());
        let hours = Duration::from_secs(3 * 60 * 60);
        tokio::spawn(async move {
            let passes = async {
                while began.elapsed() < hours {
                    sleep(Duration::from_secs(1)).await;
                    clock.advance(Millis::new(1_000).unwrap());
                }
                Ok::<_, String>(outcome())
            };
            inbox.once("shop", "1", || passes).await.unwrap()
        })
    };
    for _ in 0..10 {
        sleep(Duration::from_secs(10 * 60)).await;
        let begun = inbox.store().begin(&request("1")).await.unwrap();
        assert!(matches!(begun, Begun::InProgress { .. }), "{begun:?}");
    }
    assert_eq!(long.await.unwrap(), Handled::Now(outcome()));
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_message_somebody_else_began_is_dropped() {
    let (clock, store) = manual();
    let inbox = Inbox::new(store);
    let overtaken = inbox.once("shop", "1", || async {
        clock.advance(Millis::try_from(LEASE).unwrap());
        let begun = inbox.store().begin(&request("1")).await.unwrap();
        assert!(matches!(begun, Begun::Fresh(_)));
        std::future::pending::<Result<JsonValue, String>>().await
    });
    assert_eq!(overtaken.await.unwrap(), Handled::Overtaken);

    let late = inbox.once("shop", "2", || async {
        clock.advance(Millis::try_from(LEASE).unwrap());
        let Begun::Fresh(other) = inbox.store().begin(&request("2")).await.unwrap() else {
            panic!("it can be begun")
        };
        let remember = Millis::new(1).unwrap();
        let settled = inbox.store().complete(&other, &outcome(), remember).await.unwrap();
        assert_eq!(settled, Settled::Done);
        Ok::<_, String>(JsonValue::default())
    });
    assert_eq!(late.await.unwrap(), Handled::Overtaken);
}

#[tokio::test(start_paused = true)]
async fn lost_replies_of_every_call_do_no_harm() {
    const LOST: Fault = Fault::Done(ErrorKind::Unknown);
    let store = FaultyStore::planned(MemoryStore::new(), [LOST, LOST, Fault::None, LOST, LOST]);
    let inbox = Inbox::new(store);
    let effects = Effects::default();
    let handled = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    assert_eq!(handled, Handled::Now(outcome()));
    let again = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    assert_eq!((again, effects.count()), (Handled::Before(outcome()), 1));

    let store = FaultyStore::planned(MemoryStore::new(), [Fault::None, LOST, LOST]);
    let inbox = Inbox::new(store);
    let failed = inbox.once("shop", "1", || async { Err("failed") }).await.unwrap();
    assert_eq!(failed, Handled::Failed("failed"));
    let handled = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    assert_eq!(handled, Handled::Now(outcome()));
}

#[tokio::test(start_paused = true)]
async fn an_error_after_the_handler_says_that_it_was_the_completion() {
    let plan = [Fault::None].into_iter().chain([Fault::NotDone(ErrorKind::Unavailable); 3]);
    let inbox = Inbox::new(FaultyStore::planned(MemoryStore::new(), plan));
    let effects = Effects::default();
    let error = inbox.once("shop", "1", || effects.clone().take()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("complete")));
    assert_eq!(effects.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_runs_into_the_deadline() {
    let limit = Duration::from_secs(3);
    let store = FaultyStore::planned(MemoryStore::new(), [Fault::Hangs]);
    let inbox = Inbox::new(store).with_deadline(limit);
    let began = Instant::now();
    let effects = Effects::default();
    let error = inbox.once("shop", "1", || effects.clone().take()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unknown, Some("begin")));
    assert_eq!((began.elapsed(), effects.count()), (limit, 0));
}

/// Over an inbox of its own and over records, where a fault may come between any two calls of the
/// store below.
#[tokio::test(start_paused = true)]
async fn a_message_that_was_completed_is_never_handled_again_whatever_is_lost() {
    let rates = FaultRates {
        unavailable: 0.1,
        unknown_before: 0.1,
        unknown_after: 0.2,
        ..FaultRates::default()
    };
    let mut outcomes = [0_u32; 4];
    for seed in 0..40 {
        let (clock, store) = manual();
        let inbox = if seed % 2 == 0 {
            Inbox::new(FaultyStore::seeded(store, seed, rates))
        } else {
            Inbox::new(OverRecords::new(FaultyStore::seeded(store, seed, rates)))
        };
        let effects = Effects::default();
        // Once somebody was told so.
        let mut is_completed = false;
        for _ in 0..30 {
            let before = effects.count();
            let handled = inbox.once("shop", "1", || effects.clone().take()).await;
            let ran = effects.count() - before;
            assert!(ran <= 1 && !(is_completed && ran > 0), "seed {seed}");
            match handled {
                Ok(Handled::Now(_)) => {
                    assert_eq!(ran, 1);
                    is_completed = true;
                    outcomes[0] += 1;
                }
                Ok(Handled::Before(_)) => {
                    assert_eq!(ran, 0);
                    is_completed = true;
                    outcomes[1] += 1;
                }
                Ok(Handled::InProgress { .. }) => {
                    clock.advance(Millis::try_from(LEASE).unwrap());
                    outcomes[2] += 1;
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert!(error.is_retryable(), "{error}");
                    outcomes[3] += 1;
                }
            }
        }
        assert!(is_completed, "seed {seed}");
    }
    assert!(outcomes.iter().all(|count| *count > 0), "all of it happens: {outcomes:?}");
}

#[tokio::test]
async fn an_inbox_over_records_leaves_no_trace_among_them() {
    let (clock, store) = manual();
    let inbox = Inbox::new(OverRecords::new(store.clone()));
    let effects = Effects::default();
    let _ = inbox.once("shop", "1", || effects.clone().take()).await.unwrap();
    let _ = inbox.store().begin(&request("2")).await.unwrap();
    clock.advance(Millis::MAX);
    let shop = "shop".try_into().unwrap();
    let page = store.list(&Filter::default(), None, PageSize::MAX).await.unwrap();
    assert_eq!(page.records, []);
    let statistics = store.statistics(&shop).await.unwrap();
    assert_eq!((statistics.counts.total(), statistics.due_now), (0, 0));
    assert_eq!((statistics.next_due, statistics.oldest_pending), (None, None));
    assert_eq!(inbox.forget_expired("shop").await.unwrap(), 2);
    let key = Key::new("shop", "sync-tracker/inbox", "1").unwrap();
    assert_eq!(store.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_record_that_holds_no_entry_is_corrupt() {
    let store = MemoryStore::new();
    let key = Key::new("shop", "sync-tracker/inbox", "1").unwrap();
    let metadata = MetadataOp::Replace(Metadata::new(json!({ "token": "seven" })).unwrap());
    let then = Patch { metadata, ..Patch::default() };
    let change = Change::new([Arm { when: Guard::default(), then }]).unwrap();
    assert!(store.apply(&key, &change).await.unwrap().is_applied());
    let error = OverRecords::new(store).begin(&request("1")).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&key)));
}

#[test]
fn settings_out_of_range_are_refused() {
    let inbox = Inbox::new(MemoryStore::new());
    assert!(inbox.clone().with_lease(Duration::ZERO).is_err());
    assert!(inbox.clone().with_remember_for(Duration::MAX).is_err());
    assert!(inbox.with_lease(LEASE).is_ok());
}
