//! Bugs in what a change demands and does, as another change.

use sync_tracker_core::{
    Arm, AttemptsOp, Change, ConflictOp, EchoesOp, ExternalIdOp, FailureOp, FlagOp, Guard, HeldOp,
    InstantOp, LeaseOp, Metadata, MetadataOp, Patch, RemoteDemand, RetryOp, SyncRecord, SyncedAtOp,
    SyncedRevisionOp, Timestamp, Version,
};

use crate::bug::Bug;
use crate::fast;
use crate::inbound;
use crate::version;

/// The change that the store carries out in place of this one.
pub(crate) fn rewritten(
    bug: Option<Bug>,
    change: &Change,
    before: Option<&SyncRecord>,
    now: Timestamp,
) -> Change {
    let Some(bug) = bug else { return change.clone() };
    let arms: Vec<_> = change
        .arms()
        .iter()
        .cloned()
        .map(|mut arm| {
            demand(bug, &mut arm, before, now);
            fast::demand(bug, change, &mut arm, before);
            fast::late(bug, &mut arm, before, now);
            fast::of_nothing(bug, &mut arm.when, before);
            inbound::demand(bug, &mut arm.when, &arm.then, before);
            inbound::alter(bug, &arm.when, &mut arm.then, before);
            lose_clear(bug, &mut arm.then);
            alter(bug, &mut arm.then);
            arm
        })
        .collect();
    Change::new(arms).expect("as many arms").with_id(change.id())
}

fn demand(bug: Bug, arm: &mut Arm, before: Option<&SyncRecord>, now: Timestamp) {
    let Arm { when, then } = arm;
    let unfenced = match bug {
        Bug::CompletesUnfenced => then.synced_at == SyncedAtOp::Now,
        Bug::FailsUnfenced => matches!(then.failure, FailureOp::Note(_)),
        Bug::RenewsUnfenced => matches!(then.lease, LeaseOp::Renew { .. }),
        Bug::ReleasesUnfenced => {
            then.attempts == AttemptsOp::GiveBack && then.failure == FailureOp::Keep
        }
        _ => false,
    };
    if bug == Bug::AbsenceNotJudged && before.is_none() && when.exists == Some(true) {
        when.exists = None;
    }
    if bug == Bug::AttemptsAbove {
        when.attempts_at_least = when.attempts_at_least.map(|least| least.saturating_add(1));
    }
    // Claims have bugs of their own.
    if bug == Bug::DueJudgedLate
        && then.lease == LeaseOp::Keep
        && before.is_some_and(|before| before.due_at() == Some(now))
    {
        when.due = when.due.map(|due| !due);
    }
    let ran_out =
        before.and_then(|before| before.lease.as_ref()).is_some_and(|lease| lease.until <= now);
    if unfenced {
        when.token = None;
    }
    if bug == Bug::ExpiredHoldersRefused && when.token.is_some() && ran_out {
        when.token = Some(sync_tracker_core::Token::MAX);
    }
    if let Some(RemoteDemand::NewerThanAccepted(version)) = &when.remote
        && let Some(before) = before
        && let Some(is_news) = version::is_news(bug, version, before)
    {
        let demand = Guard { remote: when.remote.clone(), ..Guard::default() };
        match (is_news, demand.holds(Some(before), now)) {
            (true, false) => when.remote = None,
            (false, true) => when.version = Some(Version::MAX),
            _ => {}
        }
    }
}

fn lose_clear(bug: Bug, then: &mut Patch) {
    match bug {
        Bug::IdNotCleared if then.external_id == ExternalIdOp::Clear => {
            then.external_id = ExternalIdOp::Keep;
        }
        Bug::RetryNotCleared if then.retry_at == RetryOp::Clear => then.retry_at = RetryOp::Keep,
        Bug::FailureNotCleared if then.failure == FailureOp::Clear => {
            then.failure = FailureOp::Keep;
        }
        Bug::HoldNotCleared if then.held == HeldOp::Clear => then.held = HeldOp::Keep,
        Bug::DoubtNotCleared if then.in_doubt == FlagOp::Clear => then.in_doubt = FlagOp::Keep,
        Bug::ConflictNotCleared if then.conflict == ConflictOp::Clear => {
            then.conflict = ConflictOp::Keep;
        }
        Bug::DeletionNotCleared if then.deleted_at == InstantOp::Clear => {
            then.deleted_at = InstantOp::Keep;
        }
        Bug::SyncedAtNotCleared if then.synced_at == SyncedAtOp::Clear => {
            then.synced_at = SyncedAtOp::Keep;
        }
        Bug::EchoesNotCleared if then.echoes == EchoesOp::Clear => then.echoes = EchoesOp::Keep,
        _ => {}
    }
}

fn alter(bug: Bug, then: &mut Patch) {
    let grants = matches!(then.lease, LeaseOp::Grant { .. });
    match (bug, &then.synced_revision, &then.external_id) {
        (Bug::StaleRevisionSyncsAll, SyncedRevisionOp::Max(_), _) => {
            then.synced_revision = SyncedRevisionOp::ToRevision;
        }
        (Bug::OldIdForgotten, _, ExternalIdOp::Supersede(id)) => {
            then.external_id = ExternalIdOp::Set(id.clone());
        }
        (Bug::SyncedByFailure, ..) if matches!(then.failure, FailureOp::Note(_)) => {
            then.synced_at = SyncedAtOp::Now;
        }
        (Bug::MetadataWiped, ..)
            if then.synced_at == SyncedAtOp::Now && then.metadata == MetadataOp::Keep =>
        {
            then.metadata = MetadataOp::Replace(Metadata::default());
        }
        (Bug::SuccessDropsLease, ..) if then.synced_at == SyncedAtOp::Now => {
            then.lease = LeaseOp::Drop;
        }
        (Bug::ClaimsUncharged, ..) if grants => then.attempts = AttemptsOp::Keep,
        (Bug::VanishedWithoutDoubt, ..) if grants => then.in_doubt = FlagOp::Keep,
        _ => {}
    }
}
