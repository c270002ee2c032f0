//! What each rule does to a record, arm by arm: to one with a value in every field, and that it
//! leaves alone what it should.

#![allow(clippy::unwrap_used)]

mod accept;
mod bind;
mod echo;
mod encounter;
mod failure;
#[path = "../full_record/mod.rs"]
mod full_record;
mod held;
mod lease;
mod local;
mod merge;
mod no_news;
mod observe;
mod resolve;
mod success;
mod sweep;

use sync_tracker_core::{
    Arm, Change, Conflict, ConflictKind, Incarnation, Outcome, Refusal, Revision, SyncRecord,
    Version,
};

use full_record::{NOW, full, key, now};

/// The full record, not deleted.
fn live() -> SyncRecord {
    SyncRecord { deleted_at: None, ..full() }
}

/// A record whose changes are all in the remote.
fn clean(record: SyncRecord) -> SyncRecord {
    SyncRecord { synced_revision: record.revision, pending_since: None, ..record }
}

/// A record whose object is not known to be in the remote.
fn unknown(record: SyncRecord) -> SyncRecord {
    SyncRecord { external_id: None, synced_revision: Revision::ZERO, ..record }
}

fn unleased(record: SyncRecord) -> SyncRecord {
    SyncRecord { lease: None, ..record }
}

/// A record without a conflict.
fn in_peace(record: SyncRecord) -> SyncRecord {
    SyncRecord { conflict: None, ..record }
}

/// A record of the same key after this one was removed, which has been written as often.
fn reborn(record: &SyncRecord) -> SyncRecord {
    SyncRecord { incarnation: Incarnation::new(14).unwrap(), ..record.clone() }
}

/// What begins with a new incarnation.
fn born_again(record: &mut SyncRecord) {
    record.incarnation = Incarnation::new(NOW.unsigned_abs()).unwrap();
    record.created_at = now();
    record.external_id = None;
    record.aliases.clear();
    record.synced_revision = Revision::ZERO;
    record.pending_since = Some(now());
    record.remote_version = None;
    record.remote_seen = None;
    record.remote_deleted_at = None;
    record.sighted_at = None;
    record.base = None;
    record.echoes.clear();
    record.in_doubt = false;
}

/// What a conflict is that opens now.
fn conflict(kind: ConflictKind) -> Option<Conflict> {
    Some(Conflict { kind, since: now() })
}

/// What is left when the entity is deleted on both sides: nothing to push.
fn gone(record: &mut SyncRecord) {
    record.synced_revision = record.revision;
    record.pending_since = None;
    record.attempts = 0;
    record.in_doubt = false;
    record.held = None;
    record.failure = None;
    record.retry_at = None;
    record.conflict = None;
}

/// Asserts that this arm is applied, that it does this to the record, and nothing else.
#[track_caller]
fn does(change: &Change, before: &SyncRecord, arm: u8, expected: impl FnOnce(&mut SyncRecord)) {
    let after = change.apply_to(&key(), Some(before), now()).into_result();
    let after = after.unwrap_or_else(|refused| panic!("refused: {}", refused.reason));
    assert_eq!(after.arm, Some(arm));
    let mut record = SyncRecord {
        version: Version::new(before.version.get() + 1).unwrap(),
        recent_changes: after.record.recent_changes.clone(),
        last_arm: arm,
        ..before.clone()
    };
    expected(&mut record);
    assert_eq!(after.record, record);
}

/// Asserts that this arm is applied to a key without record, and that it makes this one.
#[track_caller]
fn makes(change: &Change, arm: u8, expected: impl FnOnce(&mut SyncRecord)) {
    let empty = Change::new([Arm::default()]).unwrap().apply_to(&key(), None, now());
    let after = change.apply_to(&key(), None, now()).into_result().unwrap();
    assert_eq!(after.arm, Some(arm));
    let mut record = SyncRecord {
        recent_changes: after.record.recent_changes.clone(),
        last_arm: arm,
        ..empty.record().unwrap().clone()
    };
    expected(&mut record);
    assert_eq!(after.record, record);
}

#[track_caller]
fn refused(change: &Change, record: Option<&SyncRecord>, expected: &Refusal) {
    let outcome = change.apply_to(&key(), record, now());
    assert!(matches!(outcome, Outcome::Refused(_)), "arm {:?}", outcome.record());
    assert_eq!(outcome.refusal(), Some(expected));
}
