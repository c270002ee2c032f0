//! Success.

use serde_json::json;
use sync_tracker_core::rules::{self, MarkSynced, MarkSyncedTo, Success};
use sync_tracker_core::{
    Arm, Change, ConflictKind, ConflictOp, FailureNote, Fingerprint, Guard, Incarnation, Metadata,
    MetadataMerge, Operation, Patch, Refusal, RemoteVersion, Status,
};

use super::local::completed;
use crate::ground::{Ground, at, external_id, fail, product};

fn told_everything() -> Success {
    Success {
        external_id: Some(external_id("x")),
        remote_version: Some(RemoteVersion::Sequence(7)),
        fingerprint: Some(Fingerprint::new("sha256:aa").unwrap()),
        ..Success::default()
    }
    .replacing_metadata(Metadata::new(json!({ "a": 1 })).unwrap())
}

pub async fn marking_an_untracked_entity_synced_makes_a_record(ground: Ground) {
    let record = ground.applied(&product("1"), &MarkSynced::default().change()).await;
    assert_eq!(record.status(), Status::Synced);
    assert_eq!(record.revision.get(), 1);
    assert_eq!(record.synced_revision.get(), 1);
    assert_eq!(record.synced_at, Some(ground.now()));
    ground.is_sound().await;
}

pub async fn what_a_success_omits_is_kept(ground: Ground) {
    let key = product("1");
    let told = ground.applied(&key, &MarkSynced { success: told_everything() }.change()).await;
    ground.applied(&key, &rules::updated()).await;
    let silent = ground.applied(&key, &MarkSynced::default().change()).await;
    assert_eq!(silent.external_id, told.external_id);
    assert_eq!(silent.remote_version, told.remote_version);
    assert_eq!(silent.base, told.base);
    assert_eq!(silent.metadata, told.metadata);
    assert_eq!(silent.status(), Status::Synced);
}

pub async fn metadata_is_replaced_merged_and_removed(ground: Ground) {
    let key = product("1");
    let metadata = |value| Metadata::new(value).unwrap();
    let steps = [
        (
            Success::default().replacing_metadata(metadata(json!({ "a": 1, "b": 2 }))),
            json!({ "a": 1, "b": 2 }),
        ),
        (
            Success::default().merging_metadata(
                MetadataMerge::new(metadata(json!({ "b": 3, "c": 4 })), ["a", "none"]).unwrap(),
            ),
            json!({ "b": 3, "c": 4 }),
        ),
        (
            Success::default()
                .merging_metadata(MetadataMerge::new(metadata(json!({ "b": 5 })), ["b"]).unwrap()),
            json!({ "b": 5, "c": 4 }),
        ),
        (Success::default().replacing_metadata(metadata(json!({}))), json!({})),
    ];
    for (success, expected) in steps {
        let record = ground.applied(&key, &MarkSynced { success }.change()).await;
        assert_eq!(record.metadata, metadata(expected));
        assert_eq!(ground.record(&key).await, record);
    }
}

pub async fn a_success_resets_what_failures_left(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let failed = ground.applied(&key, &fail(&leased, &FailureNote::unknown("cut"))).await;
    assert!(failed.in_doubt && failed.failure.is_some() && failed.attempts == 1);
    let record = ground.applied(&key, &MarkSynced::default().change()).await;
    assert_eq!(record.status(), Status::Synced);
    assert!(!record.in_doubt);
    assert_eq!((record.attempts, record.failure, record.retry_at), (0, None, None));
    ground.is_sound().await;
}

pub async fn synced_at_does_not_go_back_with_the_clock(ground: Ground) {
    let key = product("1");
    ground.advance(10);
    let synced = ground.applied(&key, &MarkSynced::default().change()).await;
    ground.clock.set(at(ground.now().as_millis() - 10)).unwrap();
    ground.agrees(&key, &MarkSynced::default().change()).await;
    assert_eq!(ground.record(&key).await.synced_at, synced.synced_at);
}

