//! What a change does, whatever rule it comes from.

use serde_json::json;
use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{
    AliasesOp, Arm, AttemptsOp, Change, ClaimId, Conflict, ConflictKind, ConflictOp, EchoesOp,
    ExternalIdDemand, ExternalIdOp, FactOp, Failure, FailureClass, FailureNote, FailureOp,
    Fingerprint, FlagOp, Guard, Held, HeldKind, HeldOp, Imported, Incarnation, IncarnationOp,
    InstantOp, Key, Lease, LeaseOp, Metadata, MetadataMerge, MetadataOp, Outcome, Patch,
    RecentChanges, Refusal, RemoteDemand, RemoteVersion, RetryOp, RetryTable, Revision, RevisionOp,
    SyncRecord, SyncedAtOp, SyncedRevisionOp, Token, Version,
};

use super::local::completed;
use crate::ground::{Ground, at, external_id, product, span};

fn change(when: Guard, then: Patch) -> Change {
    Change::new([Arm { when, then }]).unwrap()
}

fn touch() -> Patch {
    Patch { revision: RevisionOp::Next, ..Patch::default() }
}

pub(crate) fn fingerprint(hash: &str) -> Fingerprint {
    Fingerprint::new(format!("sha256:{hash}")).unwrap()
}

/// A record with a value in every field.
pub(crate) fn full_record(key: Key) -> SyncRecord {
    SyncRecord {
        key,
        external_id: Some(external_id("own")),
        aliases: vec![external_id("old"), external_id("older")],
        incarnation: Incarnation::new(1_600_000_000_000).unwrap(),
        revision: Revision::new(9).unwrap(),
        synced_revision: Revision::new(7).unwrap(),
        pending_since: Some(at(1_600_000_000_007)),
        created_at: at(1_600_000_000_000),
        updated_at: Some(at(1_600_000_000_009)),
        deleted_at: Some(at(1_600_000_000_010)),
        synced_at: Some(at(1_600_000_000_006)),
        remote_version: Some(RemoteVersion::Sequence(5)),
        remote_seen: Some(RemoteVersion::Sequence(6)),
        remote_deleted_at: Some(at(1_600_000_000_011)),
        sighted_at: Some(at(1_600_000_000_012)),
        base: Some(fingerprint("ba5e")),
        echoes: vec![fingerprint("e1"), fingerprint("e2"), fingerprint("e1")],
        attempts: 2,
        in_doubt: true,
        held: Some(Held { kind: HeldKind::Dismissed, since: at(1_600_000_000_012) }),
        failure: Some(Failure {
            class: FailureClass::Throttled,
            code: Some("429".into()),
            message: "slow\ndown".into(),
            first_at: at(1_600_000_000_003),
            last_at: at(1_600_000_000_004),
        }),
        retry_at: Some(at(1_700_000_000_000)),
        token: Token::new(1_600_000_000_000_000).unwrap(),
        lease: Some(Lease {
            claim_id: ClaimId::labelled("worker").unwrap(),
            until: at(1_700_000_000_000),
        }),
        conflict: Some(Conflict { kind: ConflictKind::DeleteEdit, since: at(1_600_000_000_013) }),
        metadata: Metadata::new(json!({ "a": { "b": [1, 2.5, null] }, "c": "d" })).unwrap(),
        version: Version::new(12).unwrap(),
        recent_changes: RecentChanges::default(),
        last_arm: 3,
    }
}

/// A record with a value only where there must be one.
pub(crate) fn plain_record(key: Key) -> SyncRecord {
    SyncRecord {
        external_id: None,
        aliases: Vec::new(),
        synced_revision: Revision::new(9).unwrap(),
        pending_since: None,
        updated_at: None,
        deleted_at: None,
        synced_at: None,
        remote_version: None,
        remote_seen: None,
        remote_deleted_at: None,
        sighted_at: None,
        base: None,
        echoes: Vec::new(),
        attempts: 0,
        in_doubt: false,
        held: None,
        failure: None,
        retry_at: None,
        lease: None,
        conflict: None,
        metadata: Metadata::default(),
        ..full_record(key)
    }
}

