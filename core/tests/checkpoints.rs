//! Pulling by checkpoints, on a store that works and on one that fails.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use sync_tracker_conformance::{Fault, FaultRates, FaultyStore};
use sync_tracker_core::{
    CheckpointStore, Checkpoints, EntityRef, ErrorKind, Evidence, Finished, FullRun, JsonValue,
    ManualClock, Millis, OverRecords, Saved, StartBound, StoreClock, SyncStore, Timestamp, Tracker,
};
use sync_tracker_memory::MemoryStore;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn manual() -> (ManualClock, MemoryStore) {
    let clock = ManualClock::new(Timestamp::from_millis(1_700_000_000_000).unwrap()).unwrap();
    (clock.clone(), MemoryStore::with_clock(StoreClock::Manual(clock)))
}

fn cursor(number: i64) -> JsonValue {
    JsonValue::new(json!({ "page": number })).unwrap()
}

fn days(days: u32) -> Millis {
    Millis::try_from(days * DAY).unwrap()
}

#[tokio::test]
async fn a_run_begins_where_the_last_one_got_to_and_its_bound_stays() {
    let checkpoints = Checkpoints::new(MemoryStore::new());
    let mut run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::Full(FullRun::First));
    for page in 1..=3 {
        assert!(matches!(run.advance(cursor(page)).await.unwrap(), Saved::Done(_)));
        assert_eq!(*run.start_bound(), StartBound::Full(FullRun::First), "fixed for the run");
    }
    drop(run);
    let mut run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::After(cursor(3)), "a failed run keeps its pages");
    let _ = run.advance(cursor(4)).await.unwrap();
    assert_eq!(run.start_bound().value(), Some(&cursor(3)));
    let all = checkpoints.of_source("shop").await.unwrap();
    assert_eq!(all, [("orders".try_into().unwrap(), run.checkpoint().clone())]);
}

#[tokio::test]
async fn an_empty_run_without_evidence_moves_nothing() {
    let checkpoints = Checkpoints::new(MemoryStore::new());
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    let kept = run.finish(cursor(1), Evidence::Nothing).await.unwrap();
    assert!(matches!(&kept, Finished::Kept(there) if there.value.is_none()));
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::Full(FullRun::First));
    // The remote went on with its cursor, though there was nothing on the page.
    let saved = run.finish(cursor(1), Evidence::Cursor).await.unwrap();
    assert!(matches!(&saved, Finished::Saved(there) if there.value == Some(cursor(1))));
    // Pages before the last, empty one are evidence too.
    let mut run = checkpoints.begin("shop", "orders").await.unwrap();
    let _ = run.advance(cursor(2)).await.unwrap();
    let saved = run.finish(cursor(3), Evidence::Nothing).await.unwrap();
    assert!(matches!(&saved, Finished::Saved(there) if there.value == Some(cursor(3))));
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    let saved = run.finish(cursor(4), Evidence::Items).await.unwrap();
    assert!(matches!(saved, Finished::Saved(_)));
}

#[tokio::test]
async fn a_stale_run_is_refused_and_told_where_the_checkpoint_stands() {
    let checkpoints = Checkpoints::new(MemoryStore::new());
    let mut slow = checkpoints.begin("shop", "orders").await.unwrap();
    let fast = checkpoints.begin("shop", "orders").await.unwrap();
    let Finished::Saved(there) = fast.finish(cursor(9), Evidence::Items).await.unwrap() else {
        panic!("it is the first")
    };
    for _ in 0..2 {
        assert_eq!(slow.advance(cursor(5)).await.unwrap(), Saved::Stale(there.clone()));
    }
    let stale = slow.finish(cursor(6), Evidence::Items).await.unwrap();
    assert_eq!(stale, Finished::Stale(there));

    let run = checkpoints.begin("shop", "orders").await.unwrap();
    let reset = checkpoints.reset("shop", "orders").await.unwrap();
    let stale = run.finish(cursor(10), Evidence::Items).await.unwrap();
    assert_eq!(stale, Finished::Stale(reset));
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::Full(FullRun::Reset));
}

