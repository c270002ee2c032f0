//! The strategies that steps are drawn from.

use proptest::collection::vec;
use proptest::num;
use proptest::option;
use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;

use super::pick::Pick;
use super::sketch::{ArmSketch, DEMANDS, FILTERS, Fields, OPERATIONS, RECORD};
use super::steps::{Deed, Facts, Look, Making, Move, Report, Rule, Step};

/// One step to `most`.
pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..=most.max(1))
}

fn step() -> impl Strategy<Value = Step> {
    (deed(), option::weighted(0.9, look())).prop_map(|(deed, look)| Step { deed, look })
}

/// Shrinks to the plainest candidate at once, so that long sequences are shrunk in few steps.
fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![1 => Just(Pick(0)), 9 => num::u32::ANY.prop_map(Pick).no_shrink()]
}

fn maybe(share: f64) -> impl Strategy<Value = Option<Pick>> {
    option::weighted(share, pick())
}

/// A pick or none for each of `count` fields, each with this probability.
fn fields(count: usize, share: f64) -> impl Strategy<Value = Fields> {
    vec(maybe(share), count).prop_map(Fields)
}

/// A pick for one field only.
fn one(count: usize, field: impl Strategy<Value = usize>) -> impl Strategy<Value = Fields> {
    (field, pick()).prop_map(move |(only, pick)| {
        Fields((0..count).map(|field| (field == only).then_some(pick)).collect())
    })
}

fn look() -> impl Strategy<Value = Look> {
    (fields(FILTERS, 0.25), maybe(0.2), pick()).prop_map(|(filter, after, size)| Look {
        filter,
        after,
        size,
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        32 => making().prop_map(Deed::Apply),
        8 => clock().prop_map(Deed::Clock),
        7 => (pick(), pick(), pick(), pick(), maybe(0.3)).prop_map(
            |(source, limit, ttl, max_attempts, repeated)| {
                Deed::Claim { source, limit, ttl, max_attempts, repeated }
            },
        ),
        2 => vec(making(), 0..6).prop_map(Deed::Batch),
        1 => (pick(), pick()).prop_map(|(key, between)| Deed::Ring { key, between }),
        5 => (pick(), pick(), prop_oneof![fields(RECORD, 0.06), fields(RECORD, 0.5)])
            .prop_map(|(key, base, fields)| Deed::Put { key, base, fields }),
        1 => (pick(), fields(DEMANDS, 0.06))
            .prop_map(|(key, guard)| Deed::Remove { key, guard }),
        2 => (pick(), pick()).prop_map(|(from, to)| Deed::Rename { from, to }),
        1 => (pick(), maybe(0.9), pick())
            .prop_map(|(source, span, reason)| Deed::Pause { source, span, reason }),
        2 => pick().prop_map(|source| Deed::Resume { source }),
        1 => vec(pick(), 0..12).prop_map(Deed::GetMany),
        1 => (pick(), pick(), vec(pick(), 0..8)).prop_map(|(source, entity_type, ids)| {
            Deed::ByExternalIds { source, entity_type, ids }
        }),
        1 => pick().prop_map(Deed::RecordsOf),
    ]
}

fn clock() -> impl Strategy<Value = Move> {
    prop_oneof![
        2 => pick().prop_map(Move::On),
        1 => pick().prop_map(Move::Back),
        5 => pick().prop_map(Move::ToBoundary),
    ]
}

fn making() -> impl Strategy<Value = Making> {
    prop_oneof![
        8 => (pick(), rule()).prop_map(|(key, rule)| Making::Rule { key, rule }),
        6 => (pick(), pick(), report())
            .prop_map(|(lease, off, report)| Making::Report { lease, off, report }),
        12 => (pick(), arms()).prop_map(|(key, arms)| Making::Raw { key, arms }),
        3 => (pick(), maybe(0.2)).prop_map(|(back, elsewhere)| Making::Again { back, elsewhere }),
    ]
}

fn arms() -> impl Strategy<Value = Vec<ArmSketch>> {
    prop_oneof![1 => vec(arm(), 1..=1), 1 => vec(arm(), 2..=4)]
}

/// With one demand and one operation, with few, or with many.
fn arm() -> impl Strategy<Value = ArmSketch> {
    let when = prop_oneof![
        2 => one(DEMANDS, 0..DEMANDS),
        // The last ones compare values, and have boundaries.
        2 => one(DEMANDS, DEMANDS - 6..DEMANDS),
        2 => fields(DEMANDS, 0.06),
        1 => fields(DEMANDS, 0.2),
    ];
    let then = prop_oneof![
        1 => one(OPERATIONS, 0..OPERATIONS),
        1 => fields(OPERATIONS, 0.1),
        1 => fields(OPERATIONS, 0.4),
    ];
    (when, then).prop_map(|(when, then)| ArmSketch { when, then })
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        3 => Just(Rule::Created),
        4 => Just(Rule::Updated),
        3 => Just(Rule::Deleted),
        2 => Just(Rule::Restored),
        1 => Just(Rule::Redrive),
        1 => Just(Rule::Dismiss),
        1 => Just(Rule::NotThere),
        3 => (pick(), maybe(0.5))
            .prop_map(|(note, retry_after)| Rule::MarkFailed { note, retry_after }),
        3 => facts().prop_map(Rule::MarkSynced),
        2 => (pick(), pick(), facts()).prop_map(|(incarnation, revision, facts)| {
            Rule::MarkSyncedTo { incarnation, revision, facts }
        }),
        3 => (pick(), pick(), pick())
            .prop_map(|(id, mode, expected)| Rule::Bind { id, mode, expected }),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        4 => (pick(), pick(), facts()).prop_map(|(operation, revision, facts)| {
            Report::Completed { operation, revision, facts }
        }),
        4 => (pick(), maybe(0.5))
            .prop_map(|(note, retry_after)| Report::Failed { note, retry_after }),
        2 => pick().prop_map(|ttl| Report::Renewed { ttl }),
        1 => Just(Report::Released),
    ]
}

fn facts() -> impl Strategy<Value = Facts> {
    (maybe(0.5), maybe(0.6), maybe(0.6), maybe(0.4)).prop_map(
        |(external_id, remote_version, fingerprint, metadata)| Facts {
            external_id,
            remote_version,
            fingerprint,
            metadata,
        },
    )
}
