//! What each operation of a patch does, told one by one. The stores are compared with the
//! reference; this holds the reference itself.

#![allow(clippy::unwrap_used)]

mod full_record;

use serde_json::json;
use sync_tracker_core::{
    AliasesOp, Arm, AttemptsOp, Change, ClaimId, Conflict, ConflictKind, ConflictOp, EchoesOp,
    ExternalIdOp, FactOp, FailureNote, FailureOp, FlagOp, Guard, Held, HeldKind, HeldOp,
    Incarnation, IncarnationOp, InstantOp, Lease, LeaseOp, Metadata, MetadataMerge, MetadataOp,
    Patch, RemoteVersion, RetryOp, RetryTable, Revision, RevisionOp, SyncRecord, SyncedAtOp,
    SyncedRevisionOp, Timestamp, Token, Version,
};

use full_record::{NOW, at, external_id, fingerprint, full, key, now, revision, sequence, span};

fn apply(record: Option<&SyncRecord>, then: Patch, now: Timestamp) -> SyncRecord {
    let change = Change::new([Arm { when: Guard::default(), then }]).unwrap();
    let record = change.apply_to(&key(), record, now).into_result().unwrap().record;
    assert_eq!(record.recent_changes.last(), Some(change.id()));
    record
}

/// Asserts that an operation does this to the record, and nothing else.
#[track_caller]
fn does(then: Patch, expected: impl FnOnce(&mut SyncRecord)) {
    does_to(&full(), then, expected);
}

#[track_caller]
fn does_to(before: &SyncRecord, then: Patch, expected: impl FnOnce(&mut SyncRecord)) {
    let text = format!("{then:?}");
    let after = apply(Some(before), then, now());
    let mut record = SyncRecord {
        version: Version::new(before.version.get() + 1).unwrap(),
        recent_changes: after.recent_changes.clone(),
        last_arm: 0,
        ..before.clone()
    };
    expected(&mut record);
    assert_eq!(after, record, "{text}");
}

#[test]
fn a_patch_without_operations_writes_a_version_and_nothing_else() {
    does(Patch::default(), |_| {});
}

#[test]
fn a_new_incarnation_clears_what_belonged_to_the_old_one() {
    does(Patch { incarnation: IncarnationOp::Next, ..Patch::default() }, |record| {
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
    });
}

#[test]
fn an_external_id_is_set_let_go_or_superseded() {
    let patch = |external_id| Patch { external_id, ..Patch::default() };
    does(patch(ExternalIdOp::Clear), |record| record.external_id = None);
    let ids = ["own", "old", "new"];
    for (id, aliases) in ids.into_iter().zip([vec!["old"], vec![], vec!["old"]]) {
        does(patch(ExternalIdOp::Set(external_id(id))), |record| {
            record.external_id = Some(external_id(id));
            record.aliases = aliases.into_iter().map(external_id).collect();
        });
    }
    for (id, aliases) in ids.into_iter().zip([vec!["old"], vec!["own"], vec!["old", "own"]]) {
        does(patch(ExternalIdOp::Supersede(external_id(id))), |record| {
            record.external_id = Some(external_id(id));
            record.aliases = aliases.into_iter().map(external_id).collect();
        });
    }
    let unbound = SyncRecord { external_id: None, ..full() };
    does_to(&unbound, patch(ExternalIdOp::Supersede(external_id("new"))), |record| {
        record.external_id = Some(external_id("new"));
    });
}

#[test]
fn an_alias_is_added_unless_it_is_known() {
    for (id, aliases) in [("own", vec!["old"]), ("old", vec!["old"]), ("new", vec!["old", "new"])] {
        let aliases: Vec<_> = aliases.into_iter().map(external_id).collect();
        let add = Patch { aliases: AliasesOp::Add(external_id(id)), ..Patch::default() };
        does(add, |record| record.aliases = aliases);
    }
}

#[test]
fn revisions_go_up() {
    let next = Patch { revision: RevisionOp::Next, ..Patch::default() };
    does(next, |record| record.revision = revision(10));
    let patch = |synced_revision| Patch { synced_revision, ..Patch::default() };
    for seen in [0, 7] {
        does(patch(SyncedRevisionOp::Max(revision(seen))), |_| {});
    }
    does(patch(SyncedRevisionOp::Max(revision(8))), |record| {
        record.synced_revision = revision(8);
        record.pending_since = Some(now());
    });
    for op in [9, 10].map(|seen| SyncedRevisionOp::Max(revision(seen))) {
        does(patch(op), |record| {
            record.synced_revision = revision(9);
            record.pending_since = None;
        });
    }
    does(patch(SyncedRevisionOp::ToRevision), |record| {
        record.synced_revision = revision(9);
        record.pending_since = None;
    });
}