/// Records that differ in what makes a record due, and when: before, at and after now.
fn due_records(key: &Key) -> Vec<SyncRecord> {
    let due = [at(1_699_999_999_999), at(1_700_000_000_000), at(1_700_000_000_001)];
    let failed =
        due.map(|retry_at| SyncRecord { retry_at: Some(retry_at), ..plain_record(key.clone()) });
    let claim_id = ClaimId::random();
    let leased = due.map(|until| SyncRecord {
        lease: Some(Lease { claim_id: claim_id.clone(), until }),
        ..plain_record(key.clone())
    });
    let pending = due.map(|since| SyncRecord {
        revision: Revision::new(10).unwrap(),
        pending_since: Some(since),
        ..plain_record(key.clone())
    });
    [failed, leased, pending].into_iter().flatten().collect()
}

async fn import(ground: &Ground, record: &SyncRecord) {
    assert_eq!(ground.store.put(record).await.unwrap(), Imported::Stored);
}

/// Guards with one demand each: every demand, both ways, and around its boundary.
fn demands() -> Vec<Guard> {
    let state = |set: fn(&mut Guard) -> &mut Option<bool>| {
        [true, false].map(|wanted| {
            let mut guard = Guard::default();
            *set(&mut guard) = Some(wanted);
            guard
        })
    };
    let states = [
        state(|guard| &mut guard.exists),
        state(|guard| &mut guard.leased),
        state(|guard| &mut guard.due),
        state(|guard| &mut guard.deleted),
        state(|guard| &mut guard.dirty),
        state(|guard| &mut guard.known),
        state(|guard| &mut guard.in_doubt),
        state(|guard| &mut guard.held),
        state(|guard| &mut guard.conflict),
    ];
    let mut guards: Vec<Guard> = states.into_iter().flatten().collect();
    let none = Guard::default;
    for version in [11, 12, 13] {
        guards.push(Guard { version: Version::new(version).ok(), ..none() });
    }
    for revision in [8, 9, 10] {
        guards.push(Guard { revision: Revision::new(revision).ok(), ..none() });
    }
    for incarnation in [1_599_999_999_999, 1_600_000_000_000, 1_600_000_000_001] {
        guards.push(Guard { incarnation: Incarnation::new(incarnation).ok(), ..none() });
    }
    for token in [1_599_999_999_999_999, 1_600_000_000_000_000, 1_600_000_000_000_001] {
        guards.push(Guard { token: Token::new(token).ok(), ..none() });
    }
    for attempts in [0, 1, 2, 3] {
        guards.push(Guard { attempts_at_least: Some(attempts), ..none() });
    }
    for bound in [0, 6, 7, 8, 9] {
        guards.push(Guard { synced_above: Revision::new(bound).ok(), ..none() });
    }
    for id in ["own", "old", "other"] {
        let (free, is) = (external_id(id), external_id(id));
        guards.push(Guard { external_id: Some(ExternalIdDemand::FreeOr(free)), ..none() });
        guards.push(Guard { external_id: Some(ExternalIdDemand::Is(is)), ..none() });
    }
    for hash in ["e1", "e3", "ba5e"] {
        guards.push(Guard { echo: Some(fingerprint(hash)), ..none() });
        guards.push(Guard { base_differs: Some(fingerprint(hash)), ..none() });
    }
    for version in versions() {
        let newer = RemoteDemand::NewerThanAccepted(version.clone());
        guards.push(Guard { remote: Some(newer), ..none() });
        guards.push(Guard { remote: Some(RemoteDemand::SeenIs(version)), ..none() });
    }
    guards
}

fn versions() -> Vec<RemoteVersion> {
    let mut versions: Vec<_> =
        [i64::MIN, -1, 4, 5, 6, 7, i64::MAX].into_iter().map(RemoteVersion::Sequence).collect();
    versions.push(RemoteVersion::Timestamp(at(5)));
    versions.push(RemoteVersion::opaque("5").unwrap());
    versions
}

