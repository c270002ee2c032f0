//! What each demand of a guard means, told one by one. The stores are compared with the reference;
//! this holds the reference itself.

#![allow(clippy::unwrap_used)]

use std::slice::from_ref;

use sync_tracker_core::{
    Arm, Change, ClaimId, Conflict, ConflictKind, Demand, ExternalId, ExternalIdDemand,
    Fingerprint, Guard, Held, HeldKind, Incarnation, Key, Lease, NotNewer, Refusal, RemoteDemand,
    RemoteVersion, Revision, SyncRecord, Timestamp, Token, Version,
};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

const NOW: i64 = 1_700_000_000_000;

/// A record with a value only where there must be one: version 1, revision 0, nothing to push.
fn plain() -> SyncRecord {
    let key = Key::new("shop", "product", 1).unwrap();
    let nothing = Change::new([Arm::default()]).unwrap();
    nothing.apply_to(&key, None, at(NOW)).into_result().unwrap().record
}

fn external_id(text: &str) -> ExternalId {
    ExternalId::new(text).unwrap()
}

fn fingerprint(hash: &str) -> Fingerprint {
    Fingerprint::new(format!("sha256:{hash}")).unwrap()
}

fn revision(number: u64) -> Revision {
    Revision::new(number).unwrap()
}

fn sequence(number: i64) -> RemoteVersion {
    RemoteVersion::Sequence(number)
}

fn opaque() -> RemoteVersion {
    RemoteVersion::opaque("etag").unwrap()
}

fn leased(token: u64) -> SyncRecord {
    let lease = Lease { claim_id: ClaimId::random(), until: at(NOW + 1) };
    SyncRecord { lease: Some(lease), token: Token::new(token).unwrap(), ..plain() }
}

/// Asserts on which records a guard holds, why not on the others, and what it says of a key
/// without record.
#[track_caller]
fn demands(
    guard: &Guard,
    absent: Option<&Refusal>,
    met: &[SyncRecord],
    unmet: &[(SyncRecord, Refusal)],
) {
    assert_eq!(guard.refusal(None, at(NOW)).as_ref(), absent);
    assert_eq!(guard.holds(None, at(NOW)), absent.is_none());
    for record in met {
        assert_eq!(guard.refusal(Some(record), at(NOW)), None, "of {record:#?}");
        assert!(guard.holds(Some(record), at(NOW)));
    }
    for (record, refusal) in unmet {
        assert_eq!(guard.refusal(Some(record), at(NOW)).as_ref(), Some(refusal), "{record:#?}");
        assert!(!guard.holds(Some(record), at(NOW)));
    }
}

/// Asserts what a demand on a state means, both ways.
#[track_caller]
fn demands_state(
    guard: impl Fn(Option<bool>) -> Guard,
    is: &SyncRecord,
    is_not: &SyncRecord,
    should_be: Refusal,
    should_not_be: Refusal,
) {
    let both = [is, is_not].map(Clone::clone);
    demands(&guard(None), None, &both, &[]);
    let unmet = [(is_not.clone(), should_be)];
    demands(&guard(Some(true)), Some(&Refusal::Absent), from_ref(is), &unmet);
    demands(&guard(Some(false)), None, from_ref(is_not), &[(is.clone(), should_not_be)]);
}

fn unmet(demand: Demand) -> Refusal {
    Refusal::Unmet { demand }
}

#[test]
fn a_guard_without_demands_holds() {
    demands(&Guard::default(), None, &[plain(), leased(1)], &[]);
}

#[test]
fn whether_there_is_a_record() {
    let exists = |exists| Guard { exists: Some(exists), ..Guard::default() };
    demands(&exists(true), Some(&Refusal::Absent), &[plain()], &[]);
    demands(&exists(false), None, &[], &[(plain(), Refusal::AlreadyExists)]);
}

