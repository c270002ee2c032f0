//! Bugs of fast paths: a store may know a rule by its shape and carry it out by a statement of its
//! own. Each of these forgets one thing, in one rule.

use sync_tracker_core::{
    Arm, AttemptsOp, Change, ExternalIdDemand, ExternalIdOp, FactOp, FailureClass, FailureOp,
    FlagOp, Guard, HeldKind, HeldOp, IncarnationOp, InstantOp, LeaseOp, MetadataOp, Millis, Patch,
    RetryOp, Revision, RevisionOp, SyncRecord, SyncedAtOp, SyncedRevisionOp, Timestamp, Token,
    rules,
};

use crate::bug::Bug;
use crate::effect;

/// What a patch is the patch of, as far as it can be told by what it does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Update,
    Delete,
    /// The deletion is undone, or a new life begins.
    Restore,
    Mark,
    MarkTo,
    Complete,
    CompleteDelete,
    Fail,
    MarkFailed,
    Release,
    /// A push that left nothing ends, and the entity was deleted.
    NeverCreated,
    Renew,
    Bind,
    Redrive,
    Dismiss,
    NotThere,
    Other,
}

fn rule(then: &Patch) -> Rule {
    let drops = then.lease == LeaseOp::Drop;
    let resets = then.attempts == AttemptsOp::Reset;
    if then.synced_at == SyncedAtOp::Now && resets {
        return match (drops, &then.remote_deleted_at, &then.synced_revision) {
            (true, InstantOp::Clear, _) => Rule::Complete,
            (true, ..) => Rule::CompleteDelete,
            (false, _, SyncedRevisionOp::Max(_)) => Rule::MarkTo,
            (false, ..) => Rule::Mark,
        };
    }
    match then {
        Patch { failure: FailureOp::Note(_), .. } if drops => Rule::Fail,
        Patch { failure: FailureOp::Note(_), retry_at, .. } if *retry_at != RetryOp::Keep => {
            Rule::MarkFailed
        }
        Patch { deleted_at: InstantOp::Now, .. } if resets => Rule::Delete,
        Patch { deleted_at: InstantOp::Clear, .. } if resets => Rule::Restore,
        Patch { updated_at: InstantOp::Now, revision: RevisionOp::Next, .. } => Rule::Update,
        Patch { lease: LeaseOp::Renew { .. }, .. } => Rule::Renew,
        Patch { failure: FailureOp::Clear, .. } if drops && resets => Rule::NeverCreated,
        Patch { attempts: AttemptsOp::GiveBack, .. } if drops => Rule::Release,
        Patch { external_id: ExternalIdOp::Set(_), in_doubt: FlagOp::Clear, .. } => Rule::Bind,
        Patch { in_doubt: FlagOp::Clear, .. } => Rule::NotThere,
        Patch { held: HeldOp::Clear, .. } if resets => Rule::Redrive,
        Patch { held: HeldOp::Dismissed, retry_at: RetryOp::Clear, .. } => Rule::Dismiss,
        _ => Rule::Other,
    }
}

/// Loses a demand of a rule.
pub(crate) fn demand(bug: Bug, change: &Change, arm: &mut Arm, before: Option<&SyncRecord>) {
    let Arm { when, then } = arm;
    let rule = rule(then);
    let tombstone = before.is_some_and(SyncRecord::is_tombstone);
    let unbound = before.is_some_and(|before| before.external_id.is_none());
    let linked = rule == Rule::Bind && change.arms().len() == 2;
    match (bug, rule) {
        (Bug::NothingRestored, Rule::Restore)
            if before.is_none() && change.arms().len() == rules::restored().arms().len() =>
        {
            when.deleted = None;
            when.dirty = None;
        }
        (Bug::ConflictUnjudged, Rule::Mark) => when.conflict = None,
        (Bug::IncarnationUnjudged, Rule::MarkTo) => {
            when.incarnation = None;
            when.exists = Some(true);
        }
        (Bug::LinkOverwrites, Rule::Bind)
            if linked && matches!(when.external_id, Some(ExternalIdDemand::FreeOr(_))) =>
        {
            when.external_id = None;
        }
        (Bug::LinkMakesRecord, Rule::Bind) if linked && before.is_none() => {
            if let Some(ExternalIdDemand::FreeOr(_)) = when.external_id {
                when.exists = None;
                then.revision = RevisionOp::Next;
                when.deleted = None;
                when.dirty = None;
            }
        }
        (Bug::RebindOfUnbound, Rule::Bind)
            if unbound && matches!(when.external_id, Some(ExternalIdDemand::Is(_))) =>
        {
            when.external_id = None;
        }
        (Bug::TombstoneBound, Rule::Bind) if tombstone => {
            when.deleted = None;
            when.dirty = None;
        }
        (Bug::TombstoneFails, Rule::MarkFailed) | (Bug::TombstoneDismissed, Rule::Dismiss)
            if tombstone =>
        {
            when.deleted = None;
            when.dirty = None;
        }
        (Bug::TombstoneRedriven, Rule::Redrive) if tombstone => when.held = None,
        (Bug::DoubtSettledUnderLease, Rule::NotThere) => when.leased = None,
        (Bug::DeletedNotRenewed, Rule::Renew)
            if when.token.is_some() && before.is_some_and(SyncRecord::is_deleted) =>
        {
            when.token = Some(Token::MAX);
        }
        _ => {}
    }
}

