//! Behaviours that are not the only one to catch some bug, and why they are kept all the same.

/// Each with its reason.
pub(crate) const KEPT: &[(&str, &str)] = &[
    // They say in words what the ones that find a bug among many others would only show.
    (
        "the_first_arm_that_holds_is_applied",
        "three arms that overlap, and no rule around them: elsewhere a claim comes out wrong",
    ),
    (
        "a_change_is_remembered_for_sixteen_changes",
        "says how many are remembered: a history that misses one only finds no order",
    ),
    (
        "a_created_entity_is_to_be_created",
        "the first thing an application does, field by field: a store that is begun fails here first",
    ),
    (
        "an_entity_cannot_be_created_twice",
        "names without a race what of_many_creators_one_wins finds in one",
    ),
    (
        "an_updated_entity_without_record_is_to_be_created",
        "names the field that what_concurrent_callers_see_has_an_order shows in a history of 40 calls",
    ),
    (
        "a_deleted_entity_cannot_be_updated",
        "both refusals, before and after the deletion was pushed; histories and batches meet one",
    ),
    (
        "due_records_are_claimed_oldest_first",
        "the order of claims by itself: others find it out by retries, leases or edits that wait",
    ),
    (
        "a_lease_runs_out_to_the_millisecond",
        "both sides of the end of a lease: others stand on one of them by the way",
    ),
    (
        "a_claim_takes_no_more_than_its_limit",
        "one queue until it is empty: the others that see a lease too many are about something else",
    ),
    ("what_is_not_due_is_not_claimed", "every status that is never due, side by side in one claim"),
    (
        "a_busy_entity_keeps_its_place",
        "what pending_since is for: pending_since_is_kept_until_a_push_succeeds compares the field",
    ),
    (
        "a_renewed_lease_runs_on",
        "token and end of a renewed lease: walks and repeats see only that something is due",
    ),
    (
        "another_source_is_another_record",
        "the promise of several sources as an application sees it: one is written, the other stays",
    ),
    (
        "an_external_id_is_unique_within_source_and_type",
        "one id in two sources and two types at once: others have one of them by the way",
    ),
    (
        "rebinding_lets_the_old_id_go",
        "that an id which was let go can be taken: new lives only look whom it leads to",
    ),
    (
        "a_pause_leaves_no_trace_among_records",
        "a source that has nothing but a pause: others see a record too many among their own",
    ),
    (
        "a_walk_is_in_the_order_of_bytes",
        "names the order itself: other walks find a page or a cursor wrong",
    ),
    (
        "a_walk_is_stable_under_writes",
        "writes between pages of three sizes: a_cursor_outlives_the_record_it_stands_on has one",
    ),
    (
        "filters_narrow_a_walk",
        "each filter alone: filters_narrow_together_as_the_reference_does tells a difference only",
    ),
    (
        "what_is_due_is_listed_to_the_millisecond",
        "what makes a record due, each to the instant: others differ from the reference somewhere",
    ),
    (
        "counts_follow_every_change",
        "counts by number after each step: elsewhere they are compared with the store's own lists",
    ),
    (
        "a_batch_answers_in_the_order_of_its_items",
        "every kind of answer in one batch, a taken id too: a repeated key shows its order alone",
    ),
    (
        "an_imported_record_is_stored_as_it_is",
        "every field and id of it, before anything else happens: others find one amiss on the way",
    ),
    (
        "names_that_could_be_confused_stay_apart",
        "pairs that differ in one place: among hostile names the first that is odd fails",
    ),
    (
        "operations_are_carried_out_in_their_order",
        "pairs of operations whose order shows; the reference is compared over each one alone",
    ),
    (
        "what_a_success_omits_is_kept",
        "the promise that an omitted fact is kept, as an application meets it, field by field",
    ),
    (
        "a_cursor_outlives_the_record_it_stands_on",
        "a removal right at the cursor, certain; walks among writers meet it by chance",
    ),
    (
        "news_is_news_until_it_is_accepted",
        "seen and accepted are two things: the whole way of one event, where a new store fails first",
    ),
    (
        "an_open_conflict_keeps_the_record_from_being_claimed",
        "that a conflict is not claimed and counts as one: others look at what it becomes",
    ),
    (
        "a_resolved_conflict_leaves_what_was_decided",
        "all six decisions side by side; the shapes of its changes appear nowhere else",
    ),
    (
        "a_decision_is_refused_if_anything_moved",
        "a remote that moves without a version, certain; a_change_racing_a_decision_is_not_lost races",
    ),
    (
        "a_deletion_in_the_remote_makes_a_tombstone",
        "that a deletion accepted from the remote frees the id, like one that was pushed",
    ),
    // They hold a rule by what it promises. A history is judged by core itself, and would follow it
    // into a mistake.
    (
        "deleting_what_was_never_pushed_leaves_nothing_to_push",
        "that there is nothing to push: histories only say that core's rule would do the same",
    ),
    (
        "deleting_during_a_create_waits_for_it",
        "that the create is waited for: histories of one rule have no worker that is at it",
    ),
    (
        "marking_an_untracked_entity_synced_makes_a_record",
        "what becomes of nothing: histories only say that core's rule would do the same",
    ),
    // Races. Each is the smallest in which its own promise is broken, and some bug of one is found
    // by the others when threads meet as they do there.
    ("of_many_creators_one_wins", "inserts that meet: elsewhere the record is there already"),
    ("no_increment_is_lost", "320 increments by number: elsewhere one of two is lost at most"),
    (
        "of_many_entities_one_gets_the_external_id",
        "bindings alone, and all losers are told who won: imports race with other rules",
    ),
    (
        "of_many_external_ids_one_is_bound",
        "16 ids for one record: of_many_entities_one_gets_the_external_id has one id for 16",
    ),
    ("claims_are_disjoint", "first grants, several at once: elsewhere one lease is taken over"),
    (
        "an_expired_lease_goes_to_one_claimer",
        "1,000 leases that ran out, two claimers each: claims_are_disjoint has first grants",
    ),
    (
        "a_change_replayed_in_parallel_is_applied_once",
        "the repeat meets the change itself under way: elsewhere it comes after",
    ),
    (
        "a_change_racing_a_success_is_not_lost",
        "no lost update in its smallest race: one success and one change",
    ),
    (
        "of_many_writers_with_one_version_one_wins",
        "compare-and-set by version, which no rule demands and applications may",
    ),
    (
        "what_concurrent_callers_see_has_an_order",
        "judges the answers of several callers against each other: others look at the end",
    ),
    (
        "of_many_copies_of_an_echo_one_is_consumed",
        "an echo that is looked for and removed in two steps, which no other race has",
    ),
    (
        "a_change_racing_a_decision_is_not_lost",
        "no lost update where a decision clears what is dirty",
    ),
    (
        "replays_in_parallel_are_known_for_sixteen_changes",
        "the horizon of replays when they meet: 1, 15, 16 known, 17 not",
    ),
    (
        "a_change_replayed_among_others_is_applied_once",
        "the repeat among the changes that push it out, not after them",
    ),
    (
        "two_that_want_each_others_external_id_keep_their_own",
        "a swap, where each waits for what the other holds",
    ),
    (
        "of_many_that_want_another_external_id_one_gets_it",
        "rebinding, which lets one id go and takes another in the same step",
    ),
    (
        "in_a_free_for_all_an_external_id_has_one_owner",
        "deletions, restorations and bindings at once, and who is named held the id then",
    ),
];