#[test]
fn pending_since_is_when_a_clean_record_became_dirty() {
    let clean = SyncRecord { synced_revision: revision(9), pending_since: None, ..full() };
    does_to(&clean, Patch { revision: RevisionOp::Next, ..Patch::default() }, |record| {
        record.revision = revision(10);
        record.pending_since = Some(now());
    });
    let born = apply(None, Patch { revision: RevisionOp::Next, ..Patch::default() }, now());
    assert_eq!(born.pending_since, Some(now()));
    assert_eq!(apply(None, Patch::default(), now()).pending_since, None);
}

#[test]
fn instants_become_now_or_stay_or_go() {
    let without = SyncRecord {
        updated_at: None,
        deleted_at: None,
        remote_deleted_at: None,
        sighted_at: None,
        synced_at: None,
        ..full()
    };
    let patches = [
        |op| Patch { updated_at: op, ..Patch::default() },
        |op| Patch { deleted_at: op, ..Patch::default() },
        |op| Patch { remote_deleted_at: op, ..Patch::default() },
        |op| Patch { sighted_at: op, ..Patch::default() },
    ];
    let fields: [fn(&mut SyncRecord) -> &mut Option<Timestamp>; 4] = [
        |record| &mut record.updated_at,
        |record| &mut record.deleted_at,
        |record| &mut record.remote_deleted_at,
        |record| &mut record.sighted_at,
    ];
    for (patch, field) in patches.into_iter().zip(fields) {
        does(patch(InstantOp::Now), |record| *field(record) = Some(now()));
        does(patch(InstantOp::NowIfNone), |_| {});
        does_to(&without, patch(InstantOp::NowIfNone), |record| *field(record) = Some(now()));
        does(patch(InstantOp::Clear), |record| *field(record) = None);
    }
    let synced_at = |synced_at| Patch { synced_at, ..Patch::default() };
    does(synced_at(SyncedAtOp::Now), |record| record.synced_at = Some(now()));
    does_to(&without, synced_at(SyncedAtOp::Now), |record| record.synced_at = Some(now()));
    let later = SyncRecord { synced_at: Some(at(NOW + 1)), ..full() };
    does_to(&later, synced_at(SyncedAtOp::Now), |_| {});
    does(synced_at(SyncedAtOp::Clear), |record| record.synced_at = None);
}

#[test]
fn a_remote_version_does_not_go_back() {
    let patches = [
        |op| Patch { remote_version: op, ..Patch::default() },
        |op| Patch { remote_seen: op, ..Patch::default() },
    ];
    let fields: [fn(&mut SyncRecord) -> &mut Option<RemoteVersion>; 2] =
        [|record| &mut record.remote_version, |record| &mut record.remote_seen];
    for (patch, field) in patches.into_iter().zip(fields) {
        does(patch(FactOp::Set(sequence(4))), |_| {});
        for version in [sequence(6), RemoteVersion::opaque("etag").unwrap()] {
            does(patch(FactOp::Set(version.clone())), |record| *field(record) = Some(version));
        }
        does(patch(FactOp::Clear), |record| *field(record) = None);
        let unseen = SyncRecord { remote_version: None, remote_seen: None, ..full() };
        does_to(&unseen, patch(FactOp::Set(sequence(4))), |record| {
            *field(record) = Some(sequence(4));
        });
    }
    let base = |base| Patch { base, ..Patch::default() };
    let content = fingerprint("c0");
    does(base(FactOp::Set(content.clone())), |record| record.base = Some(content));
    does(base(FactOp::Clear), |record| record.base = None);
}

#[test]
fn echoes_are_expected_in_their_order_and_four_at_most() {
    let patch = |echoes| Patch { echoes, ..Patch::default() };
    let [a, b, c] = ["a", "b", "c"].map(fingerprint);
    does(patch(EchoesOp::Push(c.clone())), |record| record.echoes.push(c.clone()));
    let four = SyncRecord { echoes: ["a", "b", "a", "b"].map(fingerprint).to_vec(), ..full() };
    does_to(&four, patch(EchoesOp::Push(c.clone())), |record| {
        record.echoes = ["b", "a", "b", "c"].map(fingerprint).to_vec();
    });
    does(patch(EchoesOp::Remove(a.clone())), |record| {
        record.echoes = vec![b.clone(), a.clone()];
    });
    does(patch(EchoesOp::Remove(b)), |record| record.echoes = vec![a.clone(), a.clone()]);
    does(patch(EchoesOp::Remove(c)), |_| {});
    does(patch(EchoesOp::Clear), |record| record.echoes.clear());
}