/// Refuses a holder that renews its lease after that ran out.
pub(crate) fn late(bug: Bug, arm: &mut Arm, before: Option<&SyncRecord>, now: Timestamp) {
    let run_out =
        before.and_then(|before| before.lease.as_ref()).is_some_and(|lease| lease.until <= now);
    let renews = rule(&arm.then) == Rule::Renew && arm.when.token.is_some();
    if bug == Bug::ExpiredNotRenewed && run_out && renews {
        arm.when.token = Some(Token::MAX);
    }
}

/// What the fast path of a rule makes of the record, which should have become `next`.
pub(crate) fn spoiled(
    bug: Bug,
    change: &Change,
    then: &Patch,
    before: Option<&SyncRecord>,
    now: Timestamp,
    next: &mut SyncRecord,
) {
    let rule = rule(then);
    local(bug, rule, change, then, before, next);
    success(bug, rule, then, before, now, next);
    failure(bug, rule, then, before, now, next);
    held(bug, rule, change, before, next);
    others(bug, rule, then, before, now, next);
}

fn local(
    bug: Bug,
    rule: Rule,
    change: &Change,
    then: &Patch,
    before: Option<&SyncRecord>,
    next: &mut SyncRecord,
) {
    let restored = change.arms().len() == rules::restored().arms().len();
    let born = then.incarnation == IncarnationOp::Next;
    match (bug, rule, before) {
        (Bug::UpdateInsertsCreation, Rule::Update, None) => next.updated_at = None,
        (Bug::UpdateWakesRetry, Rule::Update, Some(_)) => next.retry_at = None,
        (Bug::UpdateForgetsFailure, Rule::Update, Some(before)) if before.held.is_some() => {
            next.failure = None;
        }
        (Bug::UpdateKeepsDismissal, Rule::Update, Some(before))
            if before.held.is_some_and(|held| held.kind == HeldKind::Dismissed) =>
        {
            next.held = before.held;
        }
        (Bug::DirtySinceBirth, Rule::Update, Some(before)) if !before.is_dirty() => {
            next.pending_since = Some(before.created_at);
        }
        (Bug::DeletionDueSinceBirth, Rule::Delete, Some(before)) if !before.is_dirty() => {
            next.pending_since = next.pending_since.and(Some(before.created_at));
        }
        (Bug::UndoneByCreationUnbound, Rule::Restore, _) if !restored => next.external_id = None,
        (Bug::UndoneByRestorationUnbound, Rule::Restore, _) if restored => {
            next.external_id = None;
        }
        (Bug::MetadataInherited, Rule::Restore, Some(before)) if born => {
            next.metadata = before.metadata.clone();
        }
        (Bug::RingEndsWithLife, Rule::Restore, Some(_)) if born && restored => {
            effect::remember(next, 1);
        }
        (Bug::RestoredSyncedAtKept, Rule::Restore, Some(before)) if born && restored => {
            next.synced_at = before.synced_at;
        }
        _ => {}
    }
}

