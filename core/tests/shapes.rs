//! How many different statements the rules ask a store for.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::json;
use sync_tracker_core::rules::{
    self, Bind, BindMode, Completion, MarkSynced, MarkSyncedTo, RetrySchedule, Success,
};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, ExternalId, FailureNote, Fingerprint, Incarnation, Metadata,
    MetadataMerge, MetadataOp, Millis, Operation, RemoteVersion, Revision, Shape, Source, Token,
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
        let done = |success| Completion { token, operation, revision, success }.change();
        successes().into_iter().map(done).collect()
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
    assert_eq!(all.len(), 60, "docs/design.md tells this number");
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
