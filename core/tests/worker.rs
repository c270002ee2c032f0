//! The worker: it pushes what is due, keeps its leases, and stops gracefully.

#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sync_tracker_conformance::{FaultRates, FaultyStore};
use sync_tracker_core::rules::RetrySchedule;
use sync_tracker_core::{
    Done, EntityRef, Failed, Job, Operation, PushResult, Status, Tracker, Worker,
};
use sync_tracker_memory::MemoryStore;

const MILLI: Duration = Duration::from_millis(1);

fn tracker() -> Tracker {
    let waits = [20 * MILLI, 20 * MILLI];
    Tracker::new(MemoryStore::new())
        .with_retry_schedule(RetrySchedule::steps(waits).unwrap())
        .with_sources("product", ["shop"])
        .unwrap()
}

fn product(id: usize) -> EntityRef {
    EntityRef::new("product", id).unwrap()
}

async fn created(tracker: &Tracker, count: usize) {
    for result in tracker.created_many((0..count).map(product)).await {
        assert!(result.unwrap()[0].outcome.is_applied());
    }
}

async fn status(tracker: &Tracker, id: usize) -> Status {
    tracker.status(product(id), "shop").await.unwrap().unwrap()
}

#[tokio::test]
async fn everything_due_is_pushed_once_and_never_more_at_a_time_than_allowed() {
    let tracker = tracker();
    created(&tracker, 50).await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let pushed = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let (now, most, pushed) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&pushed));
        move |job: Job| {
            let (now, most, pushed) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&pushed));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(2 * MILLI).await;
                now.fetch_sub(1, Ordering::SeqCst);
                let id = job.entity().entity_id.clone();
                pushed.lock().unwrap().push(id.clone());
                assert_eq!(job.operation(), Operation::Create);
                Ok(Done::new().external_id(id.as_str())?)
            }
        }
    };
    let worker = Worker::new(&tracker, "shop", handler).unwrap().concurrency(5);
    let counts = worker.run_until_idle().await;
    assert_eq!((counts.claimed, counts.synced, counts.failed), (50, 50, 0));
    let pushed = pushed.lock().unwrap();
    assert_eq!(pushed.iter().collect::<HashSet<_>>().len(), 50);
    assert_eq!(pushed.len(), 50);
    assert_eq!(most.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn failures_are_retried_and_given_up_at_last() {
    let tracker = tracker();
    created(&tracker, 3).await;
    let worker = Worker::new(&tracker, "shop", async |job: Job| {
        match (job.entity().entity_id.as_str(), job.attempt()) {
            ("0", 1) => Err(Failed::transient("not yet").with_code("503")),
            ("0", _) => Ok(Done::new()),
            ("1", _) => Err(Failed::permanent("never")),
            _ => Err(Failed::transient("always")),
        }
    });
    let counts = worker.unwrap().idle(MILLI, 5 * MILLI).run_until_idle().await;
    assert_eq!(status(&tracker, 0).await, Status::Synced);
    assert_eq!(status(&tracker, 1).await, Status::DeadLetter);
    assert_eq!(status(&tracker, 2).await, Status::DeadLetter);
    assert_eq!((counts.synced, counts.failed, counts.dead_lettered), (1, 5, 2));
}

#[tokio::test]
async fn a_handler_that_panics_is_a_failed_push_of_unknown_outcome() {
    let tracker = tracker();
    created(&tracker, 2).await;
    let worker = Worker::new(&tracker, "shop", async |job: Job| -> PushResult {
        assert!(job.entity().entity_id.as_str() != "0" || job.in_doubt(), "first time");
        Ok(Done::new())
    });
    let counts = worker.unwrap().idle(MILLI, 5 * MILLI).run_until_idle().await;
    assert_eq!((counts.panicked, counts.failed, counts.synced), (1, 1, 2));
    assert_eq!(status(&tracker, 0).await, Status::Synced, "and its next attempt was in doubt");
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_handler_runs() {
    let tracker = tracker();
    created(&tracker, 1).await;
    let worker = Worker::new(&tracker, "shop", async |_| {
        tokio::time::sleep(1_500 * MILLI).await;
        Ok(Done::new())
    });
    let handle = worker.unwrap().lease(600 * MILLI).spawn();
    tokio::time::sleep(100 * MILLI).await;
    for _ in 0..12 {
        assert!(tracker.claim("shop").await.unwrap().is_empty(), "nobody else gets it");
        tokio::time::sleep(100 * MILLI).await;
    }
    let counts = handle.stop().await;
    assert_eq!((counts.synced, counts.leases_lost), (1, 0));
    assert_eq!(status(&tracker, 0).await, Status::Synced);
}

#[tokio::test]
async fn a_worker_whose_lease_was_taken_drops_the_push_and_changes_nothing() {
    let tracker = tracker();
    created(&tracker, 1).await;
    let ended = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&ended);
    let worker = Worker::new(&tracker, "shop", move |_| {
        let seen = Arc::clone(&seen);
        async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            seen.fetch_add(1, Ordering::SeqCst);
            Ok(Done::new())
        }
    });
    let handle = worker.unwrap().lease(90 * MILLI).spawn();
    while handle.counts().claimed == 0 {
        tokio::time::sleep(MILLI).await;
    }
    // The id is forgotten and born again: the lease is gone with the record.
    assert_eq!(tracker.forget(product(0)).await.unwrap(), 1);
    let _ = tracker.mark_synced(product(0), "shop").external_id("other").await.unwrap();
    while handle.counts().leases_lost == 0 {
        tokio::time::sleep(MILLI).await;
    }
    let counts = handle.stop().await;
    assert_eq!((counts.leases_lost, counts.synced), (1, 0));
    assert_eq!(ended.load(Ordering::SeqCst), 0, "the handler was dropped");
    assert_eq!(tracker.external_id(product(0), "shop").await.unwrap().unwrap().as_str(), "other");
}