#[tokio::test]
async fn a_lookback_is_taken_off_at_reading_only_and_the_maximum_never_goes_back() {
    let checkpoints = Checkpoints::new(MemoryStore::new());
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert!(matches!(run.finish_at(Some(500_i64)).await.unwrap(), Finished::Saved(_)));
    for _ in 0..3 {
        let run = checkpoints.begin("shop", "orders").await.unwrap();
        assert_eq!(run.start_watermark::<i64>(20).unwrap(), Some(480));
        assert_eq!(run.start_watermark::<i64>(u64::MAX).unwrap(), Some(i64::MIN));
        // Only what the lookback brings again.
        let saved = run.finish_at(Some(485_i64)).await.unwrap();
        assert!(matches!(saved, Finished::Saved(there) if there.value == JsonValue::of(&500).ok()));
    }
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert!(matches!(run.finish_at(None::<i64>).await.unwrap(), Finished::Kept(_)));
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    let error = run.start_watermark::<Timestamp>(Millis::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(run.finish_at(Some(Timestamp::MAX)).await.unwrap_err().kind(), ErrorKind::Corrupt);

    let instant = Timestamp::from_millis(1_000).unwrap();
    let mut run = checkpoints.begin("shop", "refunds").await.unwrap();
    assert_eq!(run.start_watermark::<Timestamp>(Millis::MAX).unwrap(), None);
    let _ = run.advance_to(instant).await.unwrap();
    let _ = run.advance_to(Timestamp::from_millis(999).unwrap()).await.unwrap();
    let run = checkpoints.begin("shop", "refunds").await.unwrap();
    let start = run.start_watermark::<Timestamp>(Millis::new(1).unwrap()).unwrap();
    assert_eq!(start, Timestamp::from_millis(999).ok());
}

#[tokio::test]
async fn a_checkpoint_older_than_the_purge_horizon_forces_a_full_run() {
    let (clock, store) = manual();
    let (tracker, checkpoints) = (Tracker::new(store.clone()), Checkpoints::new(store));
    for source in ["shop", "other"] {
        let run = checkpoints.begin(source, "orders").await.unwrap();
        let _ = run.finish(cursor(1), Evidence::Items).await.unwrap();
    }
    let under_way = checkpoints.begin("shop", "orders").await.unwrap();
    clock.advance(days(30));
    let purge = || tracker.purge("shop").tombstones(30 * DAY).recording(&checkpoints);
    assert_eq!(purge().await.unwrap(), 0);
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::After(cursor(1)), "as old as the horizon");

    clock.advance(Millis::new(1).unwrap());
    assert_eq!(purge().await.unwrap(), 0);
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::Full(FullRun::BehindPurge));
    assert_eq!(run.checkpoint().generation.get(), 1);
    let stale = under_way.finish(cursor(2), Evidence::Items).await.unwrap();
    assert!(matches!(stale, Finished::Stale(_)), "it began before");
    drop(run);
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::Full(FullRun::Reset), "also after a crash");
    let _ = run.finish(cursor(3), Evidence::Items).await.unwrap();
    let run = checkpoints.begin("shop", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::After(cursor(3)));
    let run = checkpoints.begin("other", "orders").await.unwrap();
    assert_eq!(*run.start_bound(), StartBound::After(cursor(1)), "of one source");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_purged_before_the_horizon_is_recorded() {
    let (clock, store) = manual();
    let tracker = Tracker::new(store.clone());
    let product = EntityRef::new("product", 1).unwrap();
    let _ = tracker.mark_synced(&product, "shop").await.unwrap();
    tracker.deleted(&product).await.unwrap();
    let _ = tracker.mark_synced(&product, "shop").await.unwrap();
    clock.advance(days(31));

    let down = [Fault::NotDone(ErrorKind::Unavailable); 3];
    let checkpoints = Checkpoints::new(FaultyStore::planned(store.clone(), down));
    let purge = || tracker.purge("shop").tombstones(30 * DAY);
    let error = purge().recording(&checkpoints).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let key = product.in_source(&"shop".try_into().unwrap());
    assert!(store.get(&key).await.unwrap().is_some(), "it is still there");
    assert_eq!(purge().recording(&checkpoints).await.unwrap(), 1);
    let horizon = store.horizon(&key.source).await.unwrap();
    assert_eq!(horizon, Some(clock.now().minus(days(30))));
}

