//! How many different statements the rules ask a store for.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::json;
use sync_tracker_core::rules::{
    self, Accept, Bind, BindMode, Completion, Encounter, MarkSynced, MarkSyncedTo, Observe,
    Resolve, RetrySchedule, Success, Winner,
};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, ExternalId, FailureNote, Fingerprint, Freshness, Incarnation,
    Key, Metadata, MetadataMerge, MetadataOp, Millis, Observation, Operation, RemoteState,
    RemoteVersion, Revision, Shape, Source, SyncRecord, Timestamp, Token,
};

/// Every way to tell of a success.
fn successes() -> Vec<Success> {
    let mut all = Vec::new();
    for external_id in [None, Some(ExternalId::new("x").unwrap())] {
        for remote_version in
            [None, Some(RemoteVersion::Sequence(1)), Some(RemoteVersion::opaque("etag").unwrap())]
        {
            for fingerprint in [None, Some(Fingerprint::new("sha256:aa").unwrap())] {
                for metadata in [
                    MetadataOp::Keep,
                    MetadataOp::Replace(Metadata::new(json!({ "a": 1 })).unwrap()),
                    MetadataOp::Merge(MetadataMerge::new(Metadata::default(), ["a"]).unwrap()),
                ] {
                    all.push(Success {
                        external_id: external_id.clone(),
                        remote_version: remote_version.clone(),
                        fingerprint: fingerprint.clone(),
                        metadata,
                    });
                }
            }
        }
    }
    all
}

fn notes() -> [FailureNote; 4] {
    [
        FailureNote::transient("x"),
        FailureNote::throttled("x"),
        FailureNote::permanent("x"),
        FailureNote::unknown("x"),
    ]
}

fn changes() -> Vec<(&'static str, Vec<Change>)> {
    let token = Token::new(1).unwrap();
    let revision = Revision::new(1).unwrap();
    let external_id = ExternalId::new("x").unwrap();
    let bind = |mode| Bind { external_id: external_id.clone(), mode }.change();
    let complete = |operation| {
        let done =
            |(success, seen)| Completion { token, operation, revision, seen, success }.change();
        let seen = [None, Some(RemoteVersion::Sequence(1))];
        let all = successes().into_iter();
        all.flat_map(|success| seen.clone().map(|seen| (success.clone(), seen))).map(done).collect()
    };
    let fail = |note: FailureNote| {
        [None, Some(Millis::MAX)].map(|after| {
            let note = note.clone().with_code("1");
            rules::fail(token, &note, &RetrySchedule::default(), after)
        })
    };
    let mark_failed =
        |note: &FailureNote| rules::mark_failed(note, &RetrySchedule::default(), None);
    let claim = |limit| {
        let source = Source::new("shop").unwrap();
        let ttl = Millis::new(1).unwrap();
        ClaimRequest::new(source, ClaimId::random(), limit, ttl, 3).unwrap().change()
    };
    let mark_to = |success| {
        let incarnation = Incarnation::new(1).unwrap();
        MarkSyncedTo { incarnation, revision, success }.change()
    };
    vec![
        ("created", vec![rules::created()]),
        ("updated", vec![rules::updated()]),
        ("deleted", vec![rules::deleted()]),
        ("restored", vec![rules::restored()]),
        ("redrive", vec![rules::redrive()]),
        ("dismiss", vec![rules::dismiss()]),
        ("not there", vec![rules::not_there()]),
        (
            "mark synced",
            successes().into_iter().map(|success| MarkSynced { success }.change()).collect(),
        ),
        ("mark synced to", successes().into_iter().map(mark_to).collect()),
        (
            "bind",
            vec![
                bind(BindMode::Add),
                bind(BindMode::Link),
                bind(BindMode::Rebind { expected: external_id.clone() }),
            ],
        ),
        ("claim", vec![claim(1), claim(9)]),
        ("renew", vec![rules::renew(token, Millis::MAX)]),
        ("complete create", complete(Operation::Create)),
        ("complete update", complete(Operation::Update)),
        ("complete delete", complete(Operation::Delete)),
        ("fail", notes().into_iter().flat_map(fail).collect()),
        ("mark failed", notes().iter().map(mark_failed).collect()),
        ("release", vec![rules::release(token)]),
    ]
    .into_iter()
    .chain(inbound())
    .collect()
}

