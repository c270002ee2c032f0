//! The one list of bugs, and what is made of it.

/// Gives the list to a maker: `bugs` below, or one that makes a test of each.
macro_rules! with_bugs {
    ($maker:ident) => {
        $maker! {
            // One step that is several.
            GuardsJudgedBeforehand = guards_are_judged_before_the_write,
            IdsCheckedBeforehand = external_ids_are_checked_before_the_write,
            ClaimsChosenBeforehand = claims_are_chosen_before_the_write,
            ImportsCheckedBeforehand = an_import_is_checked_before_the_write,
            RemovalsJudgedBeforehand = a_removal_is_judged_before_it_is_done,
            RenamedLater = a_record_is_renamed_as_it_was_before,
            DroppedCallsTorn = a_dropped_call_leaves_an_index_entry,
            RefusalsHalfDone = a_change_refused_for_its_id_is_carried_out_otherwise,
            HoldersReadBeforehand = who_holds_an_external_id_is_read_before_the_write,
            RebindsCheckedBeforehand = another_external_id_is_checked_before_the_write,
            IdsLetGoFirst = an_external_id_is_let_go_before_the_other_is_taken,
            ReplaysJudgedBeforehand = a_replay_is_looked_for_before_the_write,
            RingReadBeforehand = the_changes_remembered_are_read_before_the_write,
            ExpiredChosenBeforehand = a_lease_that_ran_out_is_chosen_before_the_write,
            PagesReadInTwo = a_page_is_read_in_two,
            // Changes seen again.
            ReplaysCounted = a_replayed_change_is_applied_again,
            ReplaysNotTold = a_replayed_change_is_not_called_replayed,
            ArmsUntold = the_first_arm_is_always_told,
            ReplaysByFirstArm = a_replayed_change_is_answered_with_the_first_arm,
            ReplaysByLastArm = a_replayed_change_is_answered_with_the_last_arm,
            RefusalsCached = a_refused_change_is_refused_for_ever,
            RefusalsRemembered = a_refused_change_is_remembered_as_applied,
            RingOfOne = one_change_is_remembered,
            RingOfFifteen = fifteen_changes_are_remembered,
            // Clears that are lost.
            IdNotCleared = an_external_id_is_not_cleared,
            RetryNotCleared = a_retry_is_not_cleared,
            FailureNotCleared = a_failure_is_not_cleared,
            HoldNotCleared = a_hold_is_not_cleared,
            DoubtNotCleared = a_doubt_is_not_cleared,
            ConflictNotCleared = a_conflict_is_not_cleared,
            DeletionNotCleared = a_deletion_is_not_cleared,
            SyncedAtNotCleared = synced_at_is_not_cleared,
            EchoesNotCleared = echoes_are_not_cleared,
            // Operations with another meaning.
            StaleRevisionSyncsAll = a_stale_revision_clears_what_is_dirty,
            AbsenceNotJudged = a_record_that_must_be_there_is_made,
            SuccessDropsLease = a_success_ends_the_lease_of_another,
            SyncedAtGoesBack = synced_at_goes_back_with_the_clock,
            SyncedByFailure = synced_at_is_touched_by_a_failure,
            AttemptsDoubled = an_attempt_is_charged_twice,
            AttemptsWrap = attempts_wrap_around_at_their_end,
            FirstFailureForgotten = the_first_failure_is_the_last,
            MetadataWiped = metadata_that_is_omitted_is_wiped,
            MergedDeep = metadata_is_merged_deep,
            RemovedAsNull = removed_metadata_is_null,
            NullRemoves = a_null_that_is_merged_removes_the_key,
            RemovedAfterSet = metadata_is_removed_after_it_was_set,
            IdInherited = a_new_incarnation_inherits_the_external_id,
            IncarnationByClock = an_incarnation_is_the_time_alone,
            IncarnationByCount = an_incarnation_is_a_count_alone,
            DueByLastEdit = a_record_is_due_since_its_last_edit,
            AllEchoesRemoved = every_occurrence_of_an_echo_is_removed,
            FifthEchoKept = a_fifth_echo_is_expected,
            NewEchoDropped = a_new_echo_is_dropped_when_four_are_expected,
            OldIdForgotten = a_superseded_id_is_no_alias,
            AttemptsAbove = a_limit_of_attempts_is_one_higher,
            DueJudgedLate = what_is_due_is_judged_a_millisecond_late,
            // The pull side.
            EchoNotConsumed = an_echo_stays_expected,
            EchoOfAnyContent = any_content_is_an_echo_while_one_is_expected,
            NewsAcceptedUnasked = what_is_seen_counts_as_accepted,
            NewsKeepsBase = news_leaves_the_base,
            NewsNotSeen = news_is_not_noted_as_seen,
            SeenIsForgotten = what_was_seen_does_not_count_until_it_is_accepted,
            BaseIsConflict = the_content_of_the_base_is_a_conflict,
            ConflictNotOpened = a_conflict_is_not_opened,
            ConflictKeepsKind = a_conflict_that_is_found_again_keeps_its_kind,
            ConflictOpenedAgain = a_conflict_that_is_found_again_is_as_of_now,
            AcceptsWhatWasNotSeen = any_version_is_accepted,
            AcceptsAnyLife = an_earlier_life_is_accepted,
            AcceptsToRevision = accepting_clears_what_was_changed_meanwhile,
            ReappearsInOldLife = what_reappears_goes_on_with_its_old_life,
            ResolvesUnguarded = a_decision_ignores_what_moved,
            EncountersTheKnown = what_is_known_is_encountered,
            MergesUnguarded = a_merge_ignores_what_moved,
            AliasDropsOthers = an_alias_takes_the_place_of_the_others,
            SightedOnce = only_the_first_sighting_is_noted,
            MissesUnguarded = what_was_sighted_meanwhile_is_missed,
            EchoExpectedByAnyone = an_echo_is_expected_by_a_stale_holder,
            // Records that the ledger keeps for its own use.
            ReservedCounted = what_is_reserved_is_counted,
            ReservedClaimed = what_is_reserved_is_claimed,
            // Remote versions.
            EqualVersionIsNews = an_equal_version_is_news,
            UnorderedVersionIsNews = an_unordered_version_is_news,
            OlderVersionSet = an_older_version_replaces_a_newer,
            OpaqueVersionsOrdered = opaque_versions_are_ordered_as_text,
            EqualTagsUnordered = equal_opaque_versions_are_unordered,
            TimestampsUnordered = versions_that_are_instants_are_unordered,
            SequencesAsFloats = sequences_are_compared_as_floats,
            // Leases.
            CompletesUnfenced = a_completion_ignores_the_token,
            FailsUnfenced = a_failure_ignores_the_token,
            RenewsUnfenced = a_renewal_ignores_the_token,
            ReleasesUnfenced = a_release_ignores_the_token,
            ExpiredHoldersRefused = a_holder_whose_lease_ran_out_is_refused,
            TokensByCount = a_token_is_a_count_alone_and_used_again_after_a_removal,
            TokensByClock = a_token_is_the_time_alone,
            TokensKeptOnExpiry = a_token_is_used_again_when_a_lease_runs_out,
            RenewedByNewToken = a_renewal_grants_a_new_token,
            RenewedFromItsEnd = a_renewal_runs_from_the_end_of_the_lease,
            // Claims.
            ExpiredStaysDue = a_lease_that_ran_out_stays_due_when_it_is_claimed,
            ExpiredAmongOthers = leases_that_ran_out_are_claimed_together,
            LeaseRunsOutLate = a_lease_runs_out_a_millisecond_late,
            RetryDueLate = a_retry_is_due_a_millisecond_late,
            RetryDueEarly = a_retry_is_due_a_millisecond_early,
            RetriesLast = retries_are_claimed_after_everything_else,
            ClaimedByKey = records_are_claimed_by_key,
            ClaimedNewestFirst = records_of_one_instant_are_claimed_backwards,
            LimitIgnored = a_claim_ignores_its_limit,
            GrantsForgotten = a_repeated_claim_forgets_its_grants,
            GrantsNotCounted = a_repeated_claim_takes_its_limit_again,
            GrantsUnlimited = a_repeated_claim_gets_more_than_its_limit,
            LateCopyGrants = a_late_copy_of_a_claim_grants_again,
            ClaimsUncharged = a_claim_charges_nothing,
            AttemptsUnlimited = a_claim_knows_no_limit_of_attempts,
            DeadLettersUntold = a_claim_keeps_its_dead_letters_to_itself,
            VanishedWithoutDoubt = a_vanished_create_is_not_in_doubt,
            EveryVanishedInDoubt = every_vanished_push_is_in_doubt,
            ClaimsAcrossSources = a_claim_takes_from_sources_whose_name_begins_alike,
            ClaimsByOtherClock = claims_go_by_the_clock_of_the_caller,
            ClockReadOnce = the_time_is_read_when_the_store_is_opened,
            // Pauses.
            PauseIgnored = a_claim_ignores_pauses,
            PauseEndless = a_pause_never_ends,
            PauseEndsLate = a_pause_ends_a_millisecond_late,
            PauseOfAll = a_pause_is_of_every_source,
            PauseNotReplaced = a_pause_is_not_replaced,
            PauseTakesLeases = a_paused_source_repeats_no_grants,
            PauseListed = a_pause_is_listed_as_a_record,
            PauseReasonCut = the_reason_of_a_pause_is_cut,
            // External ids.
            IdsUniqueAcrossTypes = an_external_id_is_unique_across_types,
            IdsUniqueAcrossSources = an_external_id_is_unique_across_sources,
            IdsNotUnique = an_external_id_is_not_unique,
            IdsHeldByTombstones = a_tombstone_holds_its_ids,
            IdsFreedByDeletion = a_deletion_lets_go_before_it_is_pushed,
            IdsFreedUnderLease = a_deletion_lets_go_while_it_is_leased,
            IdsTakenUnasked = a_tombstone_takes_its_ids_back_unasked,
            AliasesNotHeld = an_alias_is_not_held,
            AliasesNotFound = an_alias_leads_nowhere,
            TombstonesNotFound = a_tombstone_is_not_found,
            TombstonesFirst = a_tombstone_is_found_before_the_holder,
            OldestTombstone = the_tombstone_that_was_deleted_first_is_found,
            IdsFolded = external_ids_are_compared_without_case,
            IdsTrimmed = external_ids_are_trimmed,
            IdsNormalised = external_ids_are_compared_in_a_normal_form,
            HolderUntold = who_holds_an_external_id_is_not_told,
            HoldersToldAgain = the_holder_that_was_told_once_is_told_again,
            OldIdStillLeads = an_id_that_was_let_go_still_leads_here,
            // Keys.
            KeysFolded = keys_are_compared_without_case,
            KeysTrimmed = keys_are_trimmed,
            KeysJoined = the_parts_of_a_key_are_joined_by_a_colon,
            SourcesShareRecords = a_second_source_overwrites_the_first,
            NamespacesShared = namespaces_share_their_records,
            // Walks.
            BoundarySkipped = a_record_is_skipped_between_pages,
            BoundaryRepeated = a_record_is_repeated_between_pages,
            OrderedByLocale = keys_are_ordered_without_case,
            PagesByOffset = pages_are_counted_off,
            CursorNeedsRecord = a_cursor_needs_the_record_it_stands_on,
            PagesCutShort = a_page_ends_after_a_hundred_records,
            SourceCursorByPrefix = a_cursor_after_a_source_skips_sources_that_begin_alike,
            DueForgottenWithStatus = a_list_of_a_status_ignores_what_is_due,
            MetadataForgottenWithClaim = a_list_of_a_claim_ignores_metadata,
            NextAfterTheLast = a_full_page_always_has_a_next,
            FilteredAfterwards = a_page_is_filtered_after_it_was_cut,
            StatusOfLeasesOld = the_status_in_lists_is_the_one_before_the_lease,
            DueListedLate = what_is_due_is_listed_a_millisecond_late,
            DueListIgnoresLeases = what_is_leased_is_never_listed_as_due,
            ClaimFilterIgnored = a_list_ignores_the_claim,
            MetadataFilterLoose = a_list_passes_metadata_that_contains_more,
            MetadataFilterAny = a_list_passes_metadata_with_any_of_the_values,
            SourcesFolded = sources_that_differ_by_case_are_listed_once,
            TombstonesHaveNoSource = a_source_of_tombstones_is_not_listed,
            EntityOfOneSource = an_entity_is_found_in_one_source,
            // Imports, removals, renaming.
            PutUnchecked = an_import_takes_ids_of_others,
            PutUnvalidated = an_impossible_record_is_imported,
            PutMerges = an_import_keeps_what_it_does_not_bring,
            TombstonesNotImported = a_tombstone_is_not_imported_while_another_holds_its_id,
            PutCountsVersion = an_import_counts_as_a_write,
            RemoveUnguarded = a_removal_ignores_its_guard,
            AbsentNotRemoved = removing_what_is_absent_is_refused,
            RemovedStillLeads = an_id_of_a_removed_record_still_leads_to_it,
            RemovedStillClaimed = a_removed_record_is_still_claimed,
            RenameLosesAliases = a_renamed_record_loses_its_aliases,
            RenameCopies = a_renamed_record_stays_under_the_old_key,
            RenameOverwrites = a_record_is_renamed_onto_another,
            RenameUnderLease = a_record_is_renamed_under_its_lease,
            RenameTakesIds = a_renamed_record_takes_ids_of_others,
            TombstonesNotRenamed = a_tombstone_is_not_renamed_while_another_holds_its_id,
            RenameUncounted = renaming_counts_as_no_write,
            // Numbers.
            RemovedStillCounted = a_removed_record_is_still_counted,
            ReplacedCountedTwice = an_import_over_a_record_is_counted_twice,
            LeasedWaitsLongest = what_is_leased_counts_as_waiting,
            NextDueUnleased = the_next_due_forgets_leases,
            NextDueIsNow = what_is_due_now_is_called_the_next,
            AllSourcesCounted = statistics_are_of_all_sources,
            // Batches.
            BatchAnsweredByKey = a_batch_is_answered_in_the_order_of_keys,
            BatchStops = a_batch_stops_at_the_first_refusal,
            BatchAllOrNothing = a_batch_with_a_refusal_has_no_effect,
            EmptyBatchFails = an_empty_batch_is_an_error,
            BatchBackwards = a_batch_is_applied_backwards,
            BatchReadFirst = a_batch_is_read_before_it_is_written,
            BatchesCutShort = a_batch_is_applied_up_to_its_hundredth_item,
            RecordsReadByKey = many_records_are_read_in_the_order_of_all_keys,
            IdsReadInOrder = many_external_ids_are_answered_in_the_order_of_ids,
            IdsReadOnce = many_external_ids_leave_out_what_is_not_found,
            // What is stored.
            ArraysAsObjects = an_empty_array_comes_back_as_an_object,
            NullsDropped = nulls_in_metadata_are_dropped,
            IntegersAsFloats = integers_in_metadata_come_back_as_floats,
            SequencesRounded = sequences_are_stored_as_floats,
            InstantsInSeconds = instants_are_kept_in_seconds,
            EarlyInstantsRoundedUp = instants_before_1970_are_rounded_up,
            AttemptsInFewBits = attempts_are_kept_in_31_bits,
            AliasesSorted = aliases_come_back_sorted,
            EchoesAsSet = echoes_come_back_as_a_set,
            IdsCut = long_external_ids_are_cut,
            VersionsCut = long_opaque_versions_are_cut,
            MessagesCut = long_messages_are_cut,
            MetadataBounded = metadata_that_adds_up_is_lost,
            CodesLost = the_code_of_a_failure_is_lost,
            MessagesTrimmed = messages_are_trimmed,
            SpansInFewBits = spans_are_kept_in_31_bits,
            // Fast paths of rules: local changes.
            UpdateInsertsCreation = an_update_that_makes_a_record_is_kept_as_a_creation,
            UpdateWakesRetry = an_update_makes_a_failed_record_due,
            UpdateForgetsFailure = an_update_that_puts_back_forgets_the_failure,
            UpdateKeepsDismissal = an_update_leaves_what_is_dismissed,
            DirtySinceBirth = an_update_of_what_was_synced_waits_since_the_creation,
            DeletionDueSinceBirth = a_deletion_waits_since_the_creation,
            UndoneByCreationUnbound = a_creation_that_undoes_a_deletion_forgets_the_id,
            UndoneByRestorationUnbound = a_restoration_that_undoes_a_deletion_forgets_the_id,
            MetadataInherited = a_new_life_inherits_metadata,
            RestoredSyncedAtKept = a_restored_life_keeps_when_it_was_synced,
            NothingRestored = what_has_no_record_is_restored,
            // Fast paths of rules: successes.
            ConflictUnjudged = marking_as_synced_ignores_a_conflict,
            IncarnationUnjudged = marking_a_revision_as_synced_ignores_the_incarnation,
            FactsWiped = marking_as_synced_wipes_what_it_omits,
            NothingReplacesNothing = metadata_replaced_by_none_is_kept,
            FailureKeptBySuccess = marking_as_synced_keeps_the_failure,
            LeaseCutBySuccess = marking_as_synced_ends_the_time_of_a_lease,
            StaleFactsDropped = what_a_completion_tells_is_dropped_if_the_record_stays_dirty,
            OvertakenForgotten = a_push_that_was_overtaken_is_not_pushed_again,
            OvertakenDeletionForgotten = a_push_overtaken_by_a_deletion_is_not_followed,
            DeletedThereAsHere = a_deletion_is_in_the_remote_since_it_was_local,
            RebornBound = what_was_restored_during_its_delete_keeps_the_id,
            DeletionSettlesItsRevision = a_delete_settles_only_its_own_revision,
            ReadReportDropsLease = marking_a_revision_as_synced_ends_a_lease,
            TombstoneMoved = marking_a_tombstone_as_synced_deletes_it_anew,
            SuccessHolderUntold = a_success_is_not_told_who_holds_the_id,
            SuccessLeavesRecord = a_success_with_a_taken_id_leaves_a_record,
            // Fast paths of rules: bindings.
            LinkOverwrites = a_link_replaces_another_id,
            LinkMakesRecord = a_link_makes_a_record,
            RebindOfUnbound = a_rebinding_ignores_that_nothing_is_bound,
            TombstoneBound = a_tombstone_is_bound,
            BindRequeues = binding_goes_to_the_end_of_the_queue,
            BindEndsLease = binding_ends_a_lease,
            BoundInDoubt = what_is_bound_stays_in_doubt,
            BornUnbound = an_id_given_with_a_new_life_is_lost,
            AliasesUnasked = an_alias_is_added_whoever_holds_it,
            AliasesOverflow = an_alias_too_many_is_dropped_without_a_word,
            // Fast paths of rules: failures.
            WaitsOfASecond = no_wait_is_shorter_than_a_second,
            LastWaitRepeated = the_last_wait_of_a_schedule_is_repeated,
            GivenBackOnce = a_throttled_attempt_is_given_back_once,
            HeldSinceDue = a_dead_letter_is_held_since_it_was_due,
            DoubtSettledByFailure = a_transient_failure_settles_a_doubt,
            FailureUnsyncs = a_failure_forgets_what_was_synced,
            FirstFailureReplacedUnderLease = the_first_failure_of_a_push_is_the_last,
            InsertedFailureUncharged = a_failure_that_makes_a_record_charges_nothing,
            EveryUnknownInDoubt = every_unknown_outcome_is_in_doubt,
            FailureTakesLease = a_failure_ends_the_lease_of_another,
            TombstoneFails = a_tombstone_fails,
            FailedDeletionPushed = a_failed_create_is_deleted_in_the_remote,
            // Fast paths of rules: the rest.
            ReleasedDeletionPushed = a_create_given_back_is_deleted_in_the_remote,
            ReleaseRequeues = what_is_given_back_goes_to_the_end_of_the_queue,
            ExpiredNotRenewed = what_ran_out_is_not_renewed,
            DeletedNotRenewed = a_lease_of_what_was_deleted_is_not_renewed,
            RenewedAgain = a_repeated_renewal_runs_longer,
            RedriveForgetsFailure = redriving_forgets_the_failure,
            NothingNewRedriven = redriving_what_is_clean_pushes_nothing,
            RedriveEndsLease = redriving_ends_a_lease,
            TombstoneRedriven = a_tombstone_is_redriven,
            TombstoneDismissed = a_tombstone_is_dismissed,
            DoubtlessDeletionPushed = what_is_not_there_is_deleted_in_the_remote,
            DoubtSettledUnderLease = a_doubt_is_settled_for_its_holder_too,
            HoldsJudgedBeforehand = a_hold_is_judged_before_the_write,
            // What is not there.
            NothingHasConflict = what_is_not_there_does_not_lack_a_conflict,
            NoBaseDiffersFromNone = a_missing_base_does_not_differ,
            RingEndsWithLife = a_restoration_forgets_changes_of_the_earlier_life,
            // Further mistakes of claims, imports, removals and batches.
            GrantsRunOut = a_repeated_claim_gets_leases_that_ran_out,
            ExpiredClaimedFirst = leases_that_ran_out_are_claimed_first,
            PauseSinceRead = a_pause_begins_when_it_is_read,
            AliasesUncheckedByPut = an_import_checks_no_aliases,
            ImportsNotQueued = what_is_imported_is_not_claimed,
            RenamedToItself = renaming_to_itself_is_refused,
            PurgesPending = a_removal_ignores_what_is_to_be_pushed,
            PurgesLive = a_removal_ignores_that_nothing_was_deleted,
            LeasesOutliveRemoval = what_is_born_again_has_the_lease_of_what_was_removed,
            AliasesOfImportsLost = an_alias_of_what_is_imported_leads_nowhere,
            SourcesBackwards = sources_are_listed_backwards,
            EntityByIdAlone = an_entity_is_found_whatever_its_type,
            BatchesExclude = a_batch_that_meets_another_fails,
        }
    };
}
pub(crate) use with_bugs;

