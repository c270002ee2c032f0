//! Success, with a lease and without.

use serde_json::json;
use sync_tracker_core::rules::{Completion, MarkSynced, MarkSyncedTo, Success};
use sync_tracker_core::{
    Change, Incarnation, Metadata, MetadataMerge, Operation, Refusal, RemoteVersion, SyncRecord,
    Token,
};

use super::full_record::{external_id, fingerprint, full, now, revision, sequence};
use super::lease::{is_for_the_holder, token};
use super::{born_again, clean, does, in_peace, live, makes, refused};

fn metadata() -> Metadata {
    Metadata::new(json!({ "new": true })).unwrap()
}

/// A success that tells all there is to tell.
fn success() -> Success {
    Success {
        external_id: Some(external_id("own")),
        remote_version: Some(sequence(6)),
        fingerprint: Some(fingerprint("b")),
        ..Success::default()
    }
    .replacing_metadata(metadata())
}

fn of_another() -> Success {
    Success { external_id: Some(external_id("other")), ..Success::default() }
}

fn already_bound() -> Refusal {
    Refusal::AlreadyBound { to: external_id("own") }
}

/// What a success does that tells nothing.
fn done(record: &mut SyncRecord) {
    record.synced_at = Some(now());
    record.attempts = 0;
    record.in_doubt = false;
    record.held = None;
    record.failure = None;
    record.retry_at = None;
}

/// What `success` does.
fn told(record: &mut SyncRecord) {
    done(record);
    record.sighted_at = Some(now());
    record.external_id = Some(external_id("own"));
    record.remote_version = Some(sequence(6));
    record.remote_seen = Some(sequence(6));
    record.base = Some(fingerprint("b"));
    record.echoes.retain(|echo| *echo != fingerprint("b"));
    record.metadata = metadata();
}

fn without_conflict() -> SyncRecord {
    in_peace(full())
}

#[test]
fn marking_synced_asserts_the_current_state() {
    let mark = |success| MarkSynced { success }.change();
    let all_synced = |record: &mut SyncRecord| {
        record.synced_revision = record.revision;
        record.pending_since = None;
    };
    does(&mark(success()), &without_conflict(), 1, |record| {
        told(record);
        all_synced(record);
    });
    does(&mark(Success::default()), &without_conflict(), 1, |record| {
        done(record);
        record.sighted_at = Some(now());
        all_synced(record);
    });
    let unbound = SyncRecord { external_id: None, ..without_conflict() };
    does(&mark(success()), &unbound, 1, |record| {
        told(record);
        all_synced(record);
    });
    makes(&mark(success()), 0, |record| {
        record.revision = revision(1);
        told(record);
        all_synced(record);
    });
    refused(&mark(success()), Some(&full()), &Refusal::ConflictOpen);
    refused(&mark(of_another()), Some(&without_conflict()), &already_bound());
}

#[test]
fn an_echo_is_expected_until_the_version_and_the_content_of_its_push_are_told() {
    let of = |remote_version, content: &str| {
        let fingerprint = Some(fingerprint(content));
        let success = Success { remote_version, fingerprint, ..Success::default() };
        MarkSyncedTo { incarnation: full().incarnation, revision: revision(7), success }.change()
    };
    does(&of(None, "a"), &without_conflict(), 0, |record| {
        done(record);
        record.sighted_at = Some(now());
        record.base = Some(fingerprint("a"));
    });
    does(&of(Some(sequence(6)), "a"), &without_conflict(), 0, |record| {
        done(record);
        record.sighted_at = Some(now());
        record.remote_version = Some(sequence(6));
        record.remote_seen = Some(sequence(6));
        record.base = Some(fingerprint("a"));
        record.echoes = ["b", "a"].map(fingerprint).to_vec();
    });
}

#[test]
fn metadata_is_replaced_or_merged() {
    let set = Metadata::new(json!({ "a": 2 })).unwrap();
    let merge = MetadataMerge::new(set, ["b"]).unwrap();
    let success = Success::default().merging_metadata(merge);
    does(&MarkSynced { success }.change(), &clean(without_conflict()), 1, |record| {
        done(record);
        record.sighted_at = Some(now());
        record.metadata = Metadata::new(json!({ "a": 2 })).unwrap();
    });
}

#[test]
fn marking_a_revision_synced_is_about_one_incarnation() {
    let mark = |incarnation, success| {
        let incarnation = Incarnation::new(incarnation).unwrap();
        MarkSyncedTo { incarnation, revision: revision(8), success }.change()
    };
    does(&mark(7, success()), &without_conflict(), 0, |record| {
        told(record);
        record.synced_revision = revision(8);
        record.pending_since = Some(now());
    });
    for other in [6, 8] {
        refused(&mark(other, success()), Some(&without_conflict()), &Refusal::StaleIncarnation);
    }
    refused(&mark(7, success()), Some(&full()), &Refusal::ConflictOpen);
    refused(&mark(7, of_another()), Some(&without_conflict()), &already_bound());
    refused(&mark(7, success()), None, &Refusal::Absent);
}