#[test]
fn attempts_are_charged_and_given_back_by_one() {
    let patch = |attempts| Patch { attempts, ..Patch::default() };
    does(patch(AttemptsOp::Reset), |record| record.attempts = 0);
    does(patch(AttemptsOp::Charge), |record| record.attempts = 3);
    does(patch(AttemptsOp::GiveBack), |record| record.attempts = 1);
    does_to(&SyncRecord { attempts: 0, ..full() }, patch(AttemptsOp::GiveBack), |_| {});
}

#[test]
fn doubts_holdings_and_conflicts_are_opened_and_closed() {
    let certain = SyncRecord { in_doubt: false, ..full() };
    let set = Patch { in_doubt: FlagOp::Set, ..Patch::default() };
    does_to(&certain, set, |record| record.in_doubt = true);
    does(Patch { in_doubt: FlagOp::Clear, ..Patch::default() }, |record| record.in_doubt = false);
    let held = |held| Patch { held, ..Patch::default() };
    let since = now();
    for (op, kind) in [(HeldOp::Dead, HeldKind::Dead), (HeldOp::Dismissed, HeldKind::Dismissed)] {
        does(held(op), |record| record.held = Some(Held { kind, since }));
    }
    does(held(HeldOp::Clear), |record| record.held = None);
    let conflict = |conflict| Patch { conflict, ..Patch::default() };
    let kind = ConflictKind::IdCollision;
    does(conflict(ConflictOp::Open(kind)), |record| {
        record.conflict.as_mut().unwrap().kind = kind;
    });
    does(conflict(ConflictOp::Clear), |record| record.conflict = None);
    let peaceful = SyncRecord { conflict: None, ..full() };
    does_to(&peaceful, conflict(ConflictOp::Open(kind)), |record| {
        record.conflict = Some(Conflict { kind, since });
    });
}

#[test]
fn a_failure_is_noted_and_a_retry_scheduled() {
    let note = FailureNote::permanent("no").with_code("404");
    let noted =
        apply(Some(&full()), Patch { failure: FailureOp::Note(note), ..Patch::default() }, now());
    let failure = noted.failure.unwrap();
    assert_eq!((failure.code.as_deref(), &*failure.message), (Some("404"), "no"));
    assert_eq!((failure.first_at, failure.last_at), (full().created_at, now()));
    does(Patch { failure: FailureOp::Clear, ..Patch::default() }, |record| record.failure = None);

    let retry = |retry_at| Patch { retry_at, ..Patch::default() };
    does(retry(RetryOp::After(span(5))), |record| record.retry_at = Some(at(NOW + 5)));
    does(retry(RetryOp::Clear), |record| record.retry_at = None);
    let table = |waits: &[u64]| {
        let waits: Vec<_> = waits.iter().copied().map(span).collect();
        RetryOp::Table(RetryTable::new(waits).unwrap())
    };
    does(retry(table(&[10, 20, 30])), |record| record.retry_at = Some(at(NOW + 20)));
    does(retry(table(&[10])), |record| {
        record.retry_at = None;
        record.held = Some(Held { kind: HeldKind::Dead, since: now() });
    });
    let untried = SyncRecord { attempts: 0, ..full() };
    does_to(&untried, retry(table(&[10, 20])), |record| record.retry_at = Some(at(NOW + 10)));
}

#[test]
fn a_lease_is_granted_renewed_and_dropped() {
    let lease = |lease| Patch { lease, ..Patch::default() };
    let claim_id = ClaimId::random();
    let grant = LeaseOp::Grant { claim_id: claim_id.clone(), ttl: span(5) };
    does(lease(grant), |record| {
        record.token = Token::new(NOW.unsigned_abs() * 1_000).unwrap();
        record.lease = Some(Lease { claim_id, until: at(NOW + 5) });
    });
    let renew = || lease(LeaseOp::Renew { ttl: span(5) });
    does(renew(), |record| record.lease.as_mut().unwrap().until = at(NOW + 5));
    does_to(&SyncRecord { lease: None, ..full() }, renew(), |_| {});
    does(lease(LeaseOp::Drop), |record| record.lease = None);
}

#[test]
fn metadata_is_replaced_as_a_whole_or_merged_at_its_top() {
    let patch = |metadata| Patch { metadata, ..Patch::default() };
    let metadata = |value| Metadata::new(value).unwrap();
    let whole = metadata(json!({ "x": null }));
    does(patch(MetadataOp::Replace(whole.clone())), |record| record.metadata = whole);
    let merge = MetadataMerge::new(metadata(json!({ "b": {} })), ["a", "none"]).unwrap();
    does(patch(MetadataOp::Merge(merge)), |record| {
        record.metadata = metadata(json!({ "b": {} }));
    });
}
