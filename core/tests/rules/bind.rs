//! Binding.

use sync_tracker_core::rules::{Bind, BindMode};
use sync_tracker_core::{Change, Refusal, SyncRecord};

use super::full_record::{external_id, full, now, revision};
use super::{clean, does, live, makes, refused};

fn bind(mode: BindMode) -> Change {
    Bind { external_id: external_id("new"), mode }.change()
}

fn rebind(expected: &str) -> Change {
    bind(BindMode::Rebind { expected: external_id(expected) })
}

fn bound(record: &mut SyncRecord) {
    record.external_id = Some(external_id("new"));
    record.in_doubt = false;
    record.sighted_at = Some(now());
}

#[test]
fn an_id_is_bound_to_what_has_none_or_this_one() {
    for (mode, arm) in [(BindMode::Add, 1), (BindMode::Link, 0)] {
        for id in [None, Some(external_id("new"))] {
            let (deletion, live) = (full(), live());
            for (record, arm) in [(deletion, arm), (live.clone(), arm + 1), (clean(live), arm + 1)]
            {
                let record = SyncRecord { external_id: id.clone(), ..record };
                does(&bind(mode.clone()), &record, arm, bound);
            }
        }
        let to = external_id("own");
        refused(&bind(mode.clone()), Some(&live()), &Refusal::AlreadyBound { to });
        let tombstone = SyncRecord { external_id: None, ..clean(full()) };
        refused(&bind(mode), Some(&tombstone), &Refusal::Deleted);
    }
}

#[test]
fn adding_makes_a_record_and_linking_does_not() {
    makes(&bind(BindMode::Add), 0, |record| {
        bound(record);
        record.revision = revision(1);
        record.pending_since = Some(now());
    });
    refused(&bind(BindMode::Link), None, &Refusal::Absent);
    refused(&rebind("own"), None, &Refusal::Absent);
}

#[test]
fn rebinding_needs_the_id_that_is_there() {
    for (record, arm) in [(full(), 0), (live(), 1), (clean(live()), 1)] {
        does(&rebind("own"), &record, arm, bound);
    }
    let actual = Some(external_id("own"));
    refused(&rebind("other"), Some(&live()), &Refusal::NotBoundTo { actual });
    let unbound = SyncRecord { external_id: None, ..live() };
    refused(&rebind("own"), Some(&unbound), &Refusal::NotBoundTo { actual: None });
}
