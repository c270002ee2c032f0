//! The behaviours of an inbox: the list of them, and what is made of it.

#![allow(missing_docs)] // the names are the sentences

pub mod behaviours;

use std::future::Future;

use sync_tracker_core::InboxStore;

use crate::ground::Setup;
use crate::side_stores::{self, SideStoreFixture, SideStoreGround};

/// Runs a behaviour on a fresh inbox.
pub fn run<S, O, B, R>(name: &'static str, open: S, behaviour: B)
where
    S: Fn(Setup) -> O + Send + 'static,
    O: Future<Output: SideStoreFixture<dyn InboxStore>>,
    B: FnOnce(SideStoreGround<dyn InboxStore>) -> R + Send + 'static,
    R: Future<Output = ()>,
{
    side_stores::run(name, open, behaviour);
}

/// Gives the list to a maker: `listed_tests`, `listed_names` or `listed_cases`.
#[doc(hidden)]
#[macro_export]
macro_rules! with_inbox_behaviours {
    ($maker:ident $($arguments:tt)*) => {
        $crate::$maker! {
            $($arguments)*
            a_message_is_begun_by_one,
            a_completed_message_is_answered_with_its_outcome,
            an_outcome_is_forgotten_to_the_millisecond,
            an_abandoned_message_is_begun_again_at_once,
            a_lease_runs_out_to_the_millisecond,
            every_grant_has_a_higher_token,
            a_repeated_begin_gets_the_same_ticket,
            a_repeated_begin_renews_the_lease,
            a_repeated_begin_of_what_is_settled_grants_nothing,
            a_repeated_completion_is_answered_as_the_first,
            a_repeated_abandonment_is_answered_as_the_first,
            a_stale_ticket_cannot_complete,
            a_stale_ticket_cannot_abandon,
            an_expired_ticket_that_nobody_replaced_still_counts,
            what_was_settled_one_way_is_lost_the_other,
            what_was_never_begun_is_lost,
            a_message_is_of_one_source,
            keys_are_compared_byte_by_byte,
            outcomes_come_back_as_they_were,
            what_is_of_no_use_is_forgotten,
            what_is_of_use_is_not_forgotten,
            two_namespaces_do_not_see_each_other,
            the_stores_own_clock_decides,
            of_many_beginners_one_is_told_fresh,
            a_begin_repeated_in_parallel_gets_one_ticket,
            an_orphan_is_begun_again_by_one,
            a_completion_racing_a_new_begin_is_not_lost,
            a_dropped_begin_is_completed_by_its_repeat,
        }
    };
}

/// Makes one test per behaviour for an inbox.
///
/// `inbox_suite!(factory)`, where `factory` is an `async fn(Setup)` that opens a store which is an
/// [`InboxStore`] and returns it, or a [`Guarded`](crate::Guarded) one; then attributes, as with
/// [`suite!`](crate::suite).
#[macro_export]
macro_rules! inbox_suite {
    ($factory:expr $(, $(#[$attribute:meta])+)? $(,)?) => {
        $crate::with_inbox_behaviours! { listed_tests inbox, $factory, [$($(#[$attribute])+)?] }
    };
}
