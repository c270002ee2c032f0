//! Accepting what was seen in the remote.

use sync_tracker_core::rules::Accept;
use sync_tracker_core::{Incarnation, Refusal, RemoteState, SyncRecord};

use super::full_record::{external_id, fingerprint, full, now, revision, sequence};
use super::{born_again, clean, does, gone, in_peace, live, refused};

/// A record with a version that was seen and not accepted.
fn seen(record: SyncRecord) -> SyncRecord {
    SyncRecord { remote_seen: Some(sequence(6)), ..in_peace(record) }
}

fn accept(state: RemoteState) -> Accept {
    Accept {
        external_id: external_id("own"),
        incarnation: full().incarnation,
        revision: revision(8),
        version: Some(sequence(6)),
        state,
    }
}

fn content() -> Accept {
    accept(RemoteState::Present(Some(fingerprint("new"))))
}

fn deletion(number: u64) -> Accept {
    Accept { revision: revision(number), ..accept(RemoteState::Deleted) }
}

/// Of which nothing is told.
fn object() -> Accept {
    Accept { version: None, ..accept(RemoteState::Present(None)) }
}

#[test]
fn what_was_taken_over_is_in_step_but_for_later_changes() {
    let taken_over = |record: &mut SyncRecord| {
        record.synced_revision = record.synced_revision.max(revision(8));
        record.pending_since = (record.synced_revision < record.revision).then(now);
        record.remote_deleted_at = None;
        record.synced_at = Some(now());
    };
    for record in [seen(live()), clean(seen(live()))] {
        does(&content().change(), &record, 1, |record| {
            taken_over(record);
            record.remote_version = Some(sequence(6));
            record.base = Some(fingerprint("new"));
        });
        does(&object().change(), &record, 1, |record| {
            taken_over(record);
            record.base = None;
        });
    }
    refused(&content().change(), Some(&seen(full())), &Refusal::Deleted);
}

#[test]
fn what_was_restored_in_the_remote_begins_anew() {
    let restored = |record: &mut SyncRecord| {
        born_again(record);
        record.external_id = Some(external_id("own"));
        record.revision = revision(10);
        record.synced_revision = revision(10);
        record.pending_since = None;
        record.updated_at = None;
        record.deleted_at = None;
        record.sighted_at = Some(now());
        record.synced_at = Some(now());
    };
    let tombstone = clean(seen(full()));
    for number in [7, 8] {
        let content = Accept { revision: revision(number), ..content() };
        does(&content.change(), &tombstone, 0, |record| {
            restored(record);
            record.remote_version = Some(sequence(6));
            record.remote_seen = Some(sequence(6));
            record.base = Some(fingerprint("new"));
        });
    }
    does(&object().change(), &tombstone, 0, restored);
}

#[test]
fn a_deletion_that_was_taken_over_leaves_a_tombstone() {
    let accepted = |record: &mut SyncRecord| {
        record.remote_version = Some(sequence(6));
        gone(record);
    };
    for record in [seen(live()), clean(seen(live()))] {
        does(&deletion(9).change(), &record, 1, |record| {
            record.revision = revision(10);
            record.deleted_at = Some(now());
            record.synced_at = Some(now());
            accepted(record);
        });
        for other in [8, 10] {
            refused(&deletion(other).change(), Some(&record), &Refusal::RevisionMoved);
        }
    }
    for record in [seen(full()), clean(seen(full()))] {
        does(&deletion(8).change(), &record, 0, accepted);
        let unnoted = SyncRecord { remote_deleted_at: None, ..record };
        let deletion = Accept { version: None, ..deletion(8) };
        does(&deletion.change(), &unnoted, 0, |record| {
            record.remote_deleted_at = Some(now());
            gone(record);
        });
    }
}

#[test]
fn what_is_accepted_is_what_was_seen_last_of_this_object() {
    for change in [content().change(), deletion(9).change()] {
        for record in [seen(live()), clean(seen(full()))] {
            let number = |number| Incarnation::new(number).unwrap();
            for incarnation in [6, 8].map(number) {
                let other = SyncRecord { incarnation, ..record.clone() };
                refused(&change, Some(&other), &Refusal::StaleIncarnation);
            }
            let open = SyncRecord { conflict: full().conflict, ..record.clone() };
            // The reason is that of the last arm, which is about what is not deleted.
            let expected =
                if record.is_deleted() { Refusal::Deleted } else { Refusal::ConflictOpen };
            refused(&change, Some(&open), &expected);
        }
        let bound = SyncRecord { external_id: Some(external_id("other")), ..seen(live()) };
        let actual = bound.external_id.clone();
        refused(&change, Some(&bound), &Refusal::NotBoundTo { actual });
        for version in [None, Some(sequence(5)), Some(sequence(7))] {
            let moved = SyncRecord { remote_seen: version, ..seen(live()) };
            refused(&change, Some(&moved), &Refusal::RemoteMoved);
        }
        refused(&change, None, &Refusal::Absent);
    }
}