#[tokio::test(start_paused = true)]
async fn lost_replies_of_every_call_do_no_harm() {
    const LOST: Fault = Fault::Done(ErrorKind::Unknown);
    let plan = [LOST, LOST, Fault::None, LOST, Fault::None, LOST, LOST, Fault::None, LOST];
    let checkpoints = Checkpoints::new(FaultyStore::planned(MemoryStore::new(), plan));
    let mut run = checkpoints.begin("shop", "orders").await.unwrap();
    for page in 1..=2 {
        let Saved::Done(there) = run.advance(cursor(page)).await.unwrap() else {
            panic!("it is the only run")
        };
        assert_eq!(there.version.get(), u64::try_from(page).unwrap());
    }
    assert_eq!(checkpoints.reset("shop", "orders").await.unwrap().generation.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_runs_into_the_deadline() {
    let limit = Duration::from_secs(3);
    let plan = [Fault::None, Fault::None, Fault::Hangs, Fault::Hangs];
    let store = FaultyStore::planned(MemoryStore::new(), plan);
    let checkpoints = Checkpoints::new(store).with_deadline(limit);
    let mut run = checkpoints.begin("shop", "orders").await.unwrap();
    let began = tokio::time::Instant::now();
    let error = run.advance(cursor(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unknown, Some("save")));
    let error = checkpoints.begin("shop", "orders").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("load")));
    assert_eq!(began.elapsed(), 2 * limit);
}

/// Runs crash and calls are lost, anywhere; still every item is taken in.
#[tokio::test(start_paused = true)]
async fn whatever_crashes_and_whatever_is_lost_no_item_is_skipped() {
    let rates = FaultRates {
        unavailable: 0.15,
        unknown_before: 0.15,
        unknown_after: 0.25,
        ..FaultRates::default()
    };
    for seed in 0..40 {
        let store = MemoryStore::new();
        let checkpoints = if seed % 2 == 0 {
            Checkpoints::new(FaultyStore::seeded(store, seed, rates))
        } else {
            Checkpoints::new(OverRecords::new(FaultyStore::seeded(store, seed, rates)))
        };
        let mut taken_in = BTreeSet::new();
        let mut runs = 0;
        while !taken_in.contains(&50) {
            runs += 1;
            assert!(runs < 1_000, "seed {seed}: it does not get on");
            let Ok(mut run) = checkpoints.begin("shop", "orders").await else { continue };
            // A run at the same time, which is stale by and by.
            let other = checkpoints.begin("shop", "orders").await;
            let start = run.start_watermark::<i64>(0).unwrap().unwrap_or(0);
            for item in start + 1..=50 {
                taken_in.insert(item);
                if !matches!(run.advance_to(item).await, Ok(Saved::Done(_))) {
                    break;
                }
                if item % 7 == i64::try_from(seed % 7).unwrap() {
                    break;
                }
            }
            if let Ok(mut other) = other
                && runs % 3 == 0
            {
                let start = other.start_watermark::<i64>(0).unwrap().unwrap_or(0);
                taken_in.insert(start + 1);
                let _ = other.advance_to(start + 1).await;
            }
        }
        assert_eq!(taken_in.into_iter().take(50).collect::<Vec<_>>(), Vec::from_iter(1..=50));
    }
}
