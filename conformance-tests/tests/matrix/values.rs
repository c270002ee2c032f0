//! Values and matters in which stores would differ, by what they are about.

use crate::table::{Value, values};

pub(crate) const VALUES: &[Value] = values! {
    "source, entity type, entity id, external id" {
        "the empty text; a byte too many (256, external ids 513); kilobytes"
            "refused in core: names_are_held_to_their_limits"
        "control characters: U+0000 to U+001F, U+007F, U+0080 to U+009F"
            "refused in core: names_are_held_to_their_limits"
        "1 byte: `0`, a space, a punctuation mark" [
            hostile_text_comes_back_as_it_was
            an_external_id_is_compared_byte_by_byte
        ]
        "255 bytes, external ids 512; of noise, which no index makes shorter"
            [the_longest_text_comes_back_as_it_was]
        "U+FEFF, U+202E, U+FFFD, U+FFFF, U+10FFFF, emoji" [hostile_text_comes_back_as_it_was]
        "composed and decomposed, `é` and `e` with U+0301" [
            an_external_id_is_compared_byte_by_byte
            names_that_could_be_confused_stay_apart
        ]
        "upper and lower case; `ß` and `SS`; the four letters i" [
            an_external_id_is_compared_byte_by_byte
            names_that_could_be_confused_stay_apart
        ]
        "spaces before and behind" [
            an_external_id_is_compared_byte_by_byte
            names_that_could_be_confused_stay_apart
        ]
        "`a:b` and `c`, or `a` and `b:c`; `/` likewise" [names_that_could_be_confused_stay_apart]
        "`{tag}`, `*?[a]`, `.`, `$`, `%`, `_`, `\\`" [
            hostile_text_comes_back_as_it_was
            an_external_id_is_compared_byte_by_byte
        ]
        "`null`, `0`, `NaN`, `true`" [hostile_text_comes_back_as_it_was]
        "statements of SQL, Lua and MongoDB" [hostile_text_comes_back_as_it_was]
        "ordered by bytes, each part for itself" [
            a_walk_is_in_the_order_of_bytes
            a_cursor_after_a_source_goes_on_with_the_next
            sources_with_records_are_listed
        ]
        "sources and types of which one begins as another" [
            a_claim_takes_from_its_source_only
            a_cursor_after_a_source_goes_on_with_the_next
        ]
        "an external id in another type or source is another" [
            an_external_id_is_unique_within_source_and_type
            another_source_is_another_record
        ]
        "no external id, in many records" [
            of_many_creators_one_wins
            hundreds_at_once_are_all_answered
        ]
    }
    "timestamps" {
        "finer than a millisecond; leap seconds; other offsets"
            "floored in core: instants_are_floored_and_held_to_their_range"
        "before year 1, after year 9999"
            "refused in core: instants_are_floored_and_held_to_their_range"
        "the first and the last, 1582, -1 ms, 0, 1 ms, the end of 1999"
            [numbers_and_instants_come_back_at_their_limits]
        "a clock that goes back" [synced_at_does_not_go_back_with_the_clock]
        "whose clock: the store's, in the step that needs it" [
            the_stores_own_clock_decides
            a_retry_is_due_to_the_millisecond
            a_lease_runs_out_to_the_millisecond
            a_pause_is_over_to_the_millisecond
            what_is_due_is_listed_to_the_millisecond
        ]
    }
    "spans and limits" {
        "a lease of 0 ms, spans beyond 3,650 days, a limit of 0 or 1,001"
            "refused in core: spans_and_limits_are_held_to_their_ranges"
        "a lease of 1 ms" [the_stores_own_clock_decides hostile_text_comes_back_as_it_was]
        "waits of 3,650 days" [the_longest_waits_are_kept]
        "a wait of 0 ms" [every_operation_is_carried_out_as_the_reference_does]
        "claims of 1, of hundreds" [
            a_claim_takes_no_more_than_its_limit
            hundreds_at_once_are_all_answered
        ]
        "batches of 0, of hundreds" [
            an_empty_batch_is_answered
            hundreds_at_once_are_all_answered
        ]
        "pages of 1, of one less and one more than there is, of 1,000" [
            a_walk_sees_each_record_once_whatever_the_page_size
            a_walk_is_in_the_order_of_bytes
        ]
        "64 aliases and one more; 4 echoes and one more" [
            an_alias_too_many_is_refused
            four_echoes_are_expected_at_most
        ]
        "changes remembered: 15, 16, 17" [a_change_is_remembered_for_sixteen_changes]
    }
    "counters, tokens" {
        "above 2^53 - 1" "refused in core: counters_are_held_to_their_range"
        "imported above 2^52" [an_impossible_record_is_refused_as_invalid]
        "imported at 2^52, and one change more" [numbers_and_instants_come_back_at_their_limits]
        "attempts at 0 and at 2^32 - 1" [
            every_operation_is_carried_out_as_the_reference_does
            attempts_are_charged_up_to_their_limit
            numbers_and_instants_come_back_at_their_limits
        ]
        "remote sequences: the least and the largest i64, around 0, 2^53 + 1" [
            numbers_and_instants_come_back_at_their_limits
            remote_versions_of_each_kind_are_ordered_as_the_reference_does
        ]
        "tokens and incarnations: the time, and one more than before" [
            every_grant_has_a_higher_token
            a_created_entity_is_to_be_created
            a_record_is_removed_under_its_lease
        ]
        "counts of the same thing by many at once" [
            no_increment_is_lost
            of_many_writers_with_one_version_one_wins
        ]
    }
    "change ids" {
        "64 random bits, of 16 changes" [a_change_is_remembered_for_sixteen_changes]
    }
    "metadata" {
        "`null`, `false`, 0, `\"\"`, `[]`, `{}`, `[{}]`, `[[]]`" [metadata_comes_back_as_it_was]
        "keys: empty, `a.b`, `$set`, `__proto__`, emoji" [
            metadata_comes_back_as_it_was
            metadata_values_narrow_a_walk
        ]
        "U+0000 in keys and text"
            "refused in core: a_nul_is_refused_in_keys_and_in_text_at_any_depth"
        "integers: the least and the largest i64, around 2^53 and -2^53, 10^15"
            [metadata_comes_back_as_it_was]
        "integers above i64" "refused in core: limits_are_met_exactly"
        "5e-324, 1e308, 0.1 + 0.2, 1e19, and what is an integer after all: 1.0, -0.0" [
            metadata_comes_back_as_it_was
            metadata_values_narrow_a_walk
        ]
        "one key twice" "a JSON value has each key once: the parser keeps the last"
        "halves of surrogate pairs" "no text has them: the parser refuses them"
        "64 levels" [metadata_comes_back_as_it_was]
        "65 levels" "refused in core: limits_are_met_exactly"
        "256 KiB" [metadata_comes_back_as_it_was]
        "a byte above 256 KiB; megabytes" "refused in core: limits_are_met_exactly"
        "several changes that add up to more" [metadata_may_add_up_to_more_than_one_change_carries]
        "the order of keys" [metadata_comes_back_as_it_was]
    }
    "merge of metadata" {
        "shallow: top-level keys are set, no path leads into them" [merging_metadata_is_shallow]
        "removed is not null" [removing_metadata_is_not_setting_null]
        "removed and set at once; what is not there removed; the whole replaced by nothing"
            [metadata_is_replaced_merged_and_removed]
        "nothing said" [what_a_success_omits_is_kept]
    }
    "fingerprints and remote versions" {
        "of content" "made by the caller, with the name of its method: a store compares bytes"
        "the longest, and hostile text" [
            the_longest_text_comes_back_as_it_was
            hostile_text_comes_back_as_it_was
        ]
        "sequences, instants and opaque tags: newer, equal, older, not comparable" [
            remote_versions_of_each_kind_are_ordered_as_the_reference_does
            every_demand_is_judged_as_the_reference_does
        ]
        "one echo expected twice; the order of echoes and aliases" [
            every_operation_is_carried_out_as_the_reference_does
            an_imported_record_is_stored_as_it_is
        ]
    }
    "pages" {
        "keyset over the key, stable under writes" [a_walk_is_stable_under_writes]
        "a cursor whose record was removed" [a_cursor_outlives_the_record_it_stands_on]
        "a cursor as text, with any name in it"
            "core writes and reads it: a_cursor_is_good_as_text_whatever_the_names"
        "filters are equalities, without patterns" [
            metadata_values_narrow_a_walk
            filters_narrow_together_as_the_reference_does
        ]
    }
    "messages for people" {
        "4 KiB, reasons of pauses 1 KiB, with line feeds" [
            the_longest_text_comes_back_as_it_was
            a_paused_source_is_not_claimed
        ]
        "longer, or with control characters"
            "cut and made printable in core: a_message_is_cut_on_a_character_boundary_and_made_printable"
    }
    "one step" {
        "a refusal leaves nothing behind" [
            a_taken_id_has_no_effect_on_a_key_without_record
            a_refused_change_is_judged_afresh
        ]
        "an insert that meets another" [of_many_creators_one_wins]
        "an id that is taken at the same time" [
            of_many_entities_one_gets_the_external_id
            of_many_imports_one_gets_the_external_id
        ]
        "locks taken in two orders" [batches_that_cross_are_both_answered]
        "a call that is dropped" [
            a_local_change_dropped_at_any_poll_is_applied_whole_or_not
            a_report_dropped_at_any_poll_is_applied_whole_or_not
            a_report_without_lease_dropped_at_any_poll_is_applied_whole_or_not
            a_binding_dropped_at_any_poll_is_applied_whole_or_not
            a_batch_dropped_at_any_poll_is_applied_item_by_item
            a_claim_dropped_at_any_poll_is_completed_by_a_repeat
            an_import_dropped_at_any_poll_is_stored_whole_or_not
            a_removal_dropped_at_any_poll_is_done_whole_or_not
            a_renaming_dropped_at_any_poll_loses_nothing
            a_pause_dropped_at_any_poll_lasts_or_not
            a_read_dropped_at_any_poll_changes_nothing
        ]
        "answers of several callers fit into one order" [what_concurrent_callers_see_has_an_order]
        "indexes and counts agree with records" [
            a_removed_record_leaves_no_trace_in_indexes
            counts_follow_every_change
        ]
    }
    "partition by source" {
        "a source is a world of its own" [
            another_source_is_another_record
            a_claim_takes_from_its_source_only
            a_pause_is_of_one_source
            a_record_is_renamed_to_another_source
        ]
        "an entity over its sources" [records_of_an_entity_are_found_in_all_sources]
        "two applications on one server" [two_namespaces_do_not_see_each_other]
    }
    "settings of the server" {
        "durability, eviction, isolation, time zone, collation"
            "each backend reads and pins its own: its tests, since `Setup` cannot say them"
        "which error of a driver means what"
            "each backend maps its own: its tests, with a proxy that cuts connections"
    }
};
