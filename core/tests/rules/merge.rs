//! Merges of external ids.

use sync_tracker_core::rules::merge::{add_alias, collide, supersede};
use sync_tracker_core::{Conflict, ConflictKind, Refusal, SyncRecord, Version};

use super::full_record::{external_id, full, now};
use super::{conflict, does, in_peace, live, reborn, refused};

use ConflictKind::{CreateCreate, DeleteEdit, EditDelete, EditEdit, IdCollision};

/// The full record with each conflict and with none, and the conflict that a merge leaves.
fn before_and_after() -> Vec<(SyncRecord, Option<Conflict>)> {
    let kept = [EditEdit, EditDelete, DeleteEdit, CreateCreate].map(conflict);
    let over = [(conflict(IdCollision), None), (None, None)];
    let conflicts = kept.into_iter().zip(kept).chain(over);
    conflicts.map(|(before, after)| (SyncRecord { conflict: before, ..full() }, after)).collect()
}

#[test]
fn what_was_merged_into_a_free_id_takes_it_and_ends_a_collision() {
    for (record, left) in before_and_after() {
        does(&supersede(&record, &external_id("new")), &record, 0, |record| {
            record.external_id = Some(external_id("new"));
            record.aliases = ["old", "own"].map(external_id).to_vec();
            record.remote_version = None;
            record.remote_seen = None;
            record.base = None;
            record.echoes.clear();
            record.sighted_at = Some(now());
            record.conflict = left;
        });
    }
}

#[test]
fn a_free_id_that_was_merged_into_ours_is_an_alias_and_ends_a_collision() {
    for (record, left) in before_and_after() {
        does(&add_alias(&record, &external_id("new")), &record, 0, |record| {
            record.aliases = ["old", "new"].map(external_id).to_vec();
            record.sighted_at = Some(now());
            record.conflict = left;
        });
    }
}

#[test]
fn two_entities_that_claim_one_object_collide() {
    for record in [in_peace(full()), in_peace(live())] {
        does(&collide(&record), &record, 0, |record| record.conflict = conflict(IdCollision));
    }
    does(&collide(&full()), &full(), 0, |record| {
        record.conflict.as_mut().unwrap().kind = IdCollision;
    });
}

#[test]
fn a_merge_is_of_the_record_that_was_read() {
    let read = full();
    let id = external_id("new");
    for change in [supersede(&read, &id), add_alias(&read, &id), collide(&read)] {
        for other in [11, 13] {
            let written = SyncRecord { version: Version::new(other).unwrap(), ..full() };
            refused(&change, Some(&written), &Refusal::VersionMismatch);
        }
        refused(&change, Some(&reborn(&read)), &Refusal::StaleIncarnation);
        refused(&change, None, &Refusal::Absent);
    }
}