pub async fn marking_synced_leaves_the_lease_of_another(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let marked = ground.applied(&key, &MarkSynced::default().change()).await;
    assert_eq!(marked.lease, leased.lease);
    assert_eq!(marked.status(), Status::InProgress);
    let done = completed(&leased, Success::default()).change();
    assert_eq!(ground.applied(&key, &done).await.status(), Status::Synced);
}

pub async fn marking_synced_is_refused_while_a_conflict_is_open(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let conflict = ConflictOp::Open(ConflictKind::EditEdit);
    let open = Patch { conflict, ..Patch::default() };
    let open = Change::new([Arm { then: open, ..Arm::default() }]).unwrap();
    let record = ground.applied(&key, &open).await;
    assert_eq!(record.status(), Status::Conflict);
    assert_eq!(record.due_at(), None);
    let refusal = ground.refused(&key, &MarkSynced::default().change()).await;
    assert_eq!(refusal, Refusal::ConflictOpen);
    ground.is_sound().await;
}

pub async fn a_change_during_a_push_leaves_the_record_dirty(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    ground.applied(&key, &rules::updated()).await;
    ground.advance(5);
    let record = ground.applied(&key, &completed(&leased, told_everything()).change()).await;
    assert_eq!(record.status(), Status::Pending);
    assert_eq!((record.synced_revision.get(), record.revision.get()), (1, 2));
    assert_eq!(record.operation(), Operation::Update);
    assert_eq!(record.external_id, Some(external_id("x")), "what it told is kept");
    assert_eq!(record.pending_since, Some(ground.now()));
    ground.is_sound().await;
}

pub async fn a_push_that_was_overtaken_is_pushed_again(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    ground.applied(&key, &rules::updated()).await;
    ground.applied(&key, &MarkSynced::default().change()).await;
    let record = ground.applied(&key, &completed(&leased, Success::default()).change()).await;
    assert_eq!(record.status(), Status::Pending);
    assert_eq!((record.synced_revision.get(), record.revision.get()), (2, 3));
}

pub async fn a_report_for_another_incarnation_is_refused(ground: Ground) {
    let key = product("1");
    let record = ground.applied(&key, &rules::created()).await;
    let mark = |incarnation: u64| MarkSyncedTo {
        incarnation: Incarnation::new(incarnation).unwrap(),
        revision: record.revision,
        success: Success::default(),
    };
    let other = mark(record.incarnation.get() - 1).change();
    assert_eq!(ground.refused(&key, &other).await, Refusal::StaleIncarnation);
    assert_eq!(ground.refused(&product("2"), &other).await, Refusal::Absent);
    ground.applied(&key, &rules::updated()).await;
    let this = mark(record.incarnation.get()).change();
    assert_eq!(ground.applied(&key, &this).await.status(), Status::Pending);
}

pub async fn a_deletion_that_was_pushed_leaves_a_tombstone(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &MarkSynced { success: told_everything() }.change()).await;
    ground.applied(&key, &rules::deleted()).await;
    let leased = ground.lease(&key).await;
    assert_eq!(leased.operation(), Operation::Delete);
    ground.advance(1);
    let record = ground.applied(&key, &completed(&leased, Success::default()).change()).await;
    assert_eq!(record.status(), Status::Deleted);
    assert_eq!(record.remote_deleted_at, Some(ground.now()));
    assert_eq!(record.external_id, Some(external_id("x")));
    assert!(ground.claim(&crate::ground::request(1)).await.is_empty());
    ground.is_sound().await;
}

