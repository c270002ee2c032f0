//! The one list of behaviours, and what is made of it.

/// Gives the list to one of the makers below: `tests`, `names`, `constants` or `cases`.
#[doc(hidden)]
#[macro_export]
macro_rules! with_behaviours {
    ($maker:ident $($arguments:tt)*) => {
        $crate::$maker! {
            $($arguments)*
            apply {
                the_first_arm_that_holds_is_applied,
                the_answer_tells_which_arm_was_applied,
                a_replayed_change_is_not_applied_again,
                a_change_is_remembered_for_sixteen_changes,
                a_refused_change_is_judged_afresh,
                operations_are_carried_out_in_their_order,
                every_demand_is_judged_as_the_reference_does,
                every_demand_is_judged_on_a_key_without_record,
                every_operation_is_carried_out_as_the_reference_does,
                remote_versions_of_each_kind_are_ordered_as_the_reference_does,
                attempts_are_charged_up_to_their_limit,
                pending_since_is_kept_until_a_push_succeeds,
                four_echoes_are_expected_at_most,
            }
            local {
                a_created_entity_is_to_be_created,
                an_entity_cannot_be_created_twice,
                an_updated_entity_without_record_is_to_be_created,
                an_update_keeps_a_scheduled_retry,
                an_update_puts_a_dead_letter_back,
                a_deleted_entity_cannot_be_updated,
                deleting_what_was_never_pushed_leaves_nothing_to_push,
                deleting_what_is_known_is_to_be_pushed,
                deleting_during_a_create_waits_for_it,
                creating_again_before_the_deletion_is_pushed_undoes_it,
                creating_again_after_the_deletion_was_pushed_inherits_nothing,
                restoring_before_the_deletion_is_pushed_undoes_it,
                restoring_after_the_deletion_was_pushed_begins_a_new_life,
                what_is_not_deleted_cannot_be_restored,
            }
            success {
                marking_an_untracked_entity_synced_makes_a_record,
                what_a_success_omits_is_kept,
                metadata_is_replaced_merged_and_removed,
                a_success_resets_what_failures_left,
                synced_at_does_not_go_back_with_the_clock,
                marking_synced_leaves_the_lease_of_another,
                marking_synced_is_refused_while_a_conflict_is_open,
                a_change_during_a_push_leaves_the_record_dirty,
                a_push_that_was_overtaken_is_pushed_again,
                a_report_for_another_incarnation_is_refused,
                a_deletion_that_was_pushed_leaves_a_tombstone,
                an_entity_restored_while_its_delete_ran_is_created_again,
                an_entity_deleted_again_while_its_delete_ran_is_gone,
                a_report_without_a_lease_leaves_the_lease,
                a_deletion_that_was_marked_as_synced_leaves_a_tombstone,
                a_deletion_settled_under_a_lease_is_completed_by_its_holder,
            }
            external_ids {
                an_external_id_has_one_owner,
                an_external_id_is_unique_within_source_and_type,
                an_external_id_is_compared_byte_by_byte,
                another_source_is_another_record,
                binding_twice_is_the_same_as_once,
                binding_another_id_is_refused_and_told,
                linking_needs_a_record,
                rebinding_lets_the_old_id_go,
                rebinding_needs_the_expected_id,
                an_alias_leads_to_the_record_and_is_taken,
                an_alias_too_many_is_refused,
                a_pending_deletion_still_holds_the_id,
                a_tombstone_lets_go_of_its_ids_and_is_still_found,
                a_tombstone_cannot_take_back_ids_that_another_holds,
                a_taken_id_has_no_effect_on_a_key_without_record,
                binding_leaves_the_lease_of_another,
                a_tombstone_cannot_be_bound,
            }
            leases {
                due_records_are_claimed_oldest_first,
                a_retry_is_due_to_the_millisecond,
                retries_and_new_changes_wait_in_one_queue,
                a_lease_runs_out_to_the_millisecond,
                a_claim_takes_no_more_than_its_limit,
                a_claim_takes_from_its_source_only,
                what_is_not_due_is_not_claimed,
                a_busy_entity_keeps_its_place,
                every_grant_has_a_higher_token,
                a_repeated_claim_gets_its_leases_again,
                a_repeated_claim_gets_no_more_than_it_asks_for,
                a_late_copy_of_a_claim_grants_nothing_again,
                a_lease_that_ran_out_is_claimed_alone,
                a_vanished_create_is_in_doubt,
                a_record_attempted_too_often_becomes_a_dead_letter,
                a_stale_holder_has_no_effect,
                an_expired_lease_that_nobody_took_still_counts,
                a_renewed_lease_runs_on,
                a_released_record_is_due_at_once_and_not_charged,
                a_create_given_back_after_the_deletion_leaves_nothing_to_push,
                a_lease_is_renewed_though_the_entity_was_deleted,
            }
            failures {
                a_transient_failure_is_retried_by_the_schedule,
                attempts_past_the_schedule_make_a_dead_letter,
                a_throttled_push_is_not_charged,
                a_permanent_failure_is_a_dead_letter_at_once,
                an_unknown_create_is_in_doubt_until_it_is_bound,
                a_definite_failure_does_not_settle_a_doubt,
                a_failure_does_not_touch_what_was_synced,
                a_create_that_failed_after_the_deletion_leaves_nothing_to_push,
                the_first_failure_stays_readable,
                an_unleased_failure_makes_a_record,
                an_unleased_failure_charges_an_attempt,
                an_unleased_failure_leaves_the_lease,
                a_tombstone_cannot_fail,
            }
            held {
                a_redriven_dead_letter_is_due_at_once,
                a_redriven_record_with_nothing_new_is_pushed_all_the_same,
                what_is_not_held_cannot_be_redriven,
                a_dismissed_record_rests_until_the_entity_changes,
                a_tombstone_cannot_be_dismissed,
                a_doubt_can_be_settled,
                holding_and_redriving_leave_the_lease_of_another,
                a_doubt_settled_under_a_lease_is_left_to_its_holder,
            }
            pauses {
                a_paused_source_is_not_claimed,
                a_pause_is_over_to_the_millisecond,
                a_pause_replaces_the_one_before,
                a_pause_is_of_one_source,
                leases_outlast_a_pause,
                a_pause_leaves_no_trace_among_records,
            }
            reserved {
                what_is_reserved_stays_out_of_sight,
            }
            walking {
                a_walk_is_in_the_order_of_bytes,
                a_walk_sees_each_record_once_whatever_the_page_size,
                a_cursor_outlives_the_record_it_stands_on,
                a_walk_is_stable_under_writes,
                walks_among_writers_see_what_stays_once,
                filters_narrow_a_walk,
                filters_narrow_together_as_the_reference_does,
                what_is_due_is_listed_to_the_millisecond,
                metadata_values_narrow_a_walk,
                a_cursor_after_a_source_goes_on_with_the_next,
                sources_with_records_are_listed,
                counts_follow_every_change,
                statistics_tell_what_is_due_and_what_waits,
                records_of_an_entity_are_found_in_all_sources,
            }
            batches {
                a_batch_answers_in_the_order_of_its_items,
                a_batch_applies_a_repeated_key_in_order,
                an_empty_batch_is_answered,
                hundreds_at_once_are_all_answered,
                many_records_are_read_in_the_order_of_their_keys,
                many_external_ids_are_looked_up_in_their_order,
                batches_that_cross_are_both_answered,
            }
            imports {
                an_imported_record_is_stored_as_it_is,
                an_imported_record_replaces_the_one_there,
                an_impossible_record_is_refused_as_invalid,
                an_import_cannot_take_an_external_id,
                an_imported_record_can_be_claimed,
                removing_is_idempotent,
                removing_is_guarded,
                a_removed_record_leaves_no_trace_in_indexes,
                a_renamed_record_keeps_everything,
                a_record_is_renamed_to_another_source,
                a_record_that_somebody_is_at_is_not_renamed,
                a_record_is_not_renamed_onto_another,
                renaming_is_idempotent,
                a_record_is_removed_under_its_lease,
                a_tombstone_is_purged_and_a_pending_deletion_is_not,
            }
            inbound {
                news_is_news_until_it_is_accepted,
                what_is_older_than_what_was_seen_is_stale,
                accepting_needs_the_version_that_was_seen_last,
                accepting_leaves_what_was_changed_meanwhile_dirty,
                an_echo_is_consumed_once,
                content_equal_to_the_base_is_no_conflict,
                an_open_conflict_keeps_the_record_from_being_claimed,
                a_resolved_conflict_leaves_what_was_decided,
                a_decision_is_refused_if_anything_moved,
                a_deletion_in_the_remote_makes_a_tombstone,
                what_reappears_in_the_remote_begins_a_new_life,
                an_object_that_was_made_on_both_sides_is_a_conflict,
                an_id_that_was_merged_away_leads_to_the_winner,
                what_was_sighted_is_not_missed,
                of_many_copies_of_an_echo_one_is_consumed,
                a_change_racing_a_decision_is_not_lost,
            }
            fidelity {
                hostile_text_comes_back_as_it_was,
                the_longest_text_comes_back_as_it_was,
                metadata_may_add_up_to_more_than_one_change_carries,
                names_that_could_be_confused_stay_apart,
                metadata_comes_back_as_it_was,
                numbers_and_instants_come_back_at_their_limits,
                removing_metadata_is_not_setting_null,
                merging_metadata_is_shallow,
                two_namespaces_do_not_see_each_other,
                the_stores_own_clock_decides,
                the_longest_waits_are_kept,
            }
            rules {
                every_rule_may_be_repeated,
                a_repeat_from_an_earlier_life_is_not_applied,
                rules_at_the_same_time_have_an_order,
            }
            races {
                of_many_creators_one_wins,
                no_increment_is_lost,
                of_many_entities_one_gets_the_external_id,
                of_many_external_ids_one_is_bound,
                claims_are_disjoint,
                an_expired_lease_goes_to_one_claimer,
                a_change_replayed_in_parallel_is_applied_once,
                replays_in_parallel_are_known_for_sixteen_changes,
                a_change_replayed_among_others_is_applied_once,
                a_change_racing_a_success_is_not_lost,
                of_many_writers_with_one_version_one_wins,
                a_change_racing_a_removal_is_not_lost,
                a_change_racing_a_renaming_is_not_lost,
                of_many_imports_one_gets_the_external_id,
                what_concurrent_callers_see_has_an_order,
            }
            owners {
                two_that_want_each_others_external_id_keep_their_own,
                of_many_that_want_another_external_id_one_gets_it,
                in_a_free_for_all_an_external_id_has_one_owner,
            }
            cancellation {
                a_local_change_dropped_at_any_poll_is_applied_whole_or_not,
                a_report_dropped_at_any_poll_is_applied_whole_or_not,
                a_report_without_lease_dropped_at_any_poll_is_applied_whole_or_not,
                a_binding_dropped_at_any_poll_is_applied_whole_or_not,
                a_batch_dropped_at_any_poll_is_applied_item_by_item,
                a_claim_dropped_at_any_poll_is_completed_by_a_repeat,
                an_import_dropped_at_any_poll_is_stored_whole_or_not,
                a_removal_dropped_at_any_poll_is_done_whole_or_not,
                a_renaming_dropped_at_any_poll_loses_nothing,
                a_pause_dropped_at_any_poll_lasts_or_not,
                a_read_dropped_at_any_poll_changes_nothing,
            }
        }
    };
}