#[tokio::test]
async fn stopping_waits_for_handlers_and_claims_nothing_more() {
    let tracker = tracker();
    created(&tracker, 10).await;
    let worker = Worker::new(&tracker, "shop", async |_| {
        tokio::time::sleep(500 * MILLI).await;
        Ok(Done::new())
    });
    let handle = worker.unwrap().concurrency(2).spawn();
    while handle.counts().claimed < 2 {
        tokio::time::sleep(MILLI).await;
    }
    let counts = handle.stop().await;
    assert_eq!((counts.claimed, counts.synced), (2, 2));
    let statistics = tracker.statistics("shop").await.unwrap();
    assert_eq!(statistics.counts.in_status(Status::Pending), 8);
    assert_eq!(statistics.counts.in_status(Status::InProgress), 0);
}

#[tokio::test]
async fn a_handler_that_takes_too_long_to_stop_is_dropped_and_its_create_in_doubt() {
    let tracker = tracker();
    created(&tracker, 1).await;
    let worker = Worker::new(&tracker, "shop", async |_| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(Done::new())
    });
    let started = async {
        while status(&tracker, 0).await != Status::InProgress {
            tokio::time::sleep(MILLI).await;
        }
    };
    let counts = worker.unwrap().grace(20 * MILLI).run_until(started).await;
    assert_eq!(counts.failed, 1);
    let record = tracker.record(product(0), "shop").await.unwrap().unwrap();
    assert_eq!(record.status(), Status::Failed);
    assert!(record.in_doubt);
    assert_eq!(record.failure.unwrap().code.as_deref(), Some("shutdown"));
}

#[tokio::test]
async fn a_remote_that_asks_for_patience_pauses_the_source() {
    let tracker = tracker();
    created(&tracker, 20).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let worker = Worker::new(&tracker, "shop", move |_| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if call == 0 {
                return Err(Failed::throttled("429").retry_after(800 * MILLI));
            }
            Ok(Done::new())
        }
    });
    let worker = worker.unwrap().concurrency(1).idle(MILLI, 5 * MILLI);
    let run = tokio::spawn(worker.run_until_idle());
    let pause = loop {
        if let Some(pause) = tracker.paused("shop").await.unwrap() {
            break pause;
        }
        tokio::time::sleep(MILLI).await;
    };
    assert_eq!(pause.reason.as_str(), "throttled");
    let before = calls.load(Ordering::SeqCst);
    tokio::time::sleep(200 * MILLI).await;
    assert_eq!(calls.load(Ordering::SeqCst), before, "nothing is pushed meanwhile");
    let counts = run.await.unwrap();
    assert_eq!((counts.throttled, counts.synced), (1, 20));
    assert_eq!(status(&tracker, 0).await, Status::Synced, "and no attempt was charged");
}