fn complete(token: Token, operation: Operation, number: u64, success: Success) -> Change {
    let seen = full().remote_seen;
    Completion { token, operation, revision: revision(number), seen, success }.change()
}

#[test]
fn a_push_that_succeeded_syncs_what_it_carried() {
    for operation in [Operation::Create, Operation::Update] {
        let pushed = |number, success| complete(token(), operation, number, success);
        does(&pushed(8, success()), &full(), 1, |record| {
            told(record);
            record.synced_revision = revision(8);
            record.pending_since = Some(now());
            record.remote_deleted_at = None;
            record.lease = None;
        });
        does(&pushed(6, success()), &full(), 0, |record| {
            let base = record.base.clone();
            told(record);
            record.base = base;
            record.revision = revision(10);
            record.remote_deleted_at = None;
            record.lease = None;
        });
        refused(&pushed(8, of_another()), Some(&full()), &already_bound());
        is_for_the_holder(|token| complete(token, operation, 8, success()));
    }
}

#[test]
fn what_was_seen_during_a_push_says_whether_its_content_is_the_base() {
    let opaque = |text: &str| RemoteVersion::opaque(text).unwrap();
    let held = |version: RemoteVersion, seen: Option<RemoteVersion>| SyncRecord {
        remote_version: seen.clone().map(|_| version.clone()),
        remote_seen: seen,
        ..full()
    };
    // Seen at the claim, seen by now, told: the arm, and whether the content is the base.
    let rows = [
        (Some(sequence(5)), Some(sequence(5)), Some(sequence(6)), 1, Some(true)),
        (Some(sequence(5)), Some(sequence(6)), Some(sequence(6)), 2, Some(true)),
        (Some(sequence(5)), Some(sequence(7)), Some(sequence(6)), 3, None),
        (None, None, Some(sequence(6)), 1, Some(true)),
        (None, Some(sequence(7)), Some(sequence(6)), 3, None),
        (Some(opaque("a")), Some(opaque("a")), Some(opaque("b")), 1, Some(true)),
        (Some(opaque("a")), Some(opaque("b")), Some(opaque("b")), 2, Some(true)),
        (Some(opaque("a")), Some(opaque("c")), Some(opaque("b")), 3, Some(false)),
        (None, None, Some(opaque("b")), 1, Some(true)),
        (None, Some(opaque("c")), Some(opaque("b")), 3, Some(false)),
        (Some(sequence(5)), Some(sequence(5)), None, 1, Some(true)),
        (Some(sequence(5)), Some(sequence(7)), None, 2, Some(false)),
        (None, None, None, 1, Some(true)),
    ];
    for (claimed, seen, told, arm, is_base) in rows {
        let record = held(seen.clone().unwrap_or(sequence(1)), seen.clone());
        let success = Success {
            remote_version: told.clone(),
            fingerprint: Some(fingerprint("b")),
            ..Success::default()
        };
        let completion = Completion {
            token: token(),
            operation: Operation::Update,
            revision: revision(8),
            seen: claimed.clone(),
            success,
        };
        does(&completion.change(), &record, arm, |record| {
            let (base, echoes) = (record.base.clone(), record.echoes.clone());
            done(record);
            record.synced_revision = revision(8);
            record.pending_since = Some(now());
            record.sighted_at = Some(now());
            record.remote_deleted_at = None;
            record.lease = None;
            record.base = match is_base {
                Some(true) => Some(fingerprint("b")),
                Some(false) => None,
                None => base,
            };
            let is_opaque = matches!(told, Some(RemoteVersion::Opaque(_)));
            let is_kept = told.is_none() || is_opaque && is_base == Some(false);
            if is_kept {
                record.echoes = echoes;
            } else {
                record.echoes.retain(|echo| *echo != fingerprint("b"));
            }
            let later = is_base != Some(true);
            if let Some(told) = told.clone().filter(|_| !later) {
                record.remote_version = Some(told.clone());
                record.remote_seen = Some(told);
            }
        });
    }
}

#[test]
fn a_delete_that_succeeded_leaves_a_tombstone_or_a_new_life() {
    let deleted = |number| complete(token(), Operation::Delete, number, success());
    let done = |record: &mut SyncRecord| {
        done(record);
        record.metadata = metadata();
        record.lease = None;
    };
    does(&deleted(6), &live(), 0, |record| {
        done(record);
        record.revision = revision(10);
    });
    does(&deleted(8), &live(), 1, |record| {
        done(record);
        born_again(record);
    });
    does(&deleted(6), &full(), 2, |record| {
        done(record);
        record.remote_deleted_at = Some(now());
    });
    does(&deleted(8), &full(), 3, |record| {
        done(record);
        record.synced_revision = revision(9);
        record.pending_since = None;
        record.remote_deleted_at = Some(now());
    });
    is_for_the_holder(|token| complete(token, Operation::Delete, 8, success()));
}
