//! A record with a value in every field, and what it is made of.

use serde_json::json;
use sync_tracker_core::{
    Arm, Change, ClaimId, Conflict, ConflictKind, ExternalId, FailureNote, FailureOp, Fingerprint,
    Guard, Held, HeldKind, Incarnation, Key, Lease, Metadata, Millis, Patch, RemoteVersion,
    Revision, SyncRecord, Timestamp, Token, Version,
};

pub(crate) const NOW: i64 = 1_700_000_000_000;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

pub(crate) fn now() -> Timestamp {
    at(NOW)
}

pub(crate) fn span(millis: u64) -> Millis {
    Millis::new(millis).unwrap()
}

pub(crate) fn key() -> Key {
    Key::new("shop", "product", 1).unwrap()
}

pub(crate) fn external_id(text: &str) -> ExternalId {
    ExternalId::new(text).unwrap()
}

pub(crate) fn fingerprint(hash: &str) -> Fingerprint {
    Fingerprint::new(format!("sha256:{hash}")).unwrap()
}

pub(crate) fn revision(number: u64) -> Revision {
    Revision::new(number).unwrap()
}

pub(crate) fn sequence(number: i64) -> RemoteVersion {
    RemoteVersion::Sequence(number)
}

/// An hour old, deleted, with revision 9 of which 7 is synced, two attempts, and token 5.
pub(crate) fn full() -> SyncRecord {
    let then = at(NOW - 3_600_000);
    let failure = FailureOp::Note(FailureNote::transient("x"));
    let failed = Patch { failure, ..Patch::default() };
    let failed = Change::new([Arm { when: Guard::default(), then: failed }]).unwrap();
    SyncRecord {
        external_id: Some(external_id("own")),
        aliases: vec![external_id("old")],
        incarnation: Incarnation::new(7).unwrap(),
        revision: revision(9),
        synced_revision: revision(7),
        pending_since: Some(then),
        updated_at: Some(then),
        deleted_at: Some(then),
        sighted_at: Some(then),
        synced_at: Some(then),
        remote_version: Some(sequence(5)),
        remote_seen: Some(sequence(5)),
        remote_deleted_at: Some(then),
        base: Some(fingerprint("ba5e")),
        echoes: ["a", "b", "a"].map(fingerprint).to_vec(),
        attempts: 2,
        in_doubt: true,
        held: Some(Held { kind: HeldKind::Dismissed, since: then }),
        retry_at: Some(then),
        token: Token::new(5).unwrap(),
        lease: Some(Lease { claim_id: ClaimId::labelled("worker").unwrap(), until: then }),
        conflict: Some(Conflict { kind: ConflictKind::EditEdit, since: then }),
        metadata: Metadata::new(json!({ "a": 1, "b": { "c": 2 } })).unwrap(),
        version: Version::new(12).unwrap(),
        last_arm: 3,
        ..failed.apply_to(&key(), None, then).into_result().unwrap().record
    }
}
