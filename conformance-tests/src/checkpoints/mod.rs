//! The behaviours of checkpoints: the list of them, and what is made of it.

#![allow(missing_docs)] // the names are the sentences

pub mod behaviours;

use std::future::Future;

use sync_tracker_core::CheckpointStore;

use crate::ground::Setup;
use crate::side_stores::{self, SideStoreFixture, SideStoreGround};

/// Runs a behaviour on fresh checkpoints.
pub fn run<S, O, B, R>(name: &'static str, open: S, behaviour: B)
where
    S: Fn(Setup) -> O + Send + 'static,
    O: Future<Output: SideStoreFixture<dyn CheckpointStore>>,
    B: FnOnce(SideStoreGround<dyn CheckpointStore>) -> R + Send + 'static,
    R: Future<Output = ()>,
{
    side_stores::run(name, open, behaviour);
}

/// Gives the list to a maker: `listed_tests`, `listed_names` or `listed_cases`.
#[doc(hidden)]
#[macro_export]
macro_rules! with_checkpoint_behaviours {
    ($maker:ident $($arguments:tt)*) => {
        $crate::$maker! {
            $($arguments)*
            a_stream_that_nobody_pulled_has_no_value,
            a_saved_value_is_loaded,
            every_save_counts_a_version,
            a_save_from_another_version_is_refused,
            a_save_from_another_generation_is_refused,
            a_repeated_save_is_answered_as_the_first,
            a_save_that_comes_late_a_second_time_changes_nothing,
            a_reset_forgets_the_value_and_begins_a_generation,
            a_run_from_before_a_reset_cannot_save,
            a_repeated_reset_resets_once,
            streams_are_kept_apart_byte_by_byte,
            values_come_back_as_they_were,
            the_checkpoints_of_a_source_are_listed_in_the_order_of_bytes,
            a_purge_horizon_never_goes_back,
            a_purge_horizon_is_of_one_source,
            two_namespaces_do_not_see_each_other,
            the_stores_own_clock_decides,
            of_many_savers_one_moves_the_checkpoint,
            a_save_repeated_in_parallel_is_applied_once,
            a_save_racing_a_reset_leaves_no_value,
            no_reset_is_lost,
            of_many_horizons_the_highest_stays,
        }
    };
}

/// Makes one test per behaviour for checkpoints.
///
/// `checkpoint_suite!(factory)`, where `factory` is an `async fn(Setup)` that opens a store which
/// is a [`CheckpointStore`] and returns it, or a [`Guarded`](crate::Guarded) one; then attributes,
/// as with [`suite!`](crate::suite).
#[macro_export]
macro_rules! checkpoint_suite {
    ($factory:expr $(, $(#[$attribute:meta])+)? $(,)?) => {
        $crate::with_checkpoint_behaviours! {
            listed_tests checkpoints, $factory, [$($(#[$attribute])+)?]
        }
    };
}
