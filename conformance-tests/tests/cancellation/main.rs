//! The sweep over dropped calls passes on stores that yield between their steps, and catches
//! stores that are torn there.

#![allow(clippy::expect_used)] // all of it is a test

mod late;
mod torn;
mod yielding;

use std::any::Any;
use std::future::{Ready, ready};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use sync_tracker_conformance::{Setup, with_behaviours};
use sync_tracker_core::SyncStore;
use sync_tracker_memory::MemoryStore;

use crate::late::Late;
use crate::torn::{Tear, TornStore};
use crate::yielding::{Whole, Yielding};

type Open = Box<dyn Fn(Setup) -> Ready<Box<dyn SyncStore>> + Send>;
type Case = (&'static str, fn(Open));

const CASES: &[Case] = with_behaviours!(cases Open,);

/// The behaviours of dropped calls that fail on a store, and how.
fn failed<S: SyncStore>(open: fn(Setup) -> S) -> Vec<(&'static str, String)> {
    let cases = CASES.iter().filter(|(name, _)| name.contains("_dropped_at_any_poll_"));
    let run = |(name, run): &Case| {
        let open: Open = Box::new(move |setup| ready(Box::new(open(setup))));
        let cause = panic::catch_unwind(AssertUnwindSafe(|| run(open))).err()?;
        Some((*name, message(&*cause)))
    };
    cases.filter_map(run).collect()
}

fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().cloned();
    text.or_else(|| cause.downcast_ref().map(|text: &&str| (*text).to_owned())).unwrap_or_default()
}

#[test]
fn a_memory_store_that_yields_around_each_call_is_whole() {
    assert_eq!(failed(|setup| Whole(MemoryStore::with_clock(setup.clock))), []);
}

#[test]
fn the_defaults_over_a_store_that_yields_around_each_call_are_whole() {
    assert_eq!(failed(|setup| Yielding(MemoryStore::with_clock(setup.clock))), []);
}

#[test]
fn a_store_that_carries_out_a_dropped_call_later_is_whole() {
    for _ in 0..10 {
        let open = |setup: Setup| Late(Arc::new(MemoryStore::with_clock(setup.clock)));
        assert_eq!(failed(open), []);
    }
}

#[test]
fn a_store_that_yields_before_and_after_one_step_is_whole() {
    assert_eq!(failed(|setup| TornStore::new(setup, Tear::None)), []);
}

macro_rules! caught {
    ($($name:ident: $tear:ident by [$($behaviour:ident),*],)*) => {
        mod a_store_is_caught_that_yields {
            use super::{Tear, TornStore, failed};

            $(#[test]
            fn $name() {
                let failed = failed(|setup| TornStore::new(setup, Tear::$tear));
                let names: Vec<_> = failed.iter().map(|(name, _)| *name).collect();
                $(assert!(names.contains(&stringify!($behaviour)), "{names:?}");)*
            })*
        }
    };
}

caught! {
    before_it_writes_the_index_of_external_ids: Lookup by [
        a_report_dropped_at_any_poll_is_applied_whole_or_not,
        a_binding_dropped_at_any_poll_is_applied_whole_or_not,
        a_batch_dropped_at_any_poll_is_applied_item_by_item,
        an_import_dropped_at_any_poll_is_stored_whole_or_not,
        a_removal_dropped_at_any_poll_is_done_whole_or_not,
        a_renaming_dropped_at_any_poll_loses_nothing
    ],
    before_it_counts: Counts by [
        a_local_change_dropped_at_any_poll_is_applied_whole_or_not,
        a_removal_dropped_at_any_poll_is_done_whole_or_not,
        a_claim_dropped_at_any_poll_is_completed_by_a_repeat
    ],
    before_it_writes_the_list_of_what_is_due: Due by [
        a_local_change_dropped_at_any_poll_is_applied_whole_or_not,
        a_claim_dropped_at_any_poll_is_completed_by_a_repeat
    ],
    before_it_writes_the_lists_by_status: Status by [
        a_report_dropped_at_any_poll_is_applied_whole_or_not
    ],
    before_it_writes_the_queue_of_claims: Queue by [
        a_local_change_dropped_at_any_poll_is_applied_whole_or_not,
        an_import_dropped_at_any_poll_is_stored_whole_or_not
    ],
    before_it_writes_the_records_of_an_entity: Entities by [
        a_local_change_dropped_at_any_poll_is_applied_whole_or_not
    ],
    before_it_remembers_the_change: Memory by [
        a_local_change_dropped_at_any_poll_is_applied_whole_or_not,
        a_batch_dropped_at_any_poll_is_applied_item_by_item
    ],
    between_removing_the_old_key_and_writing_the_new: RenamedByRemoving by [
        a_renaming_dropped_at_any_poll_loses_nothing
    ],
    between_writing_the_new_key_and_removing_the_old: RenamedByCopying by [
        a_renaming_dropped_at_any_poll_loses_nothing
    ],
    between_charging_and_granting: ChargedFirst by [
        a_claim_dropped_at_any_poll_is_completed_by_a_repeat
    ],
    between_the_fields_of_an_import: ImportedByHalves by [
        an_import_dropped_at_any_poll_is_stored_whole_or_not
    ],
    between_a_pause_and_its_reason: PausedByHalves by [
        a_pause_dropped_at_any_poll_lasts_or_not
    ],
    while_it_holds_its_lock: Locked by [
        a_local_change_dropped_at_any_poll_is_applied_whole_or_not,
        a_claim_dropped_at_any_poll_is_completed_by_a_repeat,
        a_pause_dropped_at_any_poll_lasts_or_not,
        a_read_dropped_at_any_poll_changes_nothing
    ],
}