#[test]
fn counters_are_demanded_exactly() {
    let version = |number| Version::new(number).unwrap();
    let of = |version| SyncRecord { version, ..plain() };
    demands(
        &Guard { version: Some(version(5)), ..Guard::default() },
        Some(&Refusal::Absent),
        &[of(version(5))],
        &[4, 6].map(|other| (of(version(other)), Refusal::VersionMismatch)),
    );
    let of = |revision| SyncRecord { revision, ..plain() };
    demands(
        &Guard { revision: Some(revision(5)), ..Guard::default() },
        Some(&Refusal::Absent),
        &[of(revision(5))],
        &[4, 6].map(|other| (of(revision(other)), Refusal::RevisionMoved)),
    );
    let incarnation = |number| Incarnation::new(number).unwrap();
    let of = |incarnation| SyncRecord { incarnation, ..plain() };
    demands(
        &Guard { incarnation: Some(incarnation(5)), ..Guard::default() },
        Some(&Refusal::Absent),
        &[of(incarnation(5))],
        &[4, 6].map(|other| (of(incarnation(other)), Refusal::StaleIncarnation)),
    );
}

#[test]
fn a_token_is_that_of_the_lease_which_is_recorded() {
    let given_back = SyncRecord { lease: None, ..leased(5) };
    demands(
        &Guard { token: Token::new(5).ok(), ..Guard::default() },
        Some(&Refusal::LeaseLost),
        &[leased(5)],
        &[leased(4), leased(6), given_back].map(|record| (record, Refusal::LeaseLost)),
    );
}

#[test]
fn each_state_is_demanded_both_ways() {
    let some = |instant| Some(at(instant));
    let now = NOW;
    demands_state(
        |leased| Guard { leased, ..Guard::default() },
        &leased(1),
        &plain(),
        Refusal::LeaseLost,
        unmet(Demand::Leased),
    );
    demands_state(
        |due| Guard { due, ..Guard::default() },
        &SyncRecord { retry_at: some(now), ..plain() },
        &SyncRecord { retry_at: some(now + 1), ..plain() },
        Refusal::NotDue,
        unmet(Demand::Due),
    );
    demands_state(
        |deleted| Guard { deleted, ..Guard::default() },
        &SyncRecord { deleted_at: some(now), ..plain() },
        &plain(),
        Refusal::NotDeleted,
        Refusal::Deleted,
    );
    demands_state(
        |dirty| Guard { dirty, ..Guard::default() },
        &SyncRecord { revision: revision(1), pending_since: some(now), ..plain() },
        &plain(),
        unmet(Demand::Dirty),
        unmet(Demand::Dirty),
    );
    demands_state(
        |known| Guard { known, ..Guard::default() },
        &SyncRecord { external_id: Some(external_id("x")), ..plain() },
        &plain(),
        unmet(Demand::Known),
        unmet(Demand::Known),
    );
    demands_state(
        |in_doubt| Guard { in_doubt, ..Guard::default() },
        &SyncRecord { in_doubt: true, ..plain() },
        &plain(),
        unmet(Demand::InDoubt),
        unmet(Demand::InDoubt),
    );
    let held = Held { kind: HeldKind::Dismissed, since: at(now) };
    demands_state(
        |held| Guard { held, ..Guard::default() },
        &SyncRecord { held: Some(held), ..plain() },
        &plain(),
        Refusal::NotHeld,
        unmet(Demand::Held),
    );
    let conflict = Conflict { kind: ConflictKind::EditEdit, since: at(now) };
    demands_state(
        |conflict| Guard { conflict, ..Guard::default() },
        &SyncRecord { conflict: Some(conflict), ..plain() },
        &plain(),
        Refusal::NoConflict,
        Refusal::ConflictOpen,
    );
}

#[test]
fn bounds_are_met_from_their_edge_on() {
    let of = |attempts| SyncRecord { attempts, ..plain() };
    demands(
        &Guard { attempts_at_least: Some(2), ..Guard::default() },
        Some(&Refusal::Absent),
        &[of(2), of(3)],
        &[0, 1].map(|attempts| (of(attempts), unmet(Demand::AttemptsAtLeast))),
    );
    let of =
        |synced| SyncRecord { revision: revision(9), synced_revision: revision(synced), ..plain() };
    demands(
        &Guard { synced_above: Some(revision(2)), ..Guard::default() },
        Some(&Refusal::Absent),
        &[of(3), of(9)],
        &[0, 1, 2].map(|synced| (of(synced), unmet(Demand::SyncedAbove))),
    );
}

