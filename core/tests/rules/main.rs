//! What each rule does to a record, arm by arm: to one with a value in every field, and that it
//! leaves alone what it should.

#![allow(clippy::unwrap_used)]

mod bind;
mod failure;
#[path = "../full_record/mod.rs"]
mod full_record;
mod held;
mod lease;
mod local;
mod success;

use sync_tracker_core::{Arm, Change, Outcome, Refusal, Revision, SyncRecord, Version};

use full_record::{full, key, now};

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
