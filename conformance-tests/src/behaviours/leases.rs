//! Claims and leases.

use sync_tracker_core::rules::{self, Completion, MarkSynced, Success};
use sync_tracker_core::{
    Change, ClaimId, FailureNote, Guard, Key, Operation, Refusal, Status, SyncRecord,
};

use super::local::completed;
use crate::ground::{
    Ground, LEASE, MAX_ATTEMPTS, external_id, fail, product, request, request_as, span,
};

fn keys(records: &[SyncRecord]) -> Vec<Key> {
    records.iter().map(|record| record.key.clone()).collect()
}

async fn created(ground: &Ground, ids: &[&str]) -> Vec<Key> {
    let mut keys = Vec::new();
    for id in ids {
        ground.applied(&product(id), &rules::created()).await;
        keys.push(product(id));
    }
    keys
}

fn deletion_completed(leased: &SyncRecord) -> Change {
    let synced = completed(leased, Success::default());
    Completion { operation: Operation::Delete, ..synced }.change()
}

/// Everything that a holder may report of its lease.
fn reports(leased: &SyncRecord) -> Vec<(&'static str, Change)> {
    let note = [
        FailureNote::transient("x"),
        FailureNote::throttled("x"),
        FailureNote::permanent("x"),
        FailureNote::unknown("x"),
    ];
    let [transient, throttled, permanent, unknown] = note.map(|note| fail(leased, &note));
    vec![
        ("synced", completed(leased, Success::default()).change()),
        ("transient", transient),
        ("throttled", throttled),
        ("permanent", permanent),
        ("unknown", unknown),
        ("released", rules::release(leased.token)),
        ("renewed", rules::renew(leased.token, span(LEASE))),
        ("deletion synced", deletion_completed(leased)),
    ]
}

pub async fn due_records_are_claimed_oldest_first(ground: Ground) {
    for id in ["c", "a", "b"] {
        created(&ground, &[id]).await;
        ground.advance(1);
    }
    created(&ground, &["e", "d"]).await;
    let claimed = ground.claim(&request(10)).await;
    assert_eq!(keys(&claimed.leased), ["c", "a", "b", "d", "e"].map(product));
    for record in &claimed.leased {
        assert_eq!(record.status(), Status::InProgress);
        assert_eq!(record.attempts, 1);
        assert_eq!(record.due_at(), Some(ground.now().plus(span(LEASE))));
        assert_eq!(ground.record(&record.key).await, *record);
    }
    ground.is_sound().await;
}

pub async fn a_retry_is_due_to_the_millisecond(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    let leased = ground.lease(&key).await;
    ground.applied(&key, &fail(&leased, &FailureNote::transient("x"))).await;
    ground.advance(999);
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.advance(1);
    ground.lease(&key).await;
}

pub async fn retries_and_new_changes_wait_in_one_queue(ground: Ground) {
    let [retried, changed, late] = ["z", "a", "b"].map(product);
    ground.applied(&retried, &rules::created()).await;
    let leased = ground.lease(&retried).await;
    ground.applied(&retried, &fail(&leased, &FailureNote::transient("x"))).await;
    ground.advance(1_001);
    ground.applied(&changed, &rules::created()).await;
    ground.applied(&late, &rules::created()).await;
    let leased = ground.claim(&request(2)).await.leased;
    assert_eq!(keys(&leased), [retried, changed], "the retry was due a millisecond earlier");
}

pub async fn a_lease_runs_out_to_the_millisecond(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    ground.lease(&key).await;
    ground.advance(LEASE - 1);
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.advance(1);
    ground.lease(&key).await;
}

pub async fn a_claim_takes_no_more_than_its_limit(ground: Ground) {
    created(&ground, &["1", "2", "3", "4", "5"]).await;
    assert_eq!(ground.claim(&request(2)).await.leased.len(), 2);
    assert_eq!(ground.claim(&request(2)).await.leased.len(), 2);
    assert_eq!(ground.claim(&request(2)).await.leased.len(), 1);
    assert!(ground.claim(&request(2)).await.is_empty());
}

pub async fn a_claim_takes_from_its_source_only(ground: Ground) {
    for source in ["sho", "shop-eu", "Shop", "other"] {
        let key = Key::new(source, "product", "1").unwrap();
        ground.applied(&key, &rules::created()).await;
    }
    assert!(ground.claim(&request(10)).await.is_empty());
    let key = Key::new("shop", "customer", "1").unwrap();
    ground.applied(&key, &rules::created()).await;
    assert_eq!(keys(&ground.claim(&request(10)).await.leased), [key]);
}