fn success(
    bug: Bug,
    rule: Rule,
    then: &Patch,
    before: Option<&SyncRecord>,
    now: Timestamp,
    next: &mut SyncRecord,
) {
    let Some(before) = before else { return };
    let overtaken = then.revision == RevisionOp::Next;
    match (bug, rule) {
        (Bug::FactsWiped, Rule::Mark) if then.base == FactOp::Keep => {
            (next.base, next.remote_version) = (None, None);
        }
        (Bug::NothingReplacesNothing, Rule::Mark) => {
            if let MetadataOp::Replace(nothing) = &then.metadata
                && nothing.is_empty()
            {
                next.metadata = before.metadata.clone();
            }
        }
        (Bug::FailureKeptBySuccess, Rule::Mark) => next.failure = before.failure.clone(),
        (Bug::LeaseCutBySuccess, Rule::Mark) => {
            next.lease.iter_mut().for_each(|lease| lease.until = now);
        }
        (Bug::StaleFactsDropped, Rule::Complete) if next.is_dirty() => {
            next.external_id = before.external_id.clone();
        }
        (Bug::OvertakenForgotten, Rule::Complete) if overtaken && !before.is_deleted() => {
            next.revision = before.revision;
            next.pending_since = None;
        }
        (Bug::OvertakenDeletionForgotten, Rule::Complete) if overtaken && before.is_deleted() => {
            next.revision = before.revision;
            next.pending_since = None;
        }
        (Bug::DeletedThereAsHere, Rule::CompleteDelete)
            if then.remote_deleted_at == InstantOp::Now =>
        {
            next.remote_deleted_at = next.deleted_at;
        }
        (Bug::RebornBound, Rule::CompleteDelete) if then.incarnation == IncarnationOp::Next => {
            next.external_id = before.external_id.clone();
        }
        (Bug::DeletionSettlesItsRevision, Rule::CompleteDelete)
            if before.is_deleted() && before.revision.get() > before.synced_revision.get() + 1 =>
        {
            next.synced_revision = Revision::new(before.revision.get() - 1).expect("within range");
            next.pending_since = Some(now);
        }
        (Bug::ReadReportDropsLease, Rule::MarkTo) => next.lease = None,
        (Bug::TombstoneMoved, Rule::Mark) if before.is_tombstone() => next.deleted_at = Some(now),
        _ => {}
    }
}

fn failure(
    bug: Bug,
    rule: Rule,
    then: &Patch,
    before: Option<&SyncRecord>,
    now: Timestamp,
    next: &mut SyncRecord,
) {
    let FailureOp::Note(note) = &then.failure else { return };
    if !matches!(rule, Rule::Fail | Rule::MarkFailed) {
        return;
    }
    let leased = rule == Rule::Fail;
    let known = before.is_some_and(SyncRecord::is_known);
    match bug {
        Bug::WaitsOfASecond => {
            let second = now.plus(Millis::new(1_000).expect("a second"));
            next.retry_at = next.retry_at.map(|retry_at| retry_at.max(second));
        }
        Bug::LastWaitRepeated if leased => {
            if let RetryOp::Table(_) = then.retry_at
                && next.retry_at.is_none()
            {
                next.held = None;
                next.retry_at = Some(now.plus(Millis::new(10_000).expect("ten seconds")));
            }
        }
        Bug::GivenBackOnce if leased && note.class() == FailureClass::Throttled => {
            let again = before.and_then(|before| before.failure.as_ref());
            if again.is_some_and(|last| last.class == FailureClass::Throttled) {
                next.attempts += 1;
            }
        }
        Bug::HeldSinceDue if note.class() == FailureClass::Permanent => {
            if let (Some(held), Some(since)) = (&mut next.held, next.pending_since) {
                held.since = since;
            }
        }
        Bug::DoubtSettledByFailure if leased && note.class() == FailureClass::Transient => {
            next.in_doubt = false;
        }
        Bug::FailureUnsyncs if leased && known => {
            next.synced_revision = Revision::ZERO;
        }
        Bug::FirstFailureReplacedUnderLease if leased => {
            next.failure.iter_mut().for_each(|failure| failure.first_at = failure.last_at);
        }
        Bug::InsertedFailureUncharged if before.is_none() && !leased => next.attempts = 0,
        Bug::EveryUnknownInDoubt if !leased && note.class() == FailureClass::Unknown => {
            next.in_doubt = true;
        }
        Bug::FailureTakesLease if !leased => next.lease = None,
        _ => {}
    }
}