/// Patches with one operation each.
fn operations() -> Vec<Patch> {
    let none = Patch::default;
    let mut patches = vec![
        none(),
        touch(),
        Patch { incarnation: IncarnationOp::Next, ..none() },
        Patch { external_id: ExternalIdOp::Clear, ..none() },
        Patch { synced_revision: SyncedRevisionOp::ToRevision, ..none() },
        Patch { synced_at: SyncedAtOp::Now, ..none() },
        Patch { synced_at: SyncedAtOp::Clear, ..none() },
        Patch { remote_version: FactOp::Clear, ..none() },
        Patch { remote_seen: FactOp::Clear, ..none() },
        Patch { base: FactOp::Set(fingerprint("new")), ..none() },
        Patch { base: FactOp::Clear, ..none() },
        Patch { echoes: EchoesOp::Clear, ..none() },
        Patch { attempts: AttemptsOp::Reset, ..none() },
        Patch { attempts: AttemptsOp::Charge, ..none() },
        Patch { attempts: AttemptsOp::GiveBack, ..none() },
        Patch { in_doubt: FlagOp::Set, ..none() },
        Patch { in_doubt: FlagOp::Clear, ..none() },
        Patch { held: HeldOp::Dead, ..none() },
        Patch { held: HeldOp::Dismissed, ..none() },
        Patch { held: HeldOp::Clear, ..none() },
        Patch { failure: FailureOp::Clear, ..none() },
        Patch { retry_at: RetryOp::Clear, ..none() },
        Patch { lease: LeaseOp::Drop, ..none() },
        Patch { lease: LeaseOp::Renew { ttl: span(9) }, ..none() },
        Patch { lease: LeaseOp::Grant { claim_id: ClaimId::random(), ttl: span(9) }, ..none() },
        Patch { conflict: ConflictOp::Open(ConflictKind::IdCollision), ..none() },
        Patch { conflict: ConflictOp::Clear, ..none() },
        Patch { metadata: MetadataOp::Replace(Metadata::default()), ..none() },
    ];
    for id in ["own", "old", "new"] {
        patches.push(Patch { external_id: ExternalIdOp::Set(external_id(id)), ..none() });
        patches.push(Patch { external_id: ExternalIdOp::Supersede(external_id(id)), ..none() });
        patches.push(Patch { aliases: AliasesOp::Add(external_id(id)), ..none() });
    }
    for seen in [0, 6, 7, 8, 9, 10] {
        let seen = Revision::new(seen).unwrap();
        patches.push(Patch { synced_revision: SyncedRevisionOp::Max(seen), ..none() });
    }
    for op in [InstantOp::Now, InstantOp::NowIfNone, InstantOp::Clear] {
        patches.push(Patch { updated_at: op, ..none() });
        patches.push(Patch { deleted_at: op, ..none() });
        patches.push(Patch { remote_deleted_at: op, ..none() });
        patches.push(Patch { sighted_at: op, ..none() });
    }
    for version in versions() {
        patches.push(Patch { remote_version: FactOp::Set(version.clone()), ..none() });
        patches.push(Patch { remote_seen: FactOp::Set(version), ..none() });
    }
    for hash in ["e1", "e2", "e3"] {
        patches.push(Patch { echoes: EchoesOp::Push(fingerprint(hash)), ..none() });
        patches.push(Patch { echoes: EchoesOp::Remove(fingerprint(hash)), ..none() });
    }
    for class in [
        FailureClass::Transient,
        FailureClass::Throttled,
        FailureClass::Permanent,
        FailureClass::Unknown,
    ] {
        let note = FailureNote::new(class, "why");
        patches.push(Patch { failure: FailureOp::Note(note.clone()), ..none() });
        patches.push(Patch { failure: FailureOp::Note(note.with_code("7")), ..none() });
    }
    for wait in [0, 1] {
        patches.push(Patch { retry_at: RetryOp::After(span(wait)), ..none() });
    }
    for entries in [0_u64, 1, 2, 3] {
        let table = RetryTable::new((1..=entries).map(span).collect::<Vec<_>>()).unwrap();
        patches.push(Patch { retry_at: RetryOp::Table(table), ..none() });
    }
    let set = Metadata::new(json!({ "a": 1, "e": {} })).unwrap();
    let merge = MetadataMerge::new(set, ["c", "a", "none"]).unwrap();
    patches.push(Patch { metadata: MetadataOp::Merge(merge), ..none() });
    patches
}

pub async fn the_first_arm_that_holds_is_applied(ground: Ground) {
    let key = product("1");
    let arm = |exists, attempts| Arm {
        when: Guard { exists, ..Guard::default() },
        then: Patch { attempts, ..touch() },
    };
    let change = || {
        Change::new([
            arm(Some(true), AttemptsOp::Charge),
            arm(Some(false), AttemptsOp::Keep),
            arm(None, AttemptsOp::Charge),
        ])
        .unwrap()
    };
    assert_eq!(ground.applied(&key, &change()).await.last_arm, 1);
    let record = ground.applied(&key, &change()).await;
    assert_eq!((record.last_arm, record.attempts), (0, 1));
}