pub async fn what_is_not_due_is_not_claimed(ground: Ground) {
    let [synced, dead, tombstone, scheduled, leased] = ["1", "2", "3", "4", "5"].map(product);
    ground.applied(&synced, &MarkSynced::default().change()).await;
    for (key, note) in
        [(&dead, FailureNote::permanent("x")), (&scheduled, FailureNote::transient("x"))]
    {
        ground.applied(key, &rules::created()).await;
        let record = ground.lease(key).await;
        ground.applied(key, &fail(&record, &note)).await;
    }
    ground.applied(&tombstone, &rules::created()).await;
    ground.applied(&tombstone, &rules::deleted()).await;
    ground.applied(&leased, &rules::created()).await;
    ground.lease(&leased).await;
    assert!(ground.claim(&request(10)).await.is_empty());
    ground.is_sound().await;
}

pub async fn a_busy_entity_keeps_its_place(ground: Ground) {
    let busy = created(&ground, &["busy"]).await.remove(0);
    ground.advance(1);
    created(&ground, &["a", "b"]).await;
    ground.advance(1);
    ground.applied(&busy, &rules::updated()).await;
    ground.lease(&busy).await;
}

pub async fn every_grant_has_a_higher_token(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    let first = ground.lease(&key).await;
    assert_eq!(i64::try_from(first.token.get()), Ok(ground.now().as_millis() * 1_000));
    ground.applied(&key, &rules::release(first.token)).await;
    let second = ground.lease(&key).await;
    assert_eq!(second.token.get(), first.token.get() + 1);
    ground.advance(LEASE);
    assert!(ground.lease(&key).await.token > second.token);
}

pub async fn a_repeated_claim_gets_its_leases_again(ground: Ground) {
    let keys_created = created(&ground, &["1", "2", "3", "4"]).await;
    let claim = ClaimId::random();
    let first = ground.claim(&request_as(claim.clone(), 2)).await;
    let again = ground.claim(&request_as(claim.clone(), 2)).await;
    assert_eq!(again, first);
    let more = ground.claim(&request_as(claim.clone(), 3)).await;
    assert_eq!(keys(&more.leased), keys_created[..3]);
    assert_eq!(more.leased[..2], first.leased);
    ground.advance(LEASE);
    // Its leases ran out: they are due to anybody, one at a time, and not to this claim again.
    let late = ground.claim(&request_as(claim, 4)).await;
    assert_eq!(keys(&late.leased), keys_created[3..]);
}

pub async fn a_repeated_claim_gets_no_more_than_it_asks_for(ground: Ground) {
    created(&ground, &["1", "2", "3", "4"]).await;
    let claim = ClaimId::random();
    let first = ground.claim(&request_as(claim.clone(), 3)).await;
    let fewer = ground.claim(&request_as(claim, 2)).await;
    assert_eq!(fewer.leased, first.leased[..2]);
    ground.lease(&product("4")).await;
}

pub async fn a_late_copy_of_a_claim_grants_nothing_again(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    let claim = request(1);
    let leased = ground.claim(&claim).await.leased.remove(0);
    ground.applied(&key, &rules::release(leased.token)).await;
    assert!(ground.claim(&claim).await.is_empty());
    assert_eq!(ground.record(&key).await.status(), Status::Pending);
}

pub async fn a_lease_that_ran_out_is_claimed_alone(ground: Ground) {
    created(&ground, &["a", "b"]).await;
    ground.advance(1);
    assert_eq!(ground.claim(&request(2)).await.leased.len(), 2);
    created(&ground, &["c"]).await;
    ground.advance(LEASE);
    created(&ground, &["d"]).await;
    // Oldest first: "c" is due longest, and what ran out does not come along with it.
    assert_eq!(keys(&ground.claim(&request(9)).await.leased), ["c", "d"].map(product));
    assert_eq!(keys(&ground.claim(&request(9)).await.leased), [product("a")]);
    assert_eq!(keys(&ground.claim(&request(9)).await.leased), [product("b")]);
    assert!(ground.claim(&request(9)).await.is_empty());
}

pub async fn a_vanished_create_is_in_doubt(ground: Ground) {
    let (new, known, deleted) = (product("1"), product("2"), product("3"));
    let success = Success { external_id: Some(external_id("x")), ..Success::default() };
    ground.applied(&known, &MarkSynced { success }.change()).await;
    ground.applied(&known, &rules::updated()).await;
    created(&ground, &["1", "3"]).await;
    assert_eq!(ground.claim(&request(3)).await.leased.len(), 3);
    ground.applied(&deleted, &rules::deleted()).await;
    ground.advance(LEASE);
    let record = ground.lease(&new).await;
    assert!(record.in_doubt);
    assert_eq!(record.operation(), Operation::Create);
    assert!(!ground.lease(&known).await.in_doubt);
    let record = ground.lease(&deleted).await;
    assert!(record.in_doubt);
    assert_eq!(record.operation(), Operation::Delete);
}

