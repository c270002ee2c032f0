//! The tracker, as an application uses it.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::json;
use sync_tracker_core::rules::RetrySchedule;
use sync_tracker_core::{
    ClaimId, EntityRef, ErrorKind, FailureNote, Fingerprint, ManualClock, Metadata, Millis,
    Operation, Outcome, Refusal, RemoteVersion, Status, StoreClock, Timestamp, Tracker,
};
use sync_tracker_memory::MemoryStore;

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_millis(1_700_000_000_000).unwrap()).unwrap()
}

fn tracker(clock: &ManualClock) -> Tracker {
    let store = MemoryStore::with_clock(StoreClock::Manual(clock.clone()));
    let waits = [Duration::from_secs(1), Duration::from_secs(10)];
    Tracker::new(store)
        .with_retry_schedule(RetrySchedule::steps(waits).unwrap())
        .with_sources("product", ["shop", "erp"])
        .unwrap()
}

fn product() -> EntityRef {
    EntityRef::new("product", 1).unwrap()
}

#[tokio::test]
async fn a_local_change_touches_configured_and_tracked_sources() {
    let tracker = tracker(&clock());
    let outcomes = tracker.created(product()).await.unwrap();
    let sources: Vec<_> = outcomes.iter().map(|outcome| outcome.source.as_str()).collect();
    assert_eq!(sources, ["erp", "shop"]);
    let marked = tracker.mark_synced(product(), "crm").external_id("SF-1").await.unwrap();
    assert!(marked.is_applied());

    let outcomes = tracker.updated(product()).await.unwrap();
    let sources: Vec<_> = outcomes.iter().map(|outcome| outcome.source.as_str()).collect();
    assert_eq!(sources, ["crm", "erp", "shop"]);
    for source in sources {
        assert_eq!(tracker.status(product(), source).await.unwrap(), Some(Status::Pending));
    }
    let stranger = EntityRef::new("customer", 1).unwrap();
    assert_eq!(tracker.updated(&stranger).await.unwrap(), []);
}

#[tokio::test]
async fn each_source_answers_for_itself() {
    let tracker = tracker(&clock());
    let _ = tracker.mark_synced(product(), "shop").await.unwrap();
    let outcomes = tracker.created(product()).await.unwrap();
    assert!(outcomes[0].outcome.is_applied(), "erp had no record");
    assert_eq!(outcomes[1].outcome.refusal(), Some(&Refusal::AlreadyExists));
}

#[tokio::test]
async fn a_success_tells_what_it_likes_and_keeps_the_rest() {
    let tracker = tracker(&clock());
    let _ = tracker
        .mark_synced(product(), "shop")
        .external_id(77)
        .remote_version(RemoteVersion::Sequence(3))
        .fingerprint(Fingerprint::new("sha256:aa").unwrap())
        .replace_metadata(json!({ "a": 1, "b": 2 }))
        .await
        .unwrap();
    let _ = tracker
        .mark_synced(product(), "shop")
        .remove_metadata(["a"])
        .merge_metadata(json!({ "c": 3 }))
        .await
        .unwrap();
    let record = tracker.record(product(), "shop").await.unwrap().unwrap();
    assert_eq!(record.external_id.as_ref().map(|id| id.as_str()), Some("77"));
    assert_eq!(record.remote_version, Some(RemoteVersion::Sequence(3)));
    assert_eq!(record.metadata, Metadata::new(json!({ "b": 2, "c": 3 })).unwrap());
    let found = tracker.by_external_id("shop", "product", "77").await.unwrap();
    assert_eq!(found, Some(record));
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_written() {
    let tracker = tracker(&clock());
    let errors = [
        tracker.mark_synced(product(), "").await.unwrap_err(),
        tracker.mark_synced(product(), "shop").external_id("a\nb").await.unwrap_err(),
        tracker.mark_synced(product(), "shop").replace_metadata(json!([])).await.unwrap_err(),
        tracker.mark_synced(product(), "shop").remove_metadata(["\0"]).await.unwrap_err(),
        tracker.bind(product(), "shop", "x".repeat(513)).await.unwrap_err(),
        tracker.bind(product(), "shop", "x").in_place_of("").await.unwrap_err(),
        tracker.claim("shop").limit(0).await.unwrap_err(),
        tracker.claim("shop").limit(1_001).await.unwrap_err(),
        tracker.claim("shop").lease(Duration::ZERO).await.unwrap_err(),
        tracker.claim("shop").lease(Duration::MAX).await.unwrap_err(),
        tracker.claim("shop").worker("").await.unwrap_err(),
    ];
    let fields = [
        "source",
        "external id",
        "metadata",
        "metadata",
        "external id",
        "external id",
        "claim limit",
        "claim limit",
        "lease",
        "duration",
        "claim label",
    ];
    for (error, field) in errors.iter().zip(fields) {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.starts_with(&format!("invalid: {field} ")), "{text}");
        assert!(text.contains("(limit: "), "{text}");
    }
    assert_eq!(tracker.records_of(product()).await.unwrap(), []);
}

