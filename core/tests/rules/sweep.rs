//! Sweeps.

use sync_tracker_core::rules::{accept_missed, missed, sighted};
use sync_tracker_core::{ConflictKind, Refusal, SyncRecord, Version};

use super::full_record::{full, now, revision};
use super::{clean, conflict, does, gone, in_peace, live, reborn, refused};

/// A record whose object is not known to be deleted.
fn there(record: SyncRecord) -> SyncRecord {
    SyncRecord { remote_deleted_at: None, ..record }
}

fn written(record: &SyncRecord) -> [SyncRecord; 2] {
    [11, 13].map(|other| SyncRecord { version: Version::new(other).unwrap(), ..record.clone() })
}

#[test]
fn what_is_listed_is_sighted() {
    for record in [full(), live()] {
        does(&sighted(), &record, 0, |record| record.sighted_at = Some(now()));
    }
    refused(&sighted(), None, &Refusal::Absent);
}

#[test]
fn what_is_not_listed_is_missed_and_a_conflict_if_there_is_something_to_push() {
    let there = there(in_peace(live()));
    does(&missed(&there), &there, 0, |record| {
        record.remote_deleted_at = Some(now());
        record.conflict = conflict(ConflictKind::EditDelete);
    });
    let settled = clean(there);
    does(&missed(&settled), &settled, 1, |record| record.remote_deleted_at = Some(now()));
    let known = clean(live());
    does(&missed(&known), &known, 1, |_| {});
}

#[test]
fn what_is_deleted_here_is_not_missed() {
    for record in [full(), clean(full())] {
        refused(&missed(&record), Some(&record), &Refusal::Deleted);
    }
    for written in written(&live()) {
        refused(&missed(&live()), Some(&written), &Refusal::VersionMismatch);
    }
    refused(&missed(&live()), Some(&reborn(&live())), &Refusal::StaleIncarnation);
    refused(&missed(&live()), None, &Refusal::Absent);
}

#[test]
fn what_was_missed_and_deleted_here_is_a_tombstone() {
    for record in [in_peace(live()), clean(in_peace(live())), there(in_peace(live()))] {
        let known = record.remote_deleted_at;
        does(&accept_missed(&record), &record, 0, |record| {
            record.revision = revision(10);
            record.deleted_at = Some(now());
            record.synced_at = Some(now());
            record.remote_deleted_at = known.or(Some(now()));
            gone(record);
        });
    }
    for record in [in_peace(full()), clean(in_peace(full())), there(in_peace(full()))] {
        let known = record.remote_deleted_at;
        does(&accept_missed(&record), &record, 0, |record| {
            record.remote_deleted_at = known.or(Some(now()));
            gone(record);
        });
    }
}

#[test]
fn what_was_missed_is_accepted_of_the_record_that_was_read() {
    for record in [full(), live()] {
        refused(&accept_missed(&record), Some(&record), &Refusal::ConflictOpen);
        let record = in_peace(record);
        for written in written(&record) {
            refused(&accept_missed(&record), Some(&written), &Refusal::VersionMismatch);
        }
        refused(&accept_missed(&record), Some(&reborn(&record)), &Refusal::StaleIncarnation);
        refused(&accept_missed(&record), None, &Refusal::Absent);
    }
}
