//! Every demand and every operation has a shape of its own, so no two statements are taken for one.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use sync_tracker_core::{
    AliasesOp, Arm, AttemptsOp, Change, ClaimId, ConflictKind, ConflictOp, EchoesOp, ExternalId,
    ExternalIdDemand, ExternalIdOp, FactOp, FailureNote, FailureOp, Fingerprint, FlagOp, Guard,
    HeldOp, Incarnation, IncarnationOp, InstantOp, LeaseOp, Metadata, MetadataMerge, MetadataOp,
    Millis, Patch, RemoteDemand, RemoteVersion, RetryOp, RetryTable, Revision, RevisionOp, Shape,
    SyncedAtOp, SyncedRevisionOp, Token, Version,
};

/// Guards with one demand each, of every kind.
fn demands() -> Vec<Guard> {
    let none = Guard::default;
    let id = || ExternalId::new("x").unwrap();
    let content = || Fingerprint::new("sha256:aa").ok();
    let version = RemoteVersion::Sequence(1);
    let mut all = vec![
        Guard { version: Version::new(1).ok(), ..none() },
        Guard { revision: Revision::new(1).ok(), ..none() },
        Guard { incarnation: Incarnation::new(1).ok(), ..none() },
        Guard { token: Token::new(1).ok(), ..none() },
        Guard { attempts_at_least: Some(1), ..none() },
        Guard { synced_above: Revision::new(1).ok(), ..none() },
        Guard { external_id: Some(ExternalIdDemand::FreeOr(id())), ..none() },
        Guard { external_id: Some(ExternalIdDemand::Is(id())), ..none() },
        Guard { echo: content(), ..none() },
        Guard { base_differs: content(), ..none() },
        Guard { remote: Some(RemoteDemand::NewerThanAccepted(version.clone())), ..none() },
        Guard { remote: Some(RemoteDemand::SeenIs(version)), ..none() },
    ];
    for state in [Some(true), Some(false)] {
        all.extend([
            Guard { exists: state, ..none() },
            Guard { leased: state, ..none() },
            Guard { due: state, ..none() },
            Guard { deleted: state, ..none() },
            Guard { dirty: state, ..none() },
            Guard { known: state, ..none() },
            Guard { in_doubt: state, ..none() },
            Guard { held: state, ..none() },
            Guard { conflict: state, ..none() },
        ]);
    }
    all
}

