//! Failures of leased pushes.

use sync_tracker_core::rules::{self, Bind, BindMode, MarkSynced};
use sync_tracker_core::{Change, FailureClass, FailureNote, Operation, Refusal, Status};

use crate::ground::{Ground, LEASE, external_id, fail, product, request, schedule, span};

pub async fn a_transient_failure_is_retried_by_the_schedule(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    for (attempt, wait) in [(1, 1_000), (2, 10_000)] {
        let leased = ground.lease(&key).await;
        let note = FailureNote::transient("down").with_code("503");
        let record = ground.applied(&key, &fail(&leased, &note)).await;
        assert_eq!(record.status(), Status::Failed);
        assert_eq!(record.attempts, attempt);
        assert_eq!(record.retry_at, Some(ground.now().plus(span(wait))));
        let failure = record.failure.as_ref().unwrap();
        assert_eq!(failure.class, FailureClass::Transient);
        assert_eq!((failure.code.as_deref(), &*failure.message), (Some("503"), "down"));
        assert!(!record.in_doubt);
        ground.is_sound().await;
        ground.advance(wait);
    }
    // What the remote asks for is the least to wait.
    let leased = ground.lease(&key).await;
    let note = FailureNote::throttled("later");
    let asked = rules::fail(leased.token, &note, &schedule(), Some(span(77)));
    let record = ground.applied(&key, &asked).await;
    assert_eq!(record.retry_at, Some(ground.now().plus(span(77))));
}

pub async fn attempts_past_the_schedule_make_a_dead_letter(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    for expected in [Status::Failed, Status::Failed, Status::DeadLetter] {
        let leased = ground.lease(&key).await;
        let record = ground.applied(&key, &fail(&leased, &FailureNote::transient("x"))).await;
        assert_eq!(record.status(), expected);
        ground.advance(10_000);
    }
    let record = ground.record(&key).await;
    assert_eq!((record.retry_at, record.attempts), (None, 3));
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.is_sound().await;
}

pub async fn a_throttled_push_is_not_charged(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    for _ in 0..5 {
        let leased = ground.lease(&key).await;
        assert_eq!(leased.attempts, 1);
        let record = ground.applied(&key, &fail(&leased, &FailureNote::throttled("x"))).await;
        assert_eq!((record.attempts, record.status()), (0, Status::Failed));
        ground.advance(1_000);
    }
}

pub async fn a_permanent_failure_is_a_dead_letter_at_once(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    ground.advance(1);
    let record = ground.applied(&key, &fail(&leased, &FailureNote::permanent("no"))).await;
    assert_eq!(record.status(), Status::DeadLetter);
    assert_eq!(record.held.map(|held| held.since), Some(ground.now()));
    ground.advance(LEASE * 100);
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.is_sound().await;
}

pub async fn an_unknown_create_is_in_doubt_until_it_is_bound(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let record = ground.applied(&key, &fail(&leased, &FailureNote::unknown("cut"))).await;
    assert!(record.in_doubt);
    assert_eq!(record.operation(), Operation::Create);
    let found = Bind { external_id: external_id("x"), mode: BindMode::Link }.change();
    let record = ground.applied(&key, &found).await;
    assert!(!record.in_doubt);
    assert_eq!(record.operation(), Operation::Update);
    ground.advance(1_000);
    let leased = ground.lease(&key).await;
    let record = ground.applied(&key, &fail(&leased, &FailureNote::unknown("cut"))).await;
    assert!(!record.in_doubt, "an update is never in doubt");
}

pub async fn a_definite_failure_does_not_settle_a_doubt(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    for note in [FailureNote::unknown("cut"), FailureNote::transient("down")] {
        let leased = ground.lease(&key).await;
        assert!(ground.applied(&key, &fail(&leased, &note)).await.in_doubt);
        ground.advance(10_000);
    }
    let leased = ground.lease(&key).await;
    assert!(ground.applied(&key, &rules::release(leased.token)).await.in_doubt);
}

pub async fn a_failure_does_not_touch_what_was_synced(ground: Ground) {
    let key = product("1");
    let synced = ground.applied(&key, &MarkSynced::default().change()).await;
    ground.advance(1);
    ground.applied(&key, &rules::updated()).await;
    for note in [
        FailureNote::throttled("x"),
        FailureNote::transient("x"),
        FailureNote::unknown("x"),
        FailureNote::permanent("x"),
    ] {
        let leased = ground.lease(&key).await;
        let record = ground.applied(&key, &fail(&leased, &note)).await;
        assert_eq!(record.synced_at, synced.synced_at);
        assert_eq!(record.synced_revision, synced.synced_revision);
        ground.advance(10_000);
    }
}