pub async fn an_entity_restored_while_its_delete_ran_is_created_again(ground: Ground) {
    let key = product("1");
    let old = ground.applied(&key, &MarkSynced { success: told_everything() }.change()).await;
    ground.applied(&key, &rules::deleted()).await;
    let leased = ground.lease(&key).await;
    ground.applied(&key, &rules::created()).await;
    let record = ground.applied(&key, &completed(&leased, Success::default()).change()).await;
    assert_eq!(record.status(), Status::Pending);
    assert_eq!(record.operation(), Operation::Create);
    assert!(record.incarnation > old.incarnation);
    assert_eq!(record.external_id, None);
    assert_eq!(ground.find(&key, "x").await, None);
    ground.is_sound().await;
}

pub async fn an_entity_deleted_again_while_its_delete_ran_is_gone(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &MarkSynced { success: told_everything() }.change()).await;
    ground.applied(&key, &rules::deleted()).await;
    let leased = ground.lease(&key).await;
    ground.applied(&key, &rules::restored()).await;
    ground.applied(&key, &rules::deleted()).await;
    let record = ground.applied(&key, &completed(&leased, Success::default()).change()).await;
    assert_eq!(record.status(), Status::Deleted);
    let again = ground.applied(&key, &rules::restored()).await;
    assert_eq!(again.operation(), Operation::Create, "never an update of what we deleted");
    ground.is_sound().await;
}

pub async fn a_report_without_a_lease_leaves_the_lease(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    let read = MarkSyncedTo {
        incarnation: leased.incarnation,
        revision: leased.revision,
        success: told_everything(),
    };
    let marked = ground.applied(&key, &read.change()).await;
    assert_eq!((marked.status(), &marked.lease), (Status::InProgress, &leased.lease));
    assert_eq!(marked.synced_revision, leased.revision);
    let released = ground.applied(&key, &rules::release(leased.token)).await;
    assert_eq!(released.status(), Status::Synced);
    ground.is_sound().await;
}

pub async fn a_deletion_that_was_marked_as_synced_leaves_a_tombstone(ground: Ground) {
    let keys = [product("1"), product("2")];
    for key in &keys {
        ground.applied(key, &MarkSynced::default().change()).await;
        let deleted = ground.applied(key, &rules::deleted()).await;
        let read = MarkSyncedTo {
            incarnation: deleted.incarnation,
            revision: deleted.revision,
            success: Success::default(),
        };
        let marked = if *key == keys[0] { MarkSynced::default().change() } else { read.change() };
        let tombstone = ground.applied(key, &marked).await;
        assert_eq!(tombstone.status(), Status::Deleted);
        // It may be said again, of what is a tombstone already.
        ground.advance(1);
        for again in [MarkSynced::default().change(), read.change()] {
            let again = ground.applied(key, &again).await;
            assert_eq!((again.status(), again.synced_at), (Status::Deleted, Some(ground.now())));
            assert_eq!(again.deleted_at, tombstone.deleted_at);
        }
    }
    ground.is_sound().await;
}

pub async fn a_deletion_settled_under_a_lease_is_completed_by_its_holder(ground: Ground) {
    for id in ["1", "2"] {
        let key = product(id);
        ground.applied(&key, &MarkSynced { success: told_everything() }.change()).await;
        let update = id == "1";
        ground.applied(&key, &if update { rules::updated() } else { rules::deleted() }).await;
        let leased = ground.lease(&key).await;
        if update {
            ground.applied(&key, &rules::deleted()).await;
        }
        let settled = ground.applied(&key, &MarkSynced::default().change()).await;
        assert_eq!((settled.status(), settled.is_dirty()), (Status::InProgress, false));
        let done = completed(&leased, Success::default()).change();
        let record = ground.applied(&key, &done).await;
        // A slow update may have brought the object back: it is deleted once more.
        let (status, operation) = if update {
            (Status::Pending, Operation::Delete)
        } else {
            (Status::Deleted, Operation::Nothing)
        };
        assert_eq!((record.status(), record.operation()), (status, operation));
        let _ = ground.store.remove(&key, &Guard::default()).await.expect("removed");
    }
    ground.is_sound().await;
}