#[tokio::test]
async fn what_a_push_tells_against_the_ledger_is_a_dead_letter() {
    let tracker = tracker();
    let _ = tracker.mark_synced(product(7), "shop").external_id("taken").await.unwrap();
    created(&tracker, 1).await;
    let worker =
        Worker::new(&tracker, "shop", async |_| Ok(Done::new().external_id("taken")?)).unwrap();
    let counts = worker.run_until_idle().await;
    assert_eq!((counts.synced, counts.dead_lettered), (0, 1));
    let record = tracker.record(product(0), "shop").await.unwrap().unwrap();
    let failure = record.failure.unwrap();
    assert_eq!(failure.code.as_deref(), Some("refused"));
    assert!(failure.message.contains("taken by product/7"), "{}", failure.message);
}

#[tokio::test]
async fn two_workers_share_the_work() {
    let tracker = tracker();
    created(&tracker, 100).await;
    let worker = || {
        let worker = Worker::new(&tracker, "shop", async |_| {
            tokio::time::sleep(MILLI).await;
            Ok(Done::new())
        });
        worker.unwrap().run_until_idle()
    };
    let (one, other) = tokio::join!(worker(), worker());
    assert_eq!(one.synced + other.synced, 100);
    assert!(one.synced > 10 && other.synced > 10, "{one:?} {other:?}");
}

#[tokio::test]
async fn over_a_store_that_loses_replies_everything_is_pushed_and_nothing_created_twice() {
    const PRODUCTS: usize = 20;
    let rates = FaultRates {
        unavailable: 0.03,
        unknown_before: 0.03,
        unknown_after: 0.1,
        late: 0.1,
        delay: 5 * MILLI,
        hangs: 0.0,
    };
    let mut faults_seen = 0;
    for seed in 0..2 {
        let reliable = MemoryStore::new();
        let setup = Tracker::new(reliable.clone()).with_sources("product", ["shop"]).unwrap();
        created(&setup, PRODUCTS).await;
        let tracker = Tracker::new(FaultyStore::seeded(reliable, seed, rates))
            .with_retry_schedule(RetrySchedule::steps([20 * MILLI; 30]).unwrap());
        let remote: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let shop = Arc::clone(&remote);
        let worker = Worker::new(&tracker, "shop", move |job: Job| {
            let shop = Arc::clone(&shop);
            async move {
                let id = job.entity().entity_id.as_str().to_owned();
                let mut shop = shop.lock().unwrap();
                if !(job.in_doubt() && shop.contains_key(&id)) {
                    *shop.entry(id.clone()).or_default() += 1;
                }
                Ok(Done::new().external_id(id)?)
            }
        });
        let worker = worker.unwrap().lease(200 * MILLI).concurrency(8).idle(MILLI, 20 * MILLI);
        let counts = worker.run_until_idle().await;
        faults_seen += counts.errors + counts.leases_lost;
        let remote = remote.lock().unwrap().clone();
        assert_eq!(remote.len(), PRODUCTS, "seed {seed}");
        assert!(remote.values().all(|creates| *creates == 1), "seed {seed}: {remote:?}");
        let statistics = setup.statistics("shop").await.unwrap();
        let synced = statistics.counts.in_status(Status::Synced);
        assert_eq!(synced, u64::try_from(PRODUCTS).unwrap(), "seed {seed}: {counts:?}");
    }
    assert!(faults_seen > 0, "some calls failed for good, or this shows nothing");
}

#[tokio::test(start_paused = true)]
async fn a_worker_rests_longer_and_longer_while_nothing_is_due_and_briefly_after_work() {
    let tracker = tracker();
    let worker = Worker::new(&tracker, "shop", async |_| Ok(Done::new())).unwrap();
    let handle = worker.idle(50 * MILLI, Duration::from_secs(5)).spawn();
    // Rests of 50, 100, … 3,200 ms, then of 5 s: it looks at 16.35 s, and next at 21.35 s.
    tokio::time::sleep(Duration::from_secs(17)).await;
    let pushed_after = async |id| {
        let since = tokio::time::Instant::now();
        tracker.created(product(id)).await.unwrap();
        while status(&tracker, id).await != Status::Synced {
            tokio::time::sleep(10 * MILLI).await;
        }
        since.elapsed()
    };
    let first = pushed_after(0).await;
    assert!((4_000 * MILLI..5_000 * MILLI).contains(&first), "{first:?}");
    let second = pushed_after(1).await;
    assert!(second <= 200 * MILLI, "{second:?}");
    assert_eq!(handle.stop().await.synced, 2);
}
