//! Each rule in each state. A row more is a block more.

use crate::table::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules! {
    "created" {
        absent [a_created_entity_is_to_be_created]
        present [an_entity_cannot_be_created_twice]
        leased [an_entity_restored_while_its_delete_ran_is_created_again]
        stale "it demands no token, revision or version, so nothing that was read can be stale"
        tombstoned [
            creating_again_before_the_deletion_is_pushed_undoes_it
            creating_again_after_the_deletion_was_pushed_inherits_nothing
        ]
        concurrent [of_many_creators_one_wins what_concurrent_callers_see_has_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "updated" {
        absent [an_updated_entity_without_record_is_to_be_created]
        present [
            pending_since_is_kept_until_a_push_succeeds
            an_update_keeps_a_scheduled_retry
            an_update_puts_a_dead_letter_back
        ]
        leased [a_change_during_a_push_leaves_the_record_dirty]
        stale "it demands no token, revision or version, so nothing that was read can be stale"
        tombstoned [a_deleted_entity_cannot_be_updated]
        concurrent [a_change_racing_a_success_is_not_lost]
        replayed [
            a_change_replayed_in_parallel_is_applied_once
            a_batch_applies_a_repeated_key_in_order
        ]
    }
    "deleted" {
        absent [a_deleted_entity_cannot_be_updated]
        present [
            deleting_what_was_never_pushed_leaves_nothing_to_push
            deleting_what_is_known_is_to_be_pushed
        ]
        leased [deleting_during_a_create_waits_for_it]
        stale "it demands no token, revision or version, so nothing that was read can be stale"
        tombstoned [a_deleted_entity_cannot_be_updated]
        concurrent [what_concurrent_callers_see_has_an_order rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated a_repeat_from_an_earlier_life_is_not_applied]
    }
    "restored" {
        absent [what_is_not_deleted_cannot_be_restored]
        present [what_is_not_deleted_cannot_be_restored]
        leased [an_entity_deleted_again_while_its_delete_ran_is_gone]
        stale "it demands no token, revision or version, so nothing that was read can be stale"
        tombstoned [
            restoring_before_the_deletion_is_pushed_undoes_it
            restoring_after_the_deletion_was_pushed_begins_a_new_life
        ]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "marked as synced, the current state" {
        absent [
            marking_an_untracked_entity_synced_makes_a_record
            a_taken_id_has_no_effect_on_a_key_without_record
        ]
        present [
            what_a_success_omits_is_kept
            metadata_is_replaced_merged_and_removed
            a_success_resets_what_failures_left
            synced_at_does_not_go_back_with_the_clock
            marking_synced_is_refused_while_a_conflict_is_open
        ]
        leased [marking_synced_leaves_the_lease_of_another]
        stale "it asserts the current state, whatever the caller has read"
        tombstoned [a_deletion_that_was_marked_as_synced_leaves_a_tombstone]
        concurrent [what_concurrent_callers_see_has_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "marked as synced, a revision" {
        absent [a_report_for_another_incarnation_is_refused]
        present [a_report_for_another_incarnation_is_refused]
        leased [a_report_without_a_lease_leaves_the_lease]
        stale [a_report_for_another_incarnation_is_refused]
        tombstoned [a_deletion_that_was_marked_as_synced_leaves_a_tombstone]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "completed: a create or an update" {
        absent [a_stale_holder_has_no_effect]
        present [a_stale_holder_has_no_effect]
        leased [
            a_change_during_a_push_leaves_the_record_dirty
            a_push_that_was_overtaken_is_pushed_again
            binding_leaves_the_lease_of_another
        ]
        stale [
            a_stale_holder_has_no_effect
            an_expired_lease_that_nobody_took_still_counts
            a_record_is_removed_under_its_lease
        ]
        tombstoned [
            deleting_during_a_create_waits_for_it
            a_deletion_settled_under_a_lease_is_completed_by_its_holder
        ]
        concurrent [a_change_racing_a_success_is_not_lost]
        replayed [every_rule_may_be_repeated]
    }
    "completed: a delete" {
        absent [a_stale_holder_has_no_effect]
        present [a_stale_holder_has_no_effect]
        leased [
            a_deletion_that_was_pushed_leaves_a_tombstone
            an_entity_restored_while_its_delete_ran_is_created_again
            an_entity_deleted_again_while_its_delete_ran_is_gone
        ]
        stale [a_stale_holder_has_no_effect an_expired_lease_that_nobody_took_still_counts]
        tombstoned [a_deletion_settled_under_a_lease_is_completed_by_its_holder]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "failed, under a lease" {
        absent [a_stale_holder_has_no_effect]
        present [a_stale_holder_has_no_effect]
        leased [
            a_transient_failure_is_retried_by_the_schedule
            attempts_past_the_schedule_make_a_dead_letter
            a_throttled_push_is_not_charged
            a_permanent_failure_is_a_dead_letter_at_once
            an_unknown_create_is_in_doubt_until_it_is_bound
            a_definite_failure_does_not_settle_a_doubt
            a_failure_does_not_touch_what_was_synced
            the_first_failure_stays_readable
        ]
        stale [a_stale_holder_has_no_effect an_expired_lease_that_nobody_took_still_counts]
        tombstoned [a_create_that_failed_after_the_deletion_leaves_nothing_to_push]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "failed, without a lease" {
        absent [an_unleased_failure_makes_a_record]
        present [an_unleased_failure_charges_an_attempt]
        leased [an_unleased_failure_leaves_the_lease]
        stale "it demands no token, revision or version, so nothing that was read can be stale"
        tombstoned [a_tombstone_cannot_fail]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "bound, a record made if need be" {
        absent [binding_twice_is_the_same_as_once]
        present [binding_another_id_is_refused_and_told an_external_id_has_one_owner]
        leased [binding_leaves_the_lease_of_another]
        stale "it demands that no other id is bound, now: what was read before does not count"
        tombstoned [
            a_tombstone_cannot_be_bound
            a_pending_deletion_still_holds_the_id
        ]
        concurrent [
            of_many_entities_one_gets_the_external_id
            of_many_external_ids_one_is_bound
        ]
        replayed [
            every_rule_may_be_repeated
            binding_twice_is_the_same_as_once
            a_binding_dropped_at_any_poll_is_applied_whole_or_not
        ]
    }
    "bound, only what has a record" {
        absent [linking_needs_a_record]
        present [linking_needs_a_record binding_another_id_is_refused_and_told]
        leased [binding_leaves_the_lease_of_another]
        stale "it demands that no other id is bound, now: what was read before does not count"
        tombstoned [a_tombstone_cannot_be_bound]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "bound, in place of another id" {
        absent [rebinding_needs_the_expected_id]
        present [rebinding_lets_the_old_id_go]
        leased [binding_leaves_the_lease_of_another]
        stale [rebinding_needs_the_expected_id]
        tombstoned [a_tombstone_cannot_be_bound]
        concurrent [
            two_that_want_each_others_external_id_keep_their_own
            of_many_that_want_another_external_id_one_gets_it
            in_a_free_for_all_an_external_id_has_one_owner
        ]
        replayed [every_rule_may_be_repeated]
    }
    "an alias added" {
        absent [every_operation_is_carried_out_as_the_reference_does]
        present [an_alias_leads_to_the_record_and_is_taken an_alias_too_many_is_refused]
        leased [every_operation_is_carried_out_as_the_reference_does]
        stale "it demands nothing that was read"
        tombstoned [every_operation_is_carried_out_as_the_reference_does]
        concurrent "aliases are held as the id itself is: see what is bound"
        replayed [an_alias_too_many_is_refused]
    }
    "redriven" {
        absent [what_is_not_held_cannot_be_redriven]
        present [
            what_is_not_held_cannot_be_redriven
            a_redriven_dead_letter_is_due_at_once
            a_redriven_record_with_nothing_new_is_pushed_all_the_same
        ]
        leased [holding_and_redriving_leave_the_lease_of_another]
        stale "it demands that it is held, now: what was read before does not count"
        tombstoned [what_is_not_held_cannot_be_redriven]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "dismissed" {
        absent [a_tombstone_cannot_be_dismissed]
        present [a_dismissed_record_rests_until_the_entity_changes]
        leased [
            a_dismissed_record_rests_until_the_entity_changes
            holding_and_redriving_leave_the_lease_of_another
        ]
        stale "it demands no token, revision or version, so nothing that was read can be stale"
        tombstoned [a_tombstone_cannot_be_dismissed]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "a doubt settled: it is not there" {
        absent [a_doubt_can_be_settled]
        present [a_doubt_can_be_settled]
        leased [a_doubt_settled_under_a_lease_is_left_to_its_holder]
        stale "it demands that a create is in doubt, now: what was read before does not count"
        tombstoned [a_doubt_can_be_settled]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "claimed" {
        absent "it names no record: it takes those that are due"
        present [
            due_records_are_claimed_oldest_first
            a_retry_is_due_to_the_millisecond
            retries_and_new_changes_wait_in_one_queue
            a_busy_entity_keeps_its_place
            a_claim_takes_no_more_than_its_limit
            a_claim_takes_from_its_source_only
        ]
        leased [what_is_not_due_is_not_claimed every_grant_has_a_higher_token]
        stale [
            a_lease_runs_out_to_the_millisecond
            a_lease_that_ran_out_is_claimed_alone
            a_vanished_create_is_in_doubt
            a_record_attempted_too_often_becomes_a_dead_letter
        ]
        tombstoned [what_is_not_due_is_not_claimed a_vanished_create_is_in_doubt]
        concurrent [claims_are_disjoint an_expired_lease_goes_to_one_claimer]
        replayed [
            a_repeated_claim_gets_its_leases_again
            a_repeated_claim_gets_no_more_than_it_asks_for
            a_late_copy_of_a_claim_grants_nothing_again
        ]
    }
    "renewed" {
        absent [a_stale_holder_has_no_effect]
        present [a_stale_holder_has_no_effect]
        leased [a_renewed_lease_runs_on]
        stale [a_stale_holder_has_no_effect an_expired_lease_that_nobody_took_still_counts]
        tombstoned [a_lease_is_renewed_though_the_entity_was_deleted]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "released" {
        absent [a_stale_holder_has_no_effect]
        present [a_stale_holder_has_no_effect]
        leased [a_released_record_is_due_at_once_and_not_charged]
        stale [a_stale_holder_has_no_effect an_expired_lease_that_nobody_took_still_counts]
        tombstoned [a_create_given_back_after_the_deletion_leaves_nothing_to_push]
        concurrent [rules_at_the_same_time_have_an_order]
        replayed [every_rule_may_be_repeated]
    }
    "observed: content" {
        absent "what no record has the id of is told without a write"
        present [
            news_is_news_until_it_is_accepted
            content_equal_to_the_base_is_no_conflict
        ]
        leased [an_echo_is_consumed_once]
        stale [what_is_older_than_what_was_seen_is_stale]
        tombstoned [what_reappears_in_the_remote_begins_a_new_life]
        concurrent [of_many_copies_of_an_echo_one_is_consumed]
        replayed [news_is_news_until_it_is_accepted]
    }
    "observed: a deletion" {
        absent "what no record has the id of is told without a write"
        present [
            a_deletion_in_the_remote_makes_a_tombstone
            an_open_conflict_keeps_the_record_from_being_claimed
        ]
        leased "a lease is left alone by every observation: see content"
        stale "a deletion has a version like content: see there"
        tombstoned [what_reappears_in_the_remote_begins_a_new_life]
        concurrent "one change of one record, as content: see there"
        replayed [a_deletion_in_the_remote_makes_a_tombstone]
    }
    "an echo expected" {
        absent "it demands a record; a demand that fails is judged in: any change"
        present [four_echoes_are_expected_at_most]
        leased [an_echo_is_consumed_once]
        stale [an_echo_is_consumed_once]
        tombstoned "an echo of the last push may come after the deletion"
        concurrent [of_many_copies_of_an_echo_one_is_consumed]
        replayed [a_replayed_change_is_not_applied_again]
    }
    "accepted" {
        absent "it demands an incarnation; a demand that fails is judged in: any change"
        present [news_is_news_until_it_is_accepted]
        leased "a lease is left alone; what its holder tells later is judged by the revision"
        stale [
            accepting_needs_the_version_that_was_seen_last
            accepting_leaves_what_was_changed_meanwhile_dirty
        ]
        tombstoned [
            a_deletion_in_the_remote_makes_a_tombstone
            what_reappears_in_the_remote_begins_a_new_life
        ]
        concurrent [accepting_leaves_what_was_changed_meanwhile_dirty]
        replayed [what_reappears_in_the_remote_begins_a_new_life]
    }
    "a conflict resolved" {
        absent "without a record there is no conflict"
        present [a_resolved_conflict_leaves_what_was_decided]
        leased "what a running push tells counts as a move: see stale"
        stale [a_decision_is_refused_if_anything_moved]
        tombstoned [a_resolved_conflict_leaves_what_was_decided]
        concurrent [a_change_racing_a_decision_is_not_lost]
        replayed [a_replayed_change_is_not_applied_again]
    }
    "encountered in the remote" {
        absent [an_object_that_was_made_on_both_sides_is_a_conflict]
        present [an_object_that_was_made_on_both_sides_is_a_conflict]
        leased "a create that runs is in doubt at worst, and the encounter settles it"
        stale [an_object_that_was_made_on_both_sides_is_a_conflict]
        tombstoned "it demands that the entity is not deleted: judged in: any change"
        concurrent [of_many_entities_one_gets_the_external_id]
        replayed [a_replayed_change_is_not_applied_again]
    }
    "ids merged" {
        absent "an id that nobody holds is told without a write"
        present [an_id_that_was_merged_away_leads_to_the_winner]
        leased "a lease is left alone: it changes ids only"
        stale [an_id_that_was_merged_away_leads_to_the_winner]
        tombstoned "a tombstone holds nothing: its ids are free"
        concurrent [in_a_free_for_all_an_external_id_has_one_owner]
        replayed [a_replayed_change_is_not_applied_again]
    }
    "sighted, or missed by a sweep" {
        absent "it demands a record; a demand that fails is judged in: any change"
        present [what_was_sighted_is_not_missed]
        leased "a lease is left alone"
        stale [what_was_sighted_is_not_missed]
        tombstoned "a sweep expects no deleted entity"
        concurrent [what_was_sighted_is_not_missed]
        replayed [a_replayed_change_is_not_applied_again]
    }
    "renamed" {
        absent [renaming_is_idempotent]
        present [
            a_renamed_record_keeps_everything
            a_record_is_renamed_to_another_source
            a_record_is_not_renamed_onto_another
        ]
        leased [a_record_that_somebody_is_at_is_not_renamed]
        stale [a_record_that_somebody_is_at_is_not_renamed]
        tombstoned [a_tombstone_cannot_take_back_ids_that_another_holds]
        concurrent [a_change_racing_a_renaming_is_not_lost]
        replayed [renaming_is_idempotent]
    }
    "removed: forgotten, purged" {
        absent [removing_is_idempotent]
        present [removing_is_guarded a_removed_record_leaves_no_trace_in_indexes]
        leased [a_record_is_removed_under_its_lease]
        stale [removing_is_guarded]
        tombstoned [a_tombstone_is_purged_and_a_pending_deletion_is_not]
        concurrent [a_change_racing_a_removal_is_not_lost]
        replayed [removing_is_idempotent]
    }
    "imported" {
        absent [
            an_imported_record_is_stored_as_it_is
            an_imported_record_can_be_claimed
            an_import_cannot_take_an_external_id
        ]
        present [
            an_imported_record_replaces_the_one_there
            an_impossible_record_is_refused_as_invalid
        ]
        leased [an_imported_record_replaces_the_one_there]
        stale "it demands nothing: it replaces whatever is there"
        tombstoned [a_tombstone_cannot_take_back_ids_that_another_holds]
        concurrent [of_many_imports_one_gets_the_external_id]
        replayed [an_import_cannot_take_an_external_id]
    }
    "paused" {
        absent [a_pause_leaves_no_trace_among_records a_pause_is_of_one_source]
        present [a_paused_source_is_not_claimed a_pause_replaces_the_one_before]
        leased [leases_outlast_a_pause]
        stale [a_pause_is_over_to_the_millisecond]
        tombstoned "a source is paused, not a record"
        concurrent "of two pauses the later write lasts, and either may be later"
        replayed [a_pause_replaces_the_one_before]
    }
    "resumed" {
        absent [a_paused_source_is_not_claimed]
        present [a_paused_source_is_not_claimed]
        leased "leases run on through a pause, so its end changes none: see what is paused"
        stale "a pause that has run out is none, and resuming what is not paused is told above"
        tombstoned "a source is resumed, not a record"
        concurrent "a pause and its end at once leave either, and either may be later"
        replayed [a_paused_source_is_not_claimed]
    }
    "any change" {
        absent [
            every_demand_is_judged_on_a_key_without_record
            every_operation_is_carried_out_as_the_reference_does
        ]
        present [
            every_demand_is_judged_as_the_reference_does
            every_operation_is_carried_out_as_the_reference_does
            operations_are_carried_out_in_their_order
            the_first_arm_that_holds_is_applied
            the_answer_tells_which_arm_was_applied
            attempts_are_charged_up_to_their_limit
            four_echoes_are_expected_at_most
        ]
        leased [every_demand_is_judged_as_the_reference_does]
        stale [
            every_demand_is_judged_as_the_reference_does
            a_refused_change_is_judged_afresh
        ]
        tombstoned [every_demand_is_judged_as_the_reference_does]
        concurrent [
            of_many_writers_with_one_version_one_wins
            no_increment_is_lost
            a_local_change_dropped_at_any_poll_is_applied_whole_or_not
        ]
        replayed [
            a_replayed_change_is_not_applied_again
            a_change_is_remembered_for_sixteen_changes
            a_change_replayed_in_parallel_is_applied_once
            replays_in_parallel_are_known_for_sixteen_changes
            a_change_replayed_among_others_is_applied_once
            a_repeat_from_an_earlier_life_is_not_applied
        ]
    }
    "many changes at once" {
        absent [an_empty_batch_is_answered a_batch_answers_in_the_order_of_its_items]
        present [a_batch_answers_in_the_order_of_its_items hundreds_at_once_are_all_answered]
        leased "each item is a change of its own: see the rules"
        stale "each item is a change of its own: see the rules"
        tombstoned [a_batch_applies_a_repeated_key_in_order]
        concurrent [batches_that_cross_are_both_answered]
        replayed [a_batch_applies_a_repeated_key_in_order]
    }
    "looked up by external id" {
        absent [an_external_id_is_compared_byte_by_byte]
        present [
            an_external_id_is_compared_byte_by_byte
            an_external_id_is_unique_within_source_and_type
            many_external_ids_are_looked_up_in_their_order
        ]
        leased "a lease changes no id"
        stale [rebinding_lets_the_old_id_go]
        tombstoned [a_tombstone_lets_go_of_its_ids_and_is_still_found]
        concurrent [
            of_many_external_ids_one_is_bound
            a_binding_dropped_at_any_poll_is_applied_whole_or_not
        ]
        replayed "a read may be repeated at any time"
    }
    "read by key, or of an entity" {
        absent [
            many_records_are_read_in_the_order_of_their_keys
            records_of_an_entity_are_found_in_all_sources
        ]
        present [
            many_records_are_read_in_the_order_of_their_keys
            records_of_an_entity_are_found_in_all_sources
            another_source_is_another_record
        ]
        leased [due_records_are_claimed_oldest_first]
        stale [records_of_an_entity_are_found_in_all_sources]
        tombstoned [an_imported_record_is_stored_as_it_is]
        concurrent "a record that is read is as one write left it: see what writes"
        replayed "a read may be repeated at any time"
    }
    "listed" {
        absent [a_walk_sees_each_record_once_whatever_the_page_size]
        present [
            a_walk_is_in_the_order_of_bytes
            a_walk_sees_each_record_once_whatever_the_page_size
            filters_narrow_a_walk
            filters_narrow_together_as_the_reference_does
            metadata_values_narrow_a_walk
            a_cursor_after_a_source_goes_on_with_the_next
            sources_with_records_are_listed
            what_is_reserved_stays_out_of_sight
        ]
        leased [filters_narrow_a_walk what_is_due_is_listed_to_the_millisecond]
        stale [
            a_cursor_outlives_the_record_it_stands_on
            filters_narrow_together_as_the_reference_does
        ]
        tombstoned [a_deletion_that_was_pushed_leaves_a_tombstone]
        concurrent [a_walk_is_stable_under_writes walks_among_writers_see_what_stays_once]
        replayed "a read may be repeated at any time"
    }
    "counted" {
        absent [statistics_tell_what_is_due_and_what_waits counts_follow_every_change]
        present [statistics_tell_what_is_due_and_what_waits counts_follow_every_change]
        leased [statistics_tell_what_is_due_and_what_waits counts_follow_every_change]
        stale [statistics_tell_what_is_due_and_what_waits]
        tombstoned [a_deletion_that_was_pushed_leaves_a_tombstone]
        concurrent [of_many_creators_one_wins claims_are_disjoint]
        replayed "a read may be repeated at any time"
    }
};