pub async fn a_create_that_failed_after_the_deletion_leaves_nothing_to_push(ground: Ground) {
    let definite =
        [FailureNote::transient("x"), FailureNote::throttled("x"), FailureNote::permanent("x")];
    for (at, note) in definite.into_iter().enumerate() {
        let key = product(&at.to_string());
        ground.applied(&key, &rules::created()).await;
        let leased = ground.lease(&key).await;
        ground.applied(&key, &rules::deleted()).await;
        let record = ground.applied(&key, &fail(&leased, &note)).await;
        assert_eq!((record.status(), record.failure), (Status::Deleted, None), "{note:?}");
    }
    let key = product("unknown");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    ground.applied(&key, &rules::deleted()).await;
    let record = ground.applied(&key, &fail(&leased, &FailureNote::unknown("x"))).await;
    assert_eq!((record.status(), record.operation()), (Status::Failed, Operation::Delete));
    ground.is_sound().await;
}

pub async fn the_first_failure_stays_readable(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let first = ground.now();
    for message in ["first", "second"] {
        let leased = ground.lease(&key).await;
        ground.applied(&key, &fail(&leased, &FailureNote::transient(message))).await;
        ground.advance(10_000);
    }
    let failure = ground.record(&key).await.failure.unwrap();
    assert_eq!(&*failure.message, "second");
    assert_eq!(failure.first_at, first);
    assert_eq!(failure.last_at, first.plus(span(10_000)));
}

fn unleased(note: &FailureNote) -> Change {
    rules::mark_failed(note, &schedule(), None)
}

pub async fn an_unleased_failure_makes_a_record(ground: Ground) {
    for (id, note, expected) in [
        ("1", FailureNote::transient("x"), (Status::Failed, 1, false)),
        ("2", FailureNote::throttled("x"), (Status::Failed, 0, false)),
        ("3", FailureNote::permanent("x"), (Status::DeadLetter, 1, false)),
        ("4", FailureNote::unknown("x"), (Status::Failed, 1, true)),
    ] {
        let record = ground.applied(&product(id), &unleased(&note)).await;
        assert_eq!((record.status(), record.attempts, record.in_doubt), expected, "{note:?}");
        assert_eq!((record.revision.get(), record.synced_at), (1, None));
    }
    ground.is_sound().await;
}

pub async fn an_unleased_failure_charges_an_attempt(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &MarkSynced::default().change()).await;
    for (attempts, expected) in [(1, Status::Failed), (2, Status::Failed), (3, Status::DeadLetter)]
    {
        let record = ground.applied(&key, &unleased(&FailureNote::transient("x"))).await;
        assert_eq!((record.attempts, record.status()), (attempts, expected));
        assert!(record.was_ever_synced());
    }
    let unknown = ground.applied(&key, &unleased(&FailureNote::unknown("x"))).await;
    assert!(!unknown.in_doubt, "it is known in the remote");
}

pub async fn an_unleased_failure_leaves_the_lease(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let failed = ground.applied(&key, &unleased(&FailureNote::transient("x"))).await;
    assert_eq!(failed.lease, leased.lease);
    assert_eq!((failed.status(), failed.attempts), (Status::InProgress, 2));
    let released = ground.applied(&key, &rules::release(leased.token)).await;
    assert_eq!(released.retry_at, Some(ground.now().plus(span(10_000))), "and its retry is kept");
}

pub async fn a_tombstone_cannot_fail(ground: Ground) {
    let (key, pending) = (product("1"), product("2"));
    ground.applied(&key, &rules::created()).await;
    ground.applied(&key, &rules::deleted()).await;
    let notes = [FailureNote::transient("x"), FailureNote::unknown("x")];
    for note in &notes {
        assert_eq!(ground.refused(&key, &unleased(note)).await, Refusal::Deleted);
    }
    ground.applied(&pending, &MarkSynced::default().change()).await;
    ground.applied(&pending, &rules::deleted()).await;
    for note in &notes {
        let record = ground.applied(&pending, &unleased(note)).await;
        assert_eq!((record.status(), record.operation()), (Status::Failed, Operation::Delete));
    }
}