#[tokio::test]
async fn a_push_is_claimed_and_finished_once() {
    let tracker = tracker(&clock());
    tracker.created(product()).await.unwrap();
    let claimed = tracker.claim("shop").worker("w").lease(Duration::from_secs(9)).await.unwrap();
    let [push] = claimed.pushes.as_slice() else { panic!("one push") };
    assert_eq!(push.operation(), Operation::Create);
    assert_eq!(push.entity(), &product());
    assert_eq!((push.attempt(), push.in_doubt(), push.external_id()), (1, false, None));
    assert!(push.time_left() <= Duration::from_secs(9));
    assert!(push.time_left() > Duration::from_secs(5));
    assert!(tracker.claim("shop").await.unwrap().is_empty());

    let done = push.synced().external_id("x").await.unwrap();
    assert_eq!(done.record().unwrap().status(), Status::Synced);
    // The same report again is answered from the record; another report comes too late.
    assert!(matches!(
        push.synced().external_id("x").await.unwrap(),
        Outcome::Applied(applied) if applied.replayed
    ));
    let late = push.failed(FailureNote::transient("no")).await.unwrap();
    assert_eq!(late.refusal(), Some(&Refusal::LeaseLost));
    assert!(tracker.is_synced(product(), "shop").await.unwrap());
    assert!(!tracker.is_synced(product(), "erp").await.unwrap());
}

#[tokio::test]
async fn a_failed_push_comes_back_when_it_is_due_and_is_given_up_at_last() {
    let clock = clock();
    let tracker = tracker(&clock);
    tracker.created(product()).await.unwrap();
    for wait in [1_000, 10_000] {
        let push = tracker.claim("shop").await.unwrap().pushes.remove(0);
        let failed = push.failed(FailureNote::transient("down").with_code("503")).await.unwrap();
        assert_eq!(failed.record().unwrap().status(), Status::Failed);
        clock.advance(Millis::new(wait - 1).unwrap());
        assert!(tracker.claim("shop").await.unwrap().is_empty());
        clock.advance(Millis::new(1).unwrap());
    }
    let push = tracker.claim("shop").await.unwrap().pushes.remove(0);
    let dead = push.failed(FailureNote::transient("down")).await.unwrap();
    assert_eq!(dead.record().unwrap().status(), Status::DeadLetter);
    assert_eq!(tracker.status(product(), "erp").await.unwrap(), Some(Status::Pending));
}

#[tokio::test]
async fn a_remote_that_asks_for_patience_gets_it() {
    let clock = clock();
    let tracker = tracker(&clock);
    tracker.created(product()).await.unwrap();
    let push = tracker.claim("shop").await.unwrap().pushes.remove(0);
    let wait = Duration::from_secs(60);
    let throttled = push.failed(FailureNote::throttled("429")).retry_after(wait).await.unwrap();
    let record = throttled.record().unwrap();
    assert_eq!(record.attempts, 0);
    assert_eq!(record.retry_at, Some(clock.now().plus(Millis::try_from(wait).unwrap())));
}

#[tokio::test]
async fn a_push_is_renewed_and_released() {
    let clock = clock();
    let tracker = tracker(&clock);
    tracker.created(product()).await.unwrap();
    let mut push =
        tracker.claim("shop").lease(Duration::from_millis(50)).await.unwrap().pushes.remove(0);
    clock.advance(Millis::new(49).unwrap());
    assert!(push.renew(Duration::from_secs(60)).await.unwrap().is_applied());
    assert!(push.time_left() > Duration::from_secs(50));
    clock.advance(Millis::new(1_000).unwrap());
    assert!(tracker.claim("shop").await.unwrap().is_empty());
    assert!(push.release().await.unwrap().is_applied());
    assert_eq!(tracker.claim("shop").await.unwrap().pushes[0].attempt(), 1);
    assert_eq!(push.release().await.unwrap().record().unwrap().status(), Status::InProgress);
}

#[tokio::test]
async fn a_claim_repeated_under_its_id_gets_the_same_pushes() {
    let tracker = tracker(&clock());
    tracker.created(product()).await.unwrap();
    let id = ClaimId::labelled("w").unwrap();
    let first = tracker.claim("shop").id(id.clone()).await.unwrap();
    let again = tracker.claim("shop").id(id).await.unwrap();
    assert_eq!(first.pushes[0].record(), again.pushes[0].record());
}

#[tokio::test]
async fn attempts_that_never_report_end_as_a_dead_letter() {
    let clock = clock();
    let tracker = tracker(&clock);
    tracker.created(product()).await.unwrap();
    let mut keys = Vec::new();
    for _ in 0..3 {
        let push =
            tracker.claim("shop").lease(Duration::from_secs(1)).await.unwrap().pushes.remove(0);
        keys.push(push.idempotency_key());
        clock.advance(Millis::new(1_000).unwrap());
    }
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "one key for every attempt");
    let claimed = tracker.claim("shop").await.unwrap();
    assert!(claimed.pushes.is_empty() && !claimed.is_empty());
    assert_eq!(claimed.dead_lettered[0].status(), Status::DeadLetter);
}

#[tokio::test]
async fn a_push_without_a_claim_asserts_only_what_it_read() {
    let clock = clock();
    let tracker = tracker(&clock);
    tracker.created(product()).await.unwrap();
    let read = tracker.record(product(), "shop").await.unwrap().unwrap();
    tracker.updated(product()).await.unwrap();
    let marked = tracker.mark_synced(product(), "shop").external_id("x").as_of(&read).await;
    assert_eq!(marked.unwrap().record().unwrap().status(), Status::Pending);
    let read = tracker.record(product(), "shop").await.unwrap().unwrap();
    assert_eq!(tracker.forget(product()).await.unwrap(), 2);
    clock.advance(Millis::new(1).unwrap());
    tracker.created(product()).await.unwrap();
    let late = tracker.mark_synced(product(), "shop").as_of(&read).await.unwrap();
    assert_eq!(late.refusal(), Some(&Refusal::StaleIncarnation));
}