pub async fn the_answer_tells_which_arm_was_applied(ground: Ground) {
    let key = product("1");
    let arms: Vec<_> = (1..=4)
        .map(|revision| Guard { revision: Revision::new(revision).ok(), ..Guard::default() })
        .map(|when| Arm { when, then: touch() })
        .collect();
    ground.applied(&key, &rules::created()).await;
    for arm in 0..4 {
        let change = Change::new(arms.clone()).unwrap();
        ground.agrees(&key, &change).await;
        let Outcome::Applied(again) = ground.apply(&key, &change).await else { panic!("refused") };
        assert_eq!((again.arm, again.replayed), (Some(arm), true));
    }
}

pub async fn a_replayed_change_is_not_applied_again(ground: Ground) {
    let key = product("1");
    let touch = change(Guard::default(), touch());
    ground.applied(&key, &touch).await;
    let Outcome::Applied(again) = ground.apply(&key, &touch).await else { panic!("refused") };
    assert!(again.replayed);
    assert_eq!(again.arm, Some(0));
    assert_eq!(again.record.revision.get(), 1);
    let other = ground.applied(&key, &rules::updated()).await;
    let Outcome::Applied(again) = ground.apply(&key, &touch).await else { panic!("refused") };
    assert!(again.replayed);
    assert_eq!(again.arm, None);
    assert_eq!(again.record, other);
    assert_eq!(ground.record(&key).await, other);
}

pub async fn a_change_is_remembered_for_sixteen_changes(ground: Ground) {
    for (between, remembered) in [(14, true), (15, true), (16, false)] {
        let key = product(&between.to_string());
        let first = change(Guard::default(), touch());
        ground.applied(&key, &first).await;
        for _ in 0..between {
            ground.applied(&key, &change(Guard::default(), touch())).await;
        }
        let Outcome::Applied(again) = ground.apply(&key, &first).await else { panic!("refused") };
        assert_eq!(again.replayed, remembered, "after {between} others");
        let applied = if remembered { between + 1 } else { between + 2 };
        assert_eq!(again.record.revision.get(), applied);
    }
}

pub async fn a_refused_change_is_judged_afresh(ground: Ground) {
    let key = product("1");
    let change = change(Guard { exists: Some(true), ..Guard::default() }, touch());
    assert_eq!(ground.refused(&key, &change).await, Refusal::Absent);
    ground.applied(&key, &rules::created()).await;
    assert_eq!(ground.applied(&key, &change).await.revision.get(), 2);
}

pub async fn operations_are_carried_out_in_their_order(ground: Ground) {
    let key = product("1");
    import(&ground, &full_record(key.clone())).await;
    // A new incarnation clears ids and the synced revision before they are set; the synced
    // revision sees the new revision, the table the new attempts, and past its end it holds.
    let everything = Patch {
        incarnation: IncarnationOp::Next,
        external_id: ExternalIdOp::Supersede(external_id("new")),
        aliases: AliasesOp::Add(external_id("alias")),
        revision: RevisionOp::Next,
        synced_revision: SyncedRevisionOp::ToRevision,
        remote_version: FactOp::Set(RemoteVersion::Sequence(1)),
        attempts: AttemptsOp::Charge,
        held: HeldOp::Clear,
        retry_at: RetryOp::Table(RetryTable::new([span(1), span(2)]).unwrap()),
        lease: LeaseOp::Drop,
        conflict: ConflictOp::Clear,
        ..Patch::default()
    };
    let change = change(Guard::default(), everything);
    ground.agrees(&key, &change).await;
    let record = ground.record(&key).await;
    assert_eq!(record.external_id, Some(external_id("new")));
    assert_eq!(record.aliases, [external_id("alias")]);
    assert_eq!((record.revision.get(), record.synced_revision.get()), (10, 10));
    assert_eq!(record.remote_version, Some(RemoteVersion::Sequence(1)));
    assert_eq!((record.attempts, record.retry_at), (3, None));
    assert_eq!(record.held.map(|held| held.kind), Some(HeldKind::Dead));
    ground.is_sound().await;
}

pub async fn every_demand_is_judged_as_the_reference_does(ground: Ground) {
    let key = product("1");
    let mut records = vec![full_record(key.clone()), plain_record(key.clone())];
    records.extend(due_records(&key));
    for record in records {
        for when in demands() {
            import(&ground, &record).await;
            ground.agrees(&key, &change(when, touch())).await;
        }
    }
}

