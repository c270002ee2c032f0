//! Dead letters, dismissed records, doubts.

use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{FailureNote, Key, Operation, Refusal, Status, SyncRecord};

use super::local::completed;
use crate::ground::{Ground, LEASE, fail, product, request};

async fn dead_letter(ground: &Ground, key: &Key) -> SyncRecord {
    let leased = ground.lease(key).await;
    ground.applied(key, &fail(&leased, &FailureNote::permanent("no"))).await
}

pub async fn a_redriven_dead_letter_is_due_at_once(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let dead = dead_letter(&ground, &key).await;
    let redriven = ground.applied(&key, &rules::redrive()).await;
    assert_eq!((redriven.status(), redriven.attempts), (Status::Pending, 0));
    assert_eq!(redriven.failure, dead.failure, "it stays readable");
    assert_eq!(redriven.revision, dead.revision);
    ground.lease(&key).await;
    ground.is_sound().await;
}

pub async fn a_redriven_record_with_nothing_new_is_pushed_all_the_same(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &MarkSynced::default().change()).await;
    let failed =
        rules::mark_failed(&FailureNote::permanent("no"), &crate::ground::schedule(), None);
    let dead = ground.applied(&key, &failed).await;
    assert_eq!(dead.status(), Status::DeadLetter);
    ground.advance(1);
    let redriven = ground.applied(&key, &rules::redrive()).await;
    assert_eq!(redriven.status(), Status::Pending);
    assert_eq!(redriven.pending_since, Some(ground.now()));
    assert_eq!(ground.lease(&key).await.operation(), Operation::Update);
}

pub async fn what_is_not_held_cannot_be_redriven(ground: Ground) {
    let key = product("1");
    assert_eq!(ground.refused(&key, &rules::redrive()).await, Refusal::Absent);
    ground.applied(&key, &rules::created()).await;
    assert_eq!(ground.refused(&key, &rules::redrive()).await, Refusal::NotHeld);
    let tombstone = ground.applied(&key, &rules::deleted()).await;
    assert_eq!(tombstone.status(), Status::Deleted);
    assert_eq!(ground.refused(&key, &rules::redrive()).await, Refusal::NotHeld);
}

pub async fn a_dismissed_record_rests_until_the_entity_changes(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let dismissed = ground.applied(&key, &rules::dismiss()).await;
    assert_eq!(dismissed.status(), Status::Dismissed);
    assert!(!dismissed.was_ever_synced(), "it is not called synced");
    ground.advance(LEASE);
    assert!(ground.claim(&request(1)).await.is_empty());
    ground.is_sound().await;
    ground.applied(&key, &rules::updated()).await;
    ground.lease(&key).await;
    let leased = ground.applied(&key, &rules::dismiss()).await;
    assert!(leased.lease.is_some(), "the lease of a worker stays");
    assert_eq!(leased.status(), Status::Dismissed);
    ground.applied(&key, &rules::release(leased.token)).await;
    ground.applied(&key, &rules::redrive()).await;
    ground.lease(&key).await;
}

pub async fn a_tombstone_cannot_be_dismissed(ground: Ground) {
    let (key, pending) = (product("1"), product("2"));
    assert_eq!(ground.refused(&key, &rules::dismiss()).await, Refusal::Absent);
    ground.applied(&key, &rules::created()).await;
    ground.applied(&key, &rules::deleted()).await;
    assert_eq!(ground.refused(&key, &rules::dismiss()).await, Refusal::Deleted);
    ground.applied(&pending, &MarkSynced::default().change()).await;
    ground.applied(&pending, &rules::deleted()).await;
    let dismissed = ground.applied(&pending, &rules::dismiss()).await;
    assert_eq!(dismissed.status(), Status::Dismissed);
}

pub async fn a_doubt_can_be_settled(ground: Ground) {
    let (key, deleted) = (product("1"), product("2"));
    assert_eq!(ground.refused(&key, &rules::not_there()).await, Refusal::Absent);
    for key in [&key, &deleted] {
        ground.applied(key, &rules::created()).await;
        let leased = ground.lease(key).await;
        ground.applied(key, &fail(&leased, &FailureNote::unknown("cut"))).await;
    }
    let settled = ground.applied(&key, &rules::not_there()).await;
    assert!(!settled.in_doubt);
    assert_eq!(settled.operation(), Operation::Create);
    ground.applied(&deleted, &rules::deleted()).await;
    let settled = ground.applied(&deleted, &rules::not_there()).await;
    assert_eq!(settled.status(), Status::Deleted, "nothing is left to push");
    assert!(matches!(
        ground.refused(&key, &rules::not_there()).await,
        Refusal::Unmet { demand: sync_tracker_core::Demand::InDoubt }
    ));
    ground.is_sound().await;
}

pub async fn holding_and_redriving_leave_the_lease_of_another(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let dismissed = ground.applied(&key, &rules::dismiss()).await;
    assert_eq!((dismissed.status(), &dismissed.lease), (Status::Dismissed, &leased.lease));
    let redriven = ground.applied(&key, &rules::redrive()).await;
    assert_eq!((redriven.status(), &redriven.lease), (Status::InProgress, &leased.lease));
    assert_eq!(redriven.attempts, 0);
    assert!(ground.claim(&request(1)).await.is_empty(), "it is not due while it is leased");
    let done = completed(&leased, Success::default()).change();
    assert_eq!(ground.applied(&key, &done).await.status(), Status::Synced);
    ground.is_sound().await;
}

pub async fn a_doubt_settled_under_a_lease_is_left_to_its_holder(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    ground.applied(&key, &fail(&leased, &FailureNote::unknown("cut"))).await;
    ground.applied(&key, &rules::deleted()).await;
    let leased = ground.lease(&key).await;
    let settled = ground.applied(&key, &rules::not_there()).await;
    assert!(!settled.in_doubt);
    assert_eq!(settled.status(), Status::InProgress, "somebody is at the object");
    assert!(settled.is_dirty());
    assert_eq!(settled.lease, leased.lease);
    ground.is_sound().await;
}