#[test]
fn an_external_id_is_demanded_without_regard_to_aliases() {
    let bound = |id| SyncRecord { external_id: Some(external_id(id)), ..plain() };
    let alias = SyncRecord { aliases: vec![external_id("x")], ..bound("y") };
    let to = || external_id("y");
    let of = |demand| Guard { external_id: Some(demand), ..Guard::default() };
    demands(
        &of(ExternalIdDemand::FreeOr(external_id("x"))),
        None,
        &[plain(), bound("x")],
        &[bound("y"), alias.clone()].map(|record| (record, Refusal::AlreadyBound { to: to() })),
    );
    demands(
        &of(ExternalIdDemand::Is(external_id("x"))),
        Some(&Refusal::Absent),
        &[bound("x")],
        &[(plain(), None), (bound("y"), Some(to())), (alias, Some(to()))]
            .map(|(record, actual)| (record, Refusal::NotBoundTo { actual })),
    );
}

#[test]
fn an_echo_is_one_that_is_expected_and_a_base_differs_if_there_is_none() {
    let echoes = |hashes: &[&str]| SyncRecord {
        echoes: hashes.iter().map(|hash| fingerprint(hash)).collect(),
        ..plain()
    };
    demands(
        &Guard { echo: Some(fingerprint("e")), ..Guard::default() },
        Some(&Refusal::Absent),
        &[echoes(&["e"]), echoes(&["other", "e"])],
        &[plain(), echoes(&["other"])].map(|record| (record, unmet(Demand::Echo))),
    );
    let base = |hash| SyncRecord { base: Some(fingerprint(hash)), ..plain() };
    demands(
        &Guard { base_differs: Some(fingerprint("b")), ..Guard::default() },
        Some(&Refusal::Absent),
        &[plain(), base("other")],
        &[(base("b"), Refusal::NotNewer { why: NotNewer::Same })],
    );
}

#[test]
fn news_is_newer_than_what_was_accepted_and_no_older_than_what_was_seen() {
    let of = |remote_version, remote_seen| SyncRecord { remote_version, remote_seen, ..plain() };
    let not_newer = |why| Refusal::NotNewer { why };
    demands(
        &Guard { remote: Some(RemoteDemand::NewerThanAccepted(sequence(5))), ..Guard::default() },
        Some(&Refusal::Absent),
        &[
            plain(),
            of(Some(sequence(4)), None),
            of(Some(sequence(4)), Some(sequence(4))),
            of(None, Some(sequence(5))),
            of(Some(sequence(4)), Some(sequence(5))),
        ],
        &[
            (of(Some(sequence(5)), None), not_newer(NotNewer::Same)),
            (of(Some(sequence(6)), None), not_newer(NotNewer::Stale)),
            (of(Some(opaque()), None), not_newer(NotNewer::Unordered)),
            (of(None, Some(sequence(6))), not_newer(NotNewer::Stale)),
            (of(None, Some(opaque())), not_newer(NotNewer::Unordered)),
        ],
    );
    demands(
        &Guard { remote: Some(RemoteDemand::SeenIs(sequence(5))), ..Guard::default() },
        Some(&Refusal::Absent),
        &[of(None, Some(sequence(5)))],
        &[plain(), of(Some(sequence(5)), None), of(None, Some(sequence(6)))]
            .map(|record| (record, Refusal::RemoteMoved)),
    );
}

#[test]
fn all_demands_have_to_hold_and_the_first_that_does_not_is_told() {
    let held = Held { kind: HeldKind::Dead, since: at(NOW) };
    let record = SyncRecord { held: Some(held), in_doubt: true, ..plain() };
    let guard = |deleted, held, in_doubt| Guard {
        deleted: Some(deleted),
        held: Some(held),
        in_doubt: Some(in_doubt),
        ..Guard::default()
    };
    demands(&guard(false, true, true), Some(&Refusal::Absent), from_ref(&record), &[]);
    for (deleted, held, in_doubt, refusal) in [
        (true, false, false, Refusal::NotDeleted),
        (false, false, false, unmet(Demand::Held)),
        (false, true, false, unmet(Demand::InDoubt)),
    ] {
        let guard = guard(deleted, held, in_doubt);
        assert_eq!(guard.refusal(Some(&record), at(NOW)), Some(refusal));
    }
}