/// Patches with one operation each, of every kind, but setting one of the facts only.
fn operations() -> Vec<Patch> {
    let none = Patch::default;
    let id = || ExternalId::new("x").unwrap();
    let content = || Fingerprint::new("sha256:aa").unwrap();
    let note = FailureNote::transient("x");
    let merge = MetadataMerge::new(Metadata::default(), ["a"]).unwrap();
    let (claim_id, ttl) = (ClaimId::random(), Millis::MAX);
    let mut all = vec![
        Patch { incarnation: IncarnationOp::Next, ..none() },
        Patch { external_id: ExternalIdOp::Set(id()), ..none() },
        Patch { external_id: ExternalIdOp::Clear, ..none() },
        Patch { external_id: ExternalIdOp::Supersede(id()), ..none() },
        Patch { aliases: AliasesOp::Add(id()), ..none() },
        Patch { revision: RevisionOp::Next, ..none() },
        Patch { synced_revision: SyncedRevisionOp::Max(Revision::ZERO), ..none() },
        Patch { synced_revision: SyncedRevisionOp::ToRevision, ..none() },
        Patch { synced_at: SyncedAtOp::Now, ..none() },
        Patch { synced_at: SyncedAtOp::Clear, ..none() },
        Patch { base: FactOp::Set(content()), ..none() },
        Patch { remote_version: FactOp::Clear, ..none() },
        Patch { remote_seen: FactOp::Clear, ..none() },
        Patch { base: FactOp::Clear, ..none() },
        Patch { echoes: EchoesOp::Push(content()), ..none() },
        Patch { echoes: EchoesOp::Remove(content()), ..none() },
        Patch { echoes: EchoesOp::Clear, ..none() },
        Patch { attempts: AttemptsOp::Reset, ..none() },
        Patch { attempts: AttemptsOp::Charge, ..none() },
        Patch { attempts: AttemptsOp::GiveBack, ..none() },
        Patch { in_doubt: FlagOp::Set, ..none() },
        Patch { in_doubt: FlagOp::Clear, ..none() },
        Patch { held: HeldOp::Dead, ..none() },
        Patch { held: HeldOp::Dismissed, ..none() },
        Patch { held: HeldOp::Clear, ..none() },
        Patch { failure: FailureOp::Note(note), ..none() },
        Patch { failure: FailureOp::Clear, ..none() },
        Patch { retry_at: RetryOp::After(ttl), ..none() },
        Patch { retry_at: RetryOp::Table(RetryTable::default()), ..none() },
        Patch { retry_at: RetryOp::Clear, ..none() },
        Patch { lease: LeaseOp::Grant { claim_id, ttl }, ..none() },
        Patch { lease: LeaseOp::Renew { ttl }, ..none() },
        Patch { lease: LeaseOp::Drop, ..none() },
        Patch { conflict: ConflictOp::Open(ConflictKind::EditEdit), ..none() },
        Patch { conflict: ConflictOp::Clear, ..none() },
        Patch { metadata: MetadataOp::Replace(Metadata::default()), ..none() },
        Patch { metadata: MetadataOp::Merge(merge), ..none() },
    ];
    for op in [InstantOp::Now, InstantOp::NowIfNone, InstantOp::Clear] {
        all.extend([
            Patch { updated_at: op, ..none() },
            Patch { deleted_at: op, ..none() },
            Patch { remote_deleted_at: op, ..none() },
            Patch { sighted_at: op, ..none() },
        ]);
    }
    all
}

fn shape_of(when: Guard, then: Patch) -> Shape {
    Change::new([Arm { when, then }]).unwrap().shape()
}

#[test]
fn every_demand_and_every_operation_has_a_shape_of_its_own() {
    let mut shapes = vec![shape_of(Guard::default(), Patch::default())];
    shapes.extend(demands().into_iter().map(|when| shape_of(when, Patch::default())));
    shapes.extend(operations().into_iter().map(|then| shape_of(Guard::default(), then)));
    for then in operations() {
        let arms = [Arm::default(), Arm { then, ..Arm::default() }];
        shapes.push(Change::new(arms.clone()).unwrap().shape());
        let [first, second] = arms;
        shapes.push(Change::new([second, first]).unwrap().shape());
    }
    let distinct: BTreeSet<_> = shapes.iter().collect();
    assert_eq!(distinct.len(), shapes.len());
}

#[test]
fn the_facts_of_a_success_count_as_one() {
    let version = || FactOp::Set(RemoteVersion::Sequence(1));
    let content = || Fingerprint::new("sha256:aa").unwrap();
    let base = || FactOp::Set(content());
    let shape = |remote_version, remote_seen, base, echoes| {
        let facts = Patch { remote_version, remote_seen, base, echoes, ..Patch::default() };
        shape_of(Guard::default(), facts)
    };
    let all = shape(version(), version(), base(), EchoesOp::Remove(content()));
    assert_eq!(shape(version(), FactOp::Keep, FactOp::Keep, EchoesOp::Keep), all);
    assert_eq!(shape(FactOp::Keep, version(), FactOp::Keep, EchoesOp::Keep), all);
    assert_eq!(shape(FactOp::Keep, FactOp::Keep, base(), EchoesOp::Keep), all);
    assert_ne!(shape(version(), version(), FactOp::Clear, EchoesOp::Keep), all);
    assert_ne!(shape(version(), version(), base(), EchoesOp::Clear), all);
    assert_ne!(shape(version(), version(), base(), EchoesOp::Push(content())), all);
}
