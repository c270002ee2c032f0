//! What a change is made of, and what is said about what became of it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use sync_tracker_core::{
    Applied, Arm, Change, ChangeId, Demand, EntityRef, ExternalId, ExternalIdOp, Guard, Key,
    NotNewer, Outcome, Patch, Refusal, Refused, Revision, SyncRecord, Timestamp,
};

fn key() -> Key {
    Key::new("shop", "product", 1).unwrap()
}

fn external_id() -> ExternalId {
    ExternalId::new("x").unwrap()
}

fn exists(exists: bool) -> Arm {
    Arm { when: Guard { exists: Some(exists), ..Guard::default() }, then: Patch::default() }
}

fn apply(change: &Change, record: Option<&SyncRecord>) -> Outcome {
    change.apply_to(&key(), record, Timestamp::now())
}

#[test]
fn a_change_has_an_id_and_one_to_four_arms() {
    let arms = [exists(true), exists(false), Arm::default(), exists(true)];
    let change = Change::new(arms.clone()).unwrap();
    assert_eq!(change.arms(), arms);
    assert_ne!(change.id(), Change::new(arms.clone()).unwrap().id());
    let renamed = change.with_id(ChangeId::from_bits(7));
    assert_eq!((renamed.id(), renamed.arms()), (ChangeId::from_bits(7), arms.as_slice()));
    assert!(Change::new([]).is_err());
    assert!(Change::new([&arms[..], &arms[..1]].concat()).is_err());
}

#[test]
fn what_was_applied_shows_the_record_and_what_was_refused_why() {
    let make = Change::new([exists(false)]).unwrap();
    let applied = apply(&make, None);
    assert!(applied.is_applied());
    assert_eq!(applied.refusal(), None);
    let record = applied.record().unwrap().clone();
    let expected = Applied { record: record.clone(), arm: Some(0), replayed: false };
    assert_eq!(applied.into_result(), Ok(expected));

    let other = Change::new([exists(false)]).unwrap();
    let refused = apply(&other, Some(&record));
    assert!(!refused.is_applied());
    assert_eq!(refused.refusal(), Some(&Refusal::AlreadyExists));
    assert_eq!(refused.record(), Some(&record));
    let expected = Refused { reason: Refusal::AlreadyExists, record: Some(record) };
    assert_eq!(refused.into_result(), Err(expected));
    let absent = apply(&Change::new([exists(true)]).unwrap(), None);
    assert_eq!((absent.refusal(), absent.record()), (Some(&Refusal::Absent), None));
}

#[test]
fn a_replay_tells_its_arm_only_as_long_as_it_was_the_last() {
    let [first, second] = [(); 2].map(|()| Change::new([exists(true), Arm::default()]).unwrap());
    let record = apply(&first, None).into_result().unwrap().record;
    let again = apply(&first, Some(&record)).into_result().unwrap();
    assert_eq!(again, Applied { record: record.clone(), arm: Some(1), replayed: true });
    let record = apply(&second, Some(&record)).into_result().unwrap().record;
    let again = apply(&first, Some(&record)).into_result().unwrap();
    assert_eq!(again, Applied { record, arm: None, replayed: true });
}

#[test]
fn a_refusal_is_explained_by_the_record_that_a_store_sends_back() {
    let explain = |change: &Change, record: &SyncRecord| {
        change.explain(&key(), Some(record), Timestamp::now())
    };
    let record = apply(&Change::new([exists(false)]).unwrap(), None).record().unwrap().clone();
    let deleted = Guard { deleted: Some(true), ..Guard::default() };
    let last = Arm { when: deleted, then: Patch::default() };
    let refused = Change::new([exists(false), last.clone()]).unwrap();
    assert_eq!(explain(&refused, &record), Refusal::NotDeleted, "by the last arm");

    let bind = Patch { external_id: ExternalIdOp::Set(external_id()), ..Patch::default() };
    let bind = Change::new([Arm { when: exists(true).when, then: bind }, last]).unwrap();
    let taken = Refusal::ExternalIdTaken { id: external_id(), by: None };
    assert_eq!(explain(&bind, &record), taken);
    let bound = SyncRecord { external_id: Some(external_id()), ..record.clone() };
    assert_eq!(explain(&bind, &bound), Refusal::NotDeleted, "it is its own");

    let with_aliases = |count: usize| SyncRecord {
        aliases: (0..count).map(|n| ExternalId::new(n.to_string()).unwrap()).collect(),
        ..record.clone()
    };
    assert_eq!(explain(&bind, &with_aliases(SyncRecord::MAX_ALIASES)), taken);
    let too_many = with_aliases(SyncRecord::MAX_ALIASES + 1);
    assert_eq!(explain(&bind, &too_many), Refusal::TooManyAliases);

    let moved = Guard { revision: Revision::new(0).ok(), ..Guard::default() };
    let since = Change::new([Arm { when: moved, then: Patch::default() }]).unwrap();
    assert_eq!(explain(&since, &record), Refusal::VersionMismatch, "it holds by now");
}

#[test]
fn every_refusal_says_something_else() {
    let (id, by) = (external_id(), EntityRef::new("product", 2).ok());
    let mut refusals = vec![
        Refusal::Absent,
        Refusal::AlreadyExists,
        Refusal::VersionMismatch,
        Refusal::RevisionMoved,
        Refusal::StaleIncarnation,
        Refusal::LeaseLost,
        Refusal::NotDue,
        Refusal::Deleted,
        Refusal::NotDeleted,
        Refusal::AlreadyBound { to: id.clone() },
        Refusal::ExternalIdTaken { id: id.clone(), by: None },
        Refusal::ExternalIdTaken { id: id.clone(), by },
        Refusal::TooManyAliases,
        Refusal::NotBoundTo { actual: None },
        Refusal::NotBoundTo { actual: Some(id) },
        Refusal::RemoteMoved,
        Refusal::ConflictOpen,
        Refusal::NoConflict,
        Refusal::NotHeld,
        Refusal::Ignored,
        Refusal::Unmet { demand: Demand::Dirty },
        Refusal::Unmet { demand: Demand::Known },
    ];
    for why in [NotNewer::Same, NotNewer::Stale, NotNewer::Unordered] {
        refusals.push(Refusal::NotNewer { why });
    }
    let texts: BTreeSet<_> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), refusals.len());
    assert!(texts.contains("external id x is taken by product/2"));
}