macro_rules! bugs {
    ($($bug:ident = $sentence:ident,)*) => {
        /// What is wrong with a store; just that.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Bug {
            $($bug,)*
        }

        impl Bug {
            pub(crate) const ALL: &[Self] = &[$(Self::$bug,)*];

            /// Whether it shows only when calls come between each other.
            pub(crate) fn is_a_race(self) -> bool {
                matches!(
                    self,
                    Self::GuardsJudgedBeforehand
                        | Self::IdsCheckedBeforehand
                        | Self::ClaimsChosenBeforehand
                        | Self::ImportsCheckedBeforehand
                        | Self::RemovalsJudgedBeforehand
                        | Self::RenamedLater
                        | Self::DroppedCallsTorn
                        | Self::HoldersReadBeforehand
                        | Self::RebindsCheckedBeforehand
                        | Self::IdsLetGoFirst
                        | Self::ReplaysJudgedBeforehand
                        | Self::RingReadBeforehand
                        | Self::ExpiredChosenBeforehand
                        | Self::PagesReadInTwo
                        | Self::ResolvesUnguarded
                        | Self::HoldsJudgedBeforehand
                        | Self::BatchesExclude
                )
            }

            /// The bug as a sentence.
            pub(crate) fn sentence(self) -> &'static str {
                match self {
                    $(Self::$bug => stringify!($sentence),)*
                }
            }
        }
    };
}
with_bugs!(bugs);
