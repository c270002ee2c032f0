//! Local changes.

use sync_tracker_core::rules::{created, deleted, restored, updated};
use sync_tracker_core::{Metadata, Refusal, SyncRecord};

use super::full_record::{full, now, revision};
use super::{born_again, clean, does, live, makes, refused, unknown, unleased};

fn new_job(record: &mut SyncRecord) {
    record.revision = revision(10);
    record.attempts = 0;
    record.held = None;
    record.retry_at = None;
}

#[test]
fn a_deletion_that_was_not_pushed_is_undone() {
    for change in [created(), restored()] {
        does(&change, &full(), 0, |record| {
            new_job(record);
            record.deleted_at = None;
            record.updated_at = Some(now());
        });
    }
}

#[test]
fn after_a_deletion_that_was_pushed_nothing_is_inherited() {
    for change in [created(), restored()] {
        does(&change, &clean(full()), 1, |record| {
            new_job(record);
            born_again(record);
            record.updated_at = None;
            record.deleted_at = None;
            record.synced_at = None;
            record.failure = None;
            record.lease = None;
            record.conflict = None;
            record.metadata = Metadata::default();
        });
    }
}

#[test]
fn an_entity_is_created_once_and_restored_if_it_was_deleted() {
    makes(&created(), 2, |record| {
        record.revision = revision(1);
        record.pending_since = Some(now());
    });
    refused(&created(), Some(&live()), &Refusal::AlreadyExists);
    refused(&restored(), Some(&live()), &Refusal::NotDeleted);
    refused(&restored(), None, &Refusal::Absent);
}

#[test]
fn an_update_puts_back_what_was_held_and_else_leaves_the_retry() {
    does(&updated(), &live(), 0, |record| {
        new_job(record);
        record.updated_at = Some(now());
    });
    does(&updated(), &SyncRecord { held: None, ..live() }, 1, |record| {
        record.revision = revision(10);
        record.updated_at = Some(now());
    });
    makes(&updated(), 1, |record| {
        record.revision = revision(1);
        record.updated_at = Some(now());
        record.pending_since = Some(now());
    });
    refused(&updated(), Some(&full()), &Refusal::Deleted);
}

#[test]
fn a_deletion_is_pushed_unless_there_certainly_is_nothing() {
    let never_sent = SyncRecord { in_doubt: false, ..unleased(unknown(live())) };
    does(&deleted(), &never_sent, 0, |record| {
        new_job(record);
        record.deleted_at = Some(now());
        record.synced_revision = revision(10);
        record.pending_since = None;
    });
    for record in [
        live(),
        SyncRecord { external_id: live().external_id, ..never_sent.clone() },
        SyncRecord { in_doubt: true, ..never_sent.clone() },
        SyncRecord { lease: live().lease, ..never_sent },
    ] {
        does(&deleted(), &record, 1, |record| {
            new_job(record);
            record.deleted_at = Some(now());
        });
    }
    refused(&deleted(), Some(&full()), &Refusal::Deleted);
    refused(&deleted(), None, &Refusal::Absent);
}
