//! Local changes.

use sync_tracker_core::rules::{self, Completion, MarkSynced, Success};
use sync_tracker_core::{
    FailureNote, Metadata, MetadataOp, Operation, Refusal, RemoteVersion, Status, SyncRecord,
};

use crate::ground::{Ground, external_id, fail, product};

/// The report that a leased push worked.
pub(crate) fn completed(record: &SyncRecord, success: Success) -> Completion {
    Completion {
        token: record.token,
        operation: record.operation(),
        revision: record.revision,
        seen: record.remote_seen.clone(),
        success,
    }
}

pub async fn a_created_entity_is_to_be_created(ground: Ground) {
    let key = product("1");
    let record = ground.applied(&key, &rules::created()).await;
    assert_eq!(record.status(), Status::Pending);
    assert_eq!(record.operation(), Operation::Create);
    assert_eq!(record.revision.get(), 1);
    assert_eq!(record.pending_since, Some(ground.now()));
    assert_eq!(record.created_at, ground.now());
    assert_eq!(i64::try_from(record.incarnation.get()), Ok(ground.now().as_millis()));
    ground.is_sound().await;
}

pub async fn an_entity_cannot_be_created_twice(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    assert_eq!(ground.refused(&key, &rules::created()).await, Refusal::AlreadyExists);
}

pub async fn an_updated_entity_without_record_is_to_be_created(ground: Ground) {
    let record = ground.applied(&product("1"), &rules::updated()).await;
    assert_eq!(record.operation(), Operation::Create);
    assert_eq!(record.updated_at, Some(ground.now()));
}

pub async fn an_update_keeps_a_scheduled_retry(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let failed = ground.applied(&key, &fail(&leased, &FailureNote::transient("down"))).await;
    let updated = ground.applied(&key, &rules::updated()).await;
    assert_eq!(updated.status(), Status::Failed);
    assert_eq!(updated.retry_at, failed.retry_at);
    assert_eq!(updated.attempts, 1);
}

pub async fn an_update_puts_a_dead_letter_back(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let dead = ground.applied(&key, &fail(&leased, &FailureNote::permanent("no"))).await;
    assert_eq!(dead.status(), Status::DeadLetter);
    let updated = ground.applied(&key, &rules::updated()).await;
    assert_eq!(updated.status(), Status::Pending);
    assert_eq!(updated.attempts, 0);
    assert_eq!(updated.failure, dead.failure);
    ground.is_sound().await;
}

pub async fn a_deleted_entity_cannot_be_updated(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &MarkSynced::default().change()).await;
    ground.applied(&key, &rules::deleted()).await;
    for _ in ["to be pushed", "a tombstone"] {
        assert_eq!(ground.refused(&key, &rules::updated()).await, Refusal::Deleted);
        assert_eq!(ground.refused(&key, &rules::deleted()).await, Refusal::Deleted);
        ground.applied(&key, &MarkSynced::default().change()).await;
    }
    assert_eq!(ground.record(&key).await.status(), Status::Deleted);
    assert_eq!(ground.refused(&product("2"), &rules::deleted()).await, Refusal::Absent);
}

pub async fn deleting_what_was_never_pushed_leaves_nothing_to_push(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let record = ground.applied(&key, &rules::deleted()).await;
    assert_eq!(record.status(), Status::Deleted);
    assert_eq!(record.operation(), Operation::Nothing);
    assert_eq!(record.due_at(), None);
    ground.is_sound().await;
}

pub async fn deleting_what_is_known_is_to_be_pushed(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &MarkSynced::default().change()).await;
    ground.advance(1);
    let record = ground.applied(&key, &rules::deleted()).await;
    assert_eq!(record.status(), Status::Pending);
    assert_eq!(record.operation(), Operation::Delete);
    assert_eq!(record.deleted_at, Some(ground.now()));
    assert_eq!(record.pending_since, Some(ground.now()));
}

pub async fn deleting_during_a_create_waits_for_it(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let deleted = ground.applied(&key, &rules::deleted()).await;
    assert_eq!(deleted.status(), Status::InProgress);
    let done = completed(&leased, Success::default()).change();
    let record = ground.applied(&key, &done).await;
    assert_eq!(record.status(), Status::Pending);
    assert_eq!(record.operation(), Operation::Delete);
}

pub async fn creating_again_before_the_deletion_is_pushed_undoes_it(ground: Ground) {
    let key = product("1");
    let success = Success { external_id: Some(external_id("x")), ..Success::default() };
    let synced = ground.applied(&key, &MarkSynced { success }.change()).await;
    ground.applied(&key, &rules::deleted()).await;
    let record = ground.applied(&key, &rules::created()).await;
    assert_eq!(record.operation(), Operation::Update);
    assert_eq!(record.external_id, synced.external_id);
    assert_eq!(record.incarnation, synced.incarnation);
    assert_eq!(record.deleted_at, None);
}

pub async fn creating_again_after_the_deletion_was_pushed_inherits_nothing(ground: Ground) {
    let key = product("1");
    let success = Success {
        external_id: Some(external_id("x")),
        remote_version: Some(RemoteVersion::Sequence(1)),
        fingerprint: None,
        metadata: MetadataOp::Replace(Metadata::new(serde_json::json!({ "a": 1 })).unwrap()),
    };
    let old = ground.applied(&key, &MarkSynced { success }.change()).await;
    ground.applied(&key, &rules::deleted()).await;
    ground.applied(&key, &MarkSynced::default().change()).await;
    ground.advance(1);
    let new = ground.applied(&key, &rules::created()).await;
    assert!(new.incarnation > old.incarnation);
    assert_ne!(new.idempotency_key(), old.idempotency_key());
    assert_eq!(new.operation(), Operation::Create);
    assert_eq!(new.external_id, None);
    assert_eq!(new.remote_version, None);
    assert_eq!(new.synced_at, None);
    assert_eq!(new.deleted_at, None);
    assert!(new.metadata.is_empty());
    assert!(new.revision > old.revision);
    assert_eq!(ground.find(&key, "x").await, None);
    ground.is_sound().await;
}

pub async fn restoring_before_the_deletion_is_pushed_undoes_it(ground: Ground) {
    let key = product("1");
    let success = Success { external_id: Some(external_id("x")), ..Success::default() };
    let synced = ground.applied(&key, &MarkSynced { success }.change()).await;
    ground.applied(&key, &rules::deleted()).await;
    let record = ground.applied(&key, &rules::restored()).await;
    assert_eq!(record.operation(), Operation::Update);
    assert_eq!((record.incarnation, record.deleted_at), (synced.incarnation, None));
    assert_eq!(record.external_id, synced.external_id);
}

pub async fn restoring_after_the_deletion_was_pushed_begins_a_new_life(ground: Ground) {
    let key = product("1");
    let old = ground.applied(&key, &MarkSynced::default().change()).await;
    ground.applied(&key, &rules::deleted()).await;
    ground.applied(&key, &MarkSynced::default().change()).await;
    let record = ground.applied(&key, &rules::restored()).await;
    assert!(record.incarnation > old.incarnation);
    assert_eq!(record.operation(), Operation::Create);
    assert_eq!((record.deleted_at, record.synced_at), (None, None));
    ground.is_sound().await;
}

pub async fn what_is_not_deleted_cannot_be_restored(ground: Ground) {
    let key = product("1");
    assert_eq!(ground.refused(&key, &rules::restored()).await, Refusal::Absent);
    ground.applied(&key, &rules::created()).await;
    assert_eq!(ground.refused(&key, &rules::restored()).await, Refusal::NotDeleted);
}
