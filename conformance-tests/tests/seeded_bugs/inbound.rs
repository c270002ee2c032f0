//! Bugs of the pull side: in what an observation, its acceptance, or a decision demands and does.

use sync_tracker_core::{
    AliasesOp, ConflictKind, ConflictOp, EchoesOp, ExternalIdDemand, ExternalIdOp, FactOp, Guard,
    IncarnationOp, InstantOp, Patch, RemoteDemand, SyncRecord, SyncedRevisionOp,
};

use crate::bug::Bug;

/// Whether it is a version that is to be accepted after the local write.
fn accepts(when: &Guard) -> bool {
    when.conflict == Some(false)
        && when.incarnation.is_some()
        && matches!(when.external_id, Some(ExternalIdDemand::Is(_)))
}

/// Whether it is what an observation of the object demands.
fn observes(when: &Guard) -> bool {
    when.conflict.is_none()
        && when.deleted.is_some()
        && matches!(when.external_id, Some(ExternalIdDemand::Is(_)))
}

/// Loses a demand, or makes it another one.
pub(crate) fn demand(bug: Bug, when: &mut Guard, then: &Patch, before: Option<&SyncRecord>) {
    let first_echo = before.and_then(|before| before.echoes.first());
    match bug {
        Bug::EchoOfAnyContent if when.echo.is_some() => {
            when.echo = first_echo.cloned().or_else(|| when.echo.take());
        }
        Bug::EchoExpectedByAnyone if matches!(then.echoes, EchoesOp::Push(_)) => {
            when.token = None;
        }
        Bug::SeenIsForgotten => {
            let accepted = before.and_then(|before| before.remote_version.as_ref());
            if let (Some(RemoteDemand::NewerThanAccepted(version)), Some(accepted)) =
                (&when.remote, accepted)
                && version.order(accepted) == sync_tracker_core::VersionOrder::Newer
            {
                when.remote = None;
            }
        }
        Bug::BaseIsConflict if matches!(then.conflict, ConflictOp::Open(_)) => {
            when.base_differs = None;
        }
        Bug::AcceptsWhatWasNotSeen if accepts(when) => when.remote = None,
        Bug::AcceptsAnyLife if accepts(when) => when.incarnation = None,
        Bug::ResolvesUnguarded if when.conflict == Some(true) => when.version = None,
        Bug::EncountersTheKnown
            if when.known == Some(false) && then.external_id != ExternalIdOp::Keep =>
        {
            when.known = None;
            when.external_id = None;
        }
        Bug::MergesUnguarded
            if then.aliases != AliasesOp::Keep
                || then.conflict == ConflictOp::Open(ConflictKind::IdCollision) =>
        {
            when.version = None;
        }
        Bug::MissesUnguarded if then.remote_deleted_at == InstantOp::NowIfNone => {
            when.version = None;
        }
        _ => {}
    }
}

/// Loses an operation, or makes it another one.
pub(crate) fn alter(bug: Bug, when: &Guard, then: &mut Patch, before: Option<&SyncRecord>) {
    let is_news = observes(when) && then.remote_seen != FactOp::Keep;
    let open = before.and_then(|before| before.conflict);
    match bug {
        Bug::EchoNotConsumed if when.echo.is_some() => then.echoes = EchoesOp::Keep,
        Bug::NewsAcceptedUnasked if is_news => then.remote_version = then.remote_seen.clone(),
        Bug::NewsKeepsBase if is_news && then.base == FactOp::Clear => then.base = FactOp::Keep,
        Bug::NewsNotSeen if is_news => then.remote_seen = FactOp::Keep,
        Bug::ConflictNotOpened if observes(when) => then.conflict = ConflictOp::Keep,
        Bug::ConflictKeepsKind => {
            if let (ConflictOp::Open(_), Some(open)) = (&then.conflict, open) {
                then.conflict = ConflictOp::Open(open.kind);
            }
        }
        Bug::AcceptsToRevision if accepts(when) => {
            if let SyncedRevisionOp::Max(_) = then.synced_revision {
                then.synced_revision = SyncedRevisionOp::ToRevision;
            }
        }
        Bug::ReappearsInOldLife if accepts(when) => then.incarnation = IncarnationOp::Keep,
        Bug::SightedOnce if then.sighted_at == InstantOp::Now => {
            then.sighted_at = InstantOp::NowIfNone;
        }
        _ => {}
    }
}