pub async fn a_record_attempted_too_often_becomes_a_dead_letter(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(ground.lease(&key).await.attempts, attempt);
        ground.advance(LEASE);
    }
    let claimed = ground.claim(&request(1)).await;
    assert!(claimed.leased.is_empty());
    let [dead] = claimed.dead_lettered.as_slice() else { panic!("one of {claimed:?}") };
    assert_eq!(dead.status(), Status::DeadLetter);
    assert!(dead.in_doubt, "the doubt about the create stays");
    assert_eq!((dead.attempts, &dead.lease), (MAX_ATTEMPTS, &None));
    assert_eq!(ground.record(&key).await, *dead);
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.is_sound().await;
}

pub async fn a_stale_holder_has_no_effect(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    let stale = ground.lease(&key).await;
    ground.advance(LEASE);
    let current = ground.lease(&key).await;
    for (report, change) in reports(&stale) {
        assert_eq!(ground.refused(&key, &change).await, Refusal::LeaseLost, "{report}");
    }
    ground.applied(&key, &rules::release(current.token)).await;
    for (report, change) in reports(&current).into_iter().chain(reports(&stale)) {
        assert_eq!(ground.refused(&key, &change).await, Refusal::LeaseLost, "{report}, given back");
    }
    ground.store.remove(&key, &Guard::default()).await.unwrap().assert_removed();
    for (report, change) in reports(&current) {
        assert_eq!(ground.refused(&key, &change).await, Refusal::LeaseLost, "{report}, removed");
    }
}

pub async fn an_expired_lease_that_nobody_took_still_counts(ground: Ground) {
    for (at, expected) in [
        Status::Synced,
        Status::Failed,
        Status::Failed,
        Status::DeadLetter,
        Status::Failed,
        Status::Pending,
        Status::InProgress,
        Status::Pending,
    ]
    .into_iter()
    .enumerate()
    {
        let key = created(&ground, &[&at.to_string()]).await.remove(0);
        let leased = ground.lease(&key).await;
        ground.advance(LEASE);
        let (report, change) = reports(&leased).remove(at);
        let record = ground.applied(&key, &change).await;
        assert_eq!(record.status(), expected, "{report}");
        ground.store.remove(&key, &Guard::default()).await.unwrap().assert_removed();
    }
}

pub async fn a_renewed_lease_runs_on(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    let leased = ground.lease(&key).await;
    ground.advance(LEASE - 1);
    let renewed = ground.applied(&key, &rules::renew(leased.token, span(10))).await;
    assert_eq!(renewed.token, leased.token);
    assert_eq!(renewed.due_at(), Some(ground.now().plus(span(10))));
    ground.advance(9);
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.advance(1);
    ground.lease(&key).await;
    ground.is_sound().await;
}

pub async fn a_released_record_is_due_at_once_and_not_charged(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    let leased = ground.lease(&key).await;
    ground.advance(1);
    let released = ground.applied(&key, &rules::release(leased.token)).await;
    assert_eq!((released.attempts, released.status()), (0, Status::Pending));
    assert_eq!(released.pending_since, leased.pending_since, "it keeps its place");
    assert!(!released.in_doubt);
    assert_eq!(ground.lease(&key).await.attempts, 1);
}

pub async fn a_create_given_back_after_the_deletion_leaves_nothing_to_push(ground: Ground) {
    let key = created(&ground, &["1"]).await.remove(0);
    let leased = ground.lease(&key).await;
    ground.applied(&key, &rules::deleted()).await;
    let released = ground.applied(&key, &rules::release(leased.token)).await;
    assert_eq!((released.status(), released.operation()), (Status::Deleted, Operation::Nothing));
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.is_sound().await;
}

pub async fn a_lease_is_renewed_though_the_entity_was_deleted(ground: Ground) {
    let (create, delete) = (product("1"), product("2"));
    ground.applied(&create, &rules::created()).await;
    ground.applied(&delete, &MarkSynced::default().change()).await;
    ground.applied(&delete, &rules::updated()).await;
    for key in [&create, &delete] {
        let leased = ground.lease(key).await;
        ground.applied(key, &rules::deleted()).await;
        ground.applied(key, &MarkSynced::default().change()).await;
        ground.advance(1);
        let renewed = ground.applied(key, &rules::renew(leased.token, span(10))).await;
        assert_eq!((renewed.status(), renewed.is_deleted()), (Status::InProgress, true));
        assert_eq!(renewed.due_at(), Some(ground.now().plus(span(10))));
        ground.applied(key, &completed(&leased, Success::default()).change()).await;
    }
    ground.is_sound().await;
}

trait AssertRemoved {
    fn assert_removed(self);
}

impl AssertRemoved for sync_tracker_core::Removal {
    fn assert_removed(self) {
        assert_eq!(self, Self::Removed);
    }
}
