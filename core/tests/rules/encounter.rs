//! Finding in the remote what is not known there.

use sync_tracker_core::rules::Encounter;
use sync_tracker_core::{Change, ConflictKind, Demand, Refusal, Revision, SyncRecord};

use super::full_record::{external_id, fingerprint, full, now, revision, sequence};
use super::{clean, conflict, does, in_peace, live, makes, refused, unknown};

fn encounter(same_as: Option<Revision>) -> Encounter {
    Encounter {
        external_id: external_id("new"),
        version: Some(sequence(6)),
        content: Some(fingerprint("new")),
        same_as,
    }
}

/// An encounter of which nothing is told but the id.
fn of_the_id(same_as: Option<Revision>) -> Change {
    Encounter { version: None, content: None, ..encounter(same_as) }.change()
}

fn bound(record: &mut SyncRecord) {
    record.external_id = Some(external_id("new"));
    record.sighted_at = Some(now());
    record.in_doubt = false;
}

/// Not known in the remote: without an external id, and never synced.
fn new() -> SyncRecord {
    unknown(in_peace(live()))
}

#[test]
fn what_both_sides_created_alike_is_in_step() {
    let in_step = |record: &mut SyncRecord| {
        bound(record);
        record.synced_revision = revision(9);
        record.pending_since = None;
        record.synced_at = Some(now());
    };
    does(&encounter(Some(revision(9))).change(), &new(), 0, |record| {
        in_step(record);
        record.remote_version = Some(sequence(6));
        record.remote_seen = Some(sequence(6));
        record.base = Some(fingerprint("new"));
    });
    does(&of_the_id(Some(revision(9))), &new(), 0, in_step);
    for other in [8, 10] {
        let change = encounter(Some(revision(other))).change();
        refused(&change, Some(&new()), &Refusal::RevisionMoved);
    }
    refused(&encounter(Some(revision(9))).change(), None, &Refusal::Absent);
}

#[test]
fn what_both_sides_created_otherwise_is_a_conflict() {
    does(&encounter(None).change(), &new(), 1, |record| {
        bound(record);
        record.remote_seen = Some(sequence(6));
        record.conflict = conflict(ConflictKind::CreateCreate);
    });
    does(&of_the_id(None), &new(), 1, |record| {
        bound(record);
        record.conflict = conflict(ConflictKind::CreateCreate);
    });
    makes(&encounter(None).change(), 0, |record| {
        bound(record);
        record.revision = revision(1);
        record.pending_since = Some(now());
        record.remote_seen = Some(sequence(6));
        record.conflict = conflict(ConflictKind::CreateCreate);
    });
}

#[test]
fn what_is_known_in_the_remote_is_not_encountered() {
    let unmet = Refusal::Unmet { demand: Demand::Known };
    for same_as in [None, Some(revision(9))] {
        let change = encounter(same_as).change();
        refused(&change, Some(&live()), &Refusal::AlreadyBound { to: external_id("own") });
        let same_id = SyncRecord { external_id: Some(external_id("new")), ..new() };
        let synced = SyncRecord { external_id: None, ..clean(live()) };
        for known in [same_id, synced] {
            refused(&change, Some(&known), &unmet);
        }
        refused(&change, Some(&unknown(full())), &Refusal::Deleted);
    }
}