pub async fn every_demand_is_judged_on_a_key_without_record(ground: Ground) {
    for (at, when) in demands().into_iter().enumerate() {
        ground.agrees(&product(&at.to_string()), &change(when, touch())).await;
    }
}

pub async fn every_operation_is_carried_out_as_the_reference_does(ground: Ground) {
    let key = product("1");
    for then in operations() {
        for record in [full_record(key.clone()), plain_record(key.clone())] {
            import(&ground, &record).await;
            ground.agrees(&key, &change(Guard::default(), then.clone())).await;
            ground.is_sound().await;
        }
        let born = Key::new("shop", "other", ground.now().as_millis()).unwrap();
        ground.agrees(&born, &change(Guard::default(), then)).await;
        ground.advance(1);
        let removed = ground.store.remove(&born, &Guard::default()).await.unwrap();
        assert_eq!(removed, sync_tracker_core::Removal::Removed);
    }
}

pub async fn remote_versions_of_each_kind_are_ordered_as_the_reference_does(ground: Ground) {
    let key = product("1");
    let odd = (1 << 53) + 1;
    let kinds = [
        [odd - 2, odd - 1, odd].map(RemoteVersion::Sequence),
        [-1, 0, 1].map(|millis| RemoteVersion::Timestamp(at(millis))),
        ["10", "9", "a"].map(|tag| RemoteVersion::opaque(tag).unwrap()),
    ];
    for versions in kinds {
        for there in &versions {
            let seen = SyncRecord { remote_seen: Some(there.clone()), ..plain_record(key.clone()) };
            let accepted = SyncRecord { remote_version: Some(there.clone()), ..seen.clone() };
            for version in &versions {
                let newer = RemoteDemand::NewerThanAccepted(version.clone());
                let set = || FactOp::Set(version.clone());
                for (remote, then) in [
                    (Some(newer), touch()),
                    (Some(RemoteDemand::SeenIs(version.clone())), touch()),
                    (None, Patch { remote_version: set(), ..Patch::default() }),
                    (None, Patch { remote_seen: set(), ..Patch::default() }),
                ] {
                    let when = Guard { remote, ..Guard::default() };
                    for record in [&seen, &accepted] {
                        import(&ground, record).await;
                        ground.agrees(&key, &change(when.clone(), then.clone())).await;
                    }
                }
            }
        }
    }
}

pub async fn attempts_are_charged_up_to_their_limit(ground: Ground) {
    let key = product("1");
    let charge = || Patch { attempts: AttemptsOp::Charge, ..Patch::default() };
    import(&ground, &SyncRecord { attempts: u32::MAX - 1, ..plain_record(key.clone()) }).await;
    for _ in 0..2 {
        ground.agrees(&key, &change(Guard::default(), charge())).await;
    }
    assert_eq!(ground.record(&key).await.attempts, u32::MAX);
}

pub async fn pending_since_is_kept_until_a_push_succeeds(ground: Ground) {
    let key = product("1");
    let created = ground.applied(&key, &rules::created()).await;
    ground.advance(10);
    let updated = ground.applied(&key, &rules::updated()).await;
    assert_eq!(updated.pending_since, created.pending_since);
    let leased = ground.lease(&key).await;
    assert_eq!(leased.pending_since, created.pending_since);
    ground.applied(&key, &rules::updated()).await;
    ground.advance(10);
    let done = completed(&leased, Success::default()).change();
    let record = ground.applied(&key, &done).await;
    assert_eq!(record.pending_since, Some(ground.now()));
    let synced = ground.applied(&key, &MarkSynced::default().change()).await;
    assert_eq!(synced.pending_since, None);
    ground.advance(10);
    let dirty = ground.applied(&key, &rules::updated()).await;
    assert_eq!(dirty.pending_since, Some(ground.now()));
}

pub async fn four_echoes_are_expected_at_most(ground: Ground) {
    let key = product("1");
    for hash in ["1", "2", "3", "4", "5"] {
        let expect = Patch { echoes: EchoesOp::Push(fingerprint(hash)), ..Patch::default() };
        ground.applied(&key, &change(Guard::default(), expect)).await;
    }
    let record = ground.record(&key).await;
    assert_eq!(record.echoes, ["2", "3", "4", "5"].map(fingerprint));
}