/// What the rules about the remote make of every way to say it.
fn inbound() -> Vec<(&'static str, Vec<Change>)> {
    let content = Fingerprint::new("sha256:aa").unwrap();
    let versions = [None, Some(RemoteVersion::Sequence(1))];
    let states = [
        RemoteState::Present(None),
        RemoteState::Present(Some(content.clone())),
        RemoteState::Deleted,
    ];
    let [mut observe, mut accept, mut encounter] = [const { Vec::new() }; 3];
    for (version, state) in
        versions.iter().flat_map(|version| states.iter().map(move |state| (version, state)))
    {
        let external_id = ExternalId::new("x").unwrap();
        for freshness in [Freshness::Event, Freshness::read_since(&known_record())] {
            let observation = Observation {
                external_id: external_id.clone(),
                version: version.clone(),
                state: state.clone(),
                freshness,
            };
            for deleted_at in [None, Some(Timestamp::from_millis(1).unwrap())] {
                let record = SyncRecord { deleted_at, ..known_record() };
                let observation = observation.clone();
                observe.push(Observe { record: &record, observation }.change());
            }
        }
        accept.push(
            Accept {
                external_id: external_id.clone(),
                incarnation: Incarnation::new(1).unwrap(),
                revision: Revision::new(1).unwrap(),
                version: version.clone(),
                state: state.clone(),
            }
            .change(),
        );
        if let RemoteState::Present(content) = state {
            for same_as in [None, Revision::new(1).ok()] {
                let (external_id, version) = (external_id.clone(), version.clone());
                let content = content.clone();
                encounter.push(Encounter { external_id, version, content, same_as }.change());
            }
        }
    }
    let record = known_record();
    let winner = ExternalId::new("y").unwrap();
    vec![
        ("observe", observe),
        ("accept", accept),
        ("resolve", resolutions(&record)),
        ("encounter", encounter),
        (
            "expect echo",
            [None, Token::new(1).ok()].map(|token| rules::expect_echo(token, &content)).into(),
        ),
        ("merge: supersede", vec![rules::merge::supersede(&record, &winner)]),
        ("merge: add alias", vec![rules::merge::add_alias(&record, &winner)]),
        ("merge: collide", vec![rules::merge::collide(&record)]),
        ("sighted", vec![rules::sighted()]),
        ("missed", vec![rules::missed(&record)]),
        ("accept missed", vec![rules::accept_missed(&record)]),
    ]
}

fn known_record() -> SyncRecord {
    let key = Key::new("shop", "product", "1").unwrap();
    let bind = Bind { external_id: ExternalId::new("x").unwrap(), mode: BindMode::Add }.change();
    bind.apply_to(&key, None, Timestamp::from_millis(1).unwrap()).record().unwrap().clone()
}

fn resolutions(record: &SyncRecord) -> Vec<Change> {
    let mut all = Vec::new();
    for remote_deleted_at in [None, Some(record.created_at)] {
        for deleted_at in [None, Some(record.created_at)] {
            for remote_seen in [None, Some(RemoteVersion::Sequence(1))] {
                let record =
                    SyncRecord { remote_deleted_at, deleted_at, remote_seen, ..record.clone() };
                for winner in [Winner::Local, Winner::Remote] {
                    for remote in [None, Fingerprint::new("sha256:aa").ok()] {
                        all.push(Resolve { record: &record, winner, remote }.change());
                    }
                }
            }
        }
    }
    all
}

#[test]
fn the_rules_produce_few_shapes() {
    let mut all: BTreeSet<Shape> = BTreeSet::new();
    for (rule, changes) in changes() {
        let shapes: BTreeSet<_> = changes.iter().map(Change::shape).collect();
        let arms = changes[0].arms().len();
        println!(
            "{rule:16} {arms} arms, {:3} ways to say it, {:2} shapes",
            changes.len(),
            shapes.len()
        );
        all.extend(shapes);
    }
    println!("{:16} {:30} {:2} shapes", "in all", "", all.len());
    assert_eq!(all.len(), 140, "docs/design.md tells this number");
}

#[test]
fn shapes_depend_on_demands_and_operations_and_not_on_values() {
    let bind = |id: &str| {
        Bind { external_id: ExternalId::new(id).unwrap(), mode: BindMode::Add }.change().shape()
    };
    assert_eq!(bind("x"), bind("y"));
    let all: Vec<_> = changes().into_iter().map(|(_, changes)| changes[0].shape()).collect();
    let distinct: BTreeSet<_> = all.iter().collect();
    // Completing a create and completing an update are one.
    assert_eq!(distinct.len(), all.len() - 1);
}