fn held(bug: Bug, rule: Rule, change: &Change, before: Option<&SyncRecord>, next: &mut SyncRecord) {
    let Some(before) = before else { return };
    let after = |first: fn(&Patch) -> bool| change.arms().iter().any(|arm| first(&arm.then));
    match (bug, rule) {
        (Bug::RedriveForgetsFailure, Rule::Redrive) => next.failure = None,
        (Bug::NothingNewRedriven, Rule::Redrive) if !before.is_dirty() => {
            next.revision = before.revision;
            next.pending_since = None;
        }
        (Bug::RedriveEndsLease, Rule::Redrive) => next.lease = None,
        (Bug::DoubtlessDeletionPushed, Rule::NotThere) => {
            next.synced_revision = before.synced_revision;
            next.pending_since = before.pending_since;
        }
        (Bug::FailedDeletionPushed, Rule::NeverCreated)
            if after(|then| matches!(then.failure, FailureOp::Note(_))) =>
        {
            next.synced_revision = before.synced_revision;
            next.pending_since = before.pending_since;
        }
        (Bug::ReleasedDeletionPushed, Rule::NeverCreated)
            if after(|then| then.attempts == AttemptsOp::GiveBack)
                && !after(|then| matches!(then.failure, FailureOp::Note(_))) =>
        {
            next.synced_revision = before.synced_revision;
            next.pending_since = before.pending_since;
        }
        _ => {}
    }
}

fn others(
    bug: Bug,
    rule: Rule,
    then: &Patch,
    before: Option<&SyncRecord>,
    now: Timestamp,
    next: &mut SyncRecord,
) {
    let bound = matches!(then.external_id, ExternalIdOp::Set(_) | ExternalIdOp::Supersede(_));
    match (bug, rule) {
        (Bug::BindRequeues, Rule::Bind) if next.is_dirty() => next.pending_since = Some(now),
        (Bug::BindEndsLease, Rule::Bind) => next.lease = None,
        (Bug::BoundInDoubt, Rule::Bind) => {
            next.in_doubt = before.is_some_and(|before| before.in_doubt);
        }
        (Bug::ReleaseRequeues, Rule::Release) if next.is_dirty() => next.pending_since = Some(now),
        (Bug::BornUnbound, _) if bound && then.incarnation == IncarnationOp::Next => {
            next.external_id = None;
        }
        _ => {}
    }
    let longest = now.plus(Millis::new(u64::from(i32::MAX.unsigned_abs())).expect("24 days"));
    if bug == Bug::SpansInFewBits {
        if let LeaseOp::Grant { .. } | LeaseOp::Renew { .. } = then.lease {
            next.lease.iter_mut().for_each(|lease| lease.until = lease.until.min(longest));
        }
        if let RetryOp::After(_) = then.retry_at {
            next.retry_at = next.retry_at.map(|retry_at| retry_at.min(longest));
        }
    }
}

/// Demands that a server answers by its own logic of what is not there.
pub(crate) fn of_nothing(bug: Bug, when: &mut Guard, before: Option<&SyncRecord>) {
    match (bug, before) {
        (Bug::NothingHasConflict, None) if when.conflict == Some(false) => {
            when.exists = Some(true);
        }
        (Bug::NoBaseDiffersFromNone, Some(before))
            if before.base.is_none() && when.base_differs.is_some() =>
        {
            when.version = Some(sync_tracker_core::Version::MAX);
        }
        _ => {}
    }
}

/// Whether the change is one that takes a hold or gives it back.
pub(crate) fn is_about_holding(change: &Change) -> bool {
    let holds = |arm: &Arm| matches!(rule(&arm.then), Rule::Redrive | Rule::Dismiss);
    change.arms().iter().any(holds)
}

/// Whether it is a renewal.
pub(crate) fn is_renewal(change: &Change) -> bool {
    change.arms().iter().any(|arm| rule(&arm.then) == Rule::Renew)
}

/// Whether it asserts a success without a lease.
pub(crate) fn is_assertion(change: &Change) -> bool {
    change.arms().iter().any(|arm| rule(&arm.then) == Rule::Mark)
}