/// Makes one test per behaviour for a store.
///
/// `suite!(factory)`, where `factory` is an `async fn(Setup)` that opens the store and returns it,
/// or a [`Guarded`](crate::Guarded) one; then attributes that every test shall have, such as
/// `#[ignore = "needs MY_SERVER_URL"]`.
#[macro_export]
macro_rules! suite {
    ($factory:expr $(, $(#[$attribute:meta])+)? $(,)?) => {
        $crate::with_behaviours! { tests $factory, [$($(#[$attribute])+)?] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($factory:expr, $attributes:tt $($area:ident { $($name:ident,)* })*) => {
        $($($crate::test! { $factory, $attributes $area $name })*)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! test {
    ($factory:expr, [$(#[$attribute:meta])*] $area:ident $name:ident) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            $crate::run(stringify!($name), $factory, $crate::behaviours::$area::$name);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! names {
    ($($area:ident { $($name:ident,)* })*) => {
        &[$($(stringify!($name),)*)*]
    };
}

/// Each behaviour as a constant of its name, for tables that name behaviours.
#[doc(hidden)]
#[macro_export]
macro_rules! constants {
    ($($area:ident { $($name:ident,)* })*) => {
        $($(pub(crate) const $name: &str = stringify!($name);)*)*
    };
}

/// Each behaviour as its name and a function that runs it on the stores of an opener of type
/// `$open`, for tests of the behaviours themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! cases {
    ($open:ty, $($area:ident { $($name:ident,)* })*) => {
        &[$($((stringify!($name), |open: $open| {
            $crate::run(stringify!($name), open, $crate::behaviours::$area::$name);
        }),)*)*]
    };
}
