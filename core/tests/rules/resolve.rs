//! What was decided about a conflict.

use sync_tracker_core::rules::{Resolve, Winner};
use sync_tracker_core::{
    Change, Conflict, ConflictKind, Fingerprint, Refusal, SyncRecord, Version,
};

use super::full_record::{fingerprint, full, now, revision, sequence};
use super::{born_again, does, gone, in_peace, live, reborn, refused};

use ConflictKind::{CreateCreate, DeleteEdit, EditDelete, EditEdit, IdCollision};

const WINNERS: [Winner; 2] = [Winner::Local, Winner::Remote];

/// The record with this conflict, and with a version that was seen and not accepted.
fn in_conflict(record: SyncRecord, kind: ConflictKind) -> SyncRecord {
    let conflict = record.conflict.map(|conflict| Conflict { kind, ..conflict });
    let remote_deleted_at = record.remote_deleted_at.filter(|_| kind == EditDelete);
    SyncRecord { conflict, remote_seen: Some(sequence(6)), remote_deleted_at, ..record }
}

fn resolve(record: &SyncRecord, winner: Winner, remote: Option<Fingerprint>) -> Change {
    Resolve { record, winner, remote }.change()
}

fn requeued(record: &mut SyncRecord) {
    record.attempts = 0;
    record.in_doubt = false;
    record.held = None;
    record.retry_at = None;
    record.conflict = None;
}

fn in_step(record: &mut SyncRecord) {
    requeued(record);
    record.synced_revision = revision(9);
    record.pending_since = None;
    record.deleted_at = None;
    record.synced_at = Some(now());
    record.failure = None;
}

/// The object is there, so what was seen of it is known from now on.
fn of_an_object(winner: Winner, expected: fn(&mut SyncRecord)) {
    for kind in [EditEdit, CreateCreate, IdCollision, DeleteEdit] {
        for record in [in_conflict(live(), kind), in_conflict(full(), kind)] {
            let new = Some(fingerprint("new"));
            does(&resolve(&record, winner, new.clone()), &record, 0, |record| {
                expected(record);
                record.remote_version = Some(sequence(6));
                record.base = new;
            });
            let without_facts = SyncRecord { remote_seen: None, ..record };
            does(&resolve(&without_facts, winner, None), &without_facts, 0, expected);
        }
    }
}

#[test]
fn what_is_decided_for_ours_is_pushed() {
    of_an_object(Winner::Local, |record| {
        requeued(record);
        record.revision = revision(10);
    });
}

#[test]
fn what_is_decided_for_theirs_is_in_step() {
    of_an_object(Winner::Remote, in_step);
}

#[test]
fn what_is_gone_there_is_created_again() {
    let record = in_conflict(live(), EditDelete);
    does(&resolve(&record, Winner::Local, None), &record, 0, |record| {
        requeued(record);
        born_again(record);
        record.revision = revision(10);
        record.synced_at = None;
        record.failure = None;
        record.lease = None;
    });
}

#[test]
fn what_is_gone_there_is_a_tombstone_here() {
    let record = in_conflict(live(), EditDelete);
    does(&resolve(&record, Winner::Remote, None), &record, 0, |record| {
        record.revision = revision(10);
        record.deleted_at = Some(now());
        record.synced_at = Some(now());
        record.remote_version = Some(sequence(6));
        gone(record);
    });
}

#[test]
fn what_is_gone_on_both_sides_is_a_tombstone() {
    for winner in WINNERS {
        let record = in_conflict(full(), EditDelete);
        does(&resolve(&record, winner, None), &record, 0, |record| {
            record.remote_version = Some(sequence(6));
            gone(record);
        });
        let unversioned = SyncRecord { remote_seen: None, ..record };
        does(&resolve(&unversioned, winner, None), &unversioned, 0, gone);
    }
}

#[test]
fn what_moved_since_the_decision_is_not_resolved() {
    for winner in WINNERS {
        for record in [live(), full(), in_conflict(live(), EditDelete)] {
            let change = resolve(&record, winner, None);
            for other in [11, 13] {
                let moved = SyncRecord { version: Version::new(other).unwrap(), ..record.clone() };
                refused(&change, Some(&moved), &Refusal::VersionMismatch);
            }
            refused(&change, Some(&reborn(&record)), &Refusal::StaleIncarnation);
            refused(&change, None, &Refusal::Absent);
        }
        let settled = in_peace(live());
        let change = resolve(&settled, winner, None);
        refused(&change, Some(&settled), &Refusal::NoConflict);
    }
}
