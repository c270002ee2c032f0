//! Accepting the remote: its state is here now.

use super::observe::gone;
use crate::change::{
    Arm, Change, ExternalIdDemand, ExternalIdOp, FactOp, Guard, IncarnationOp, InstantOp, Patch,
    RemoteDemand, RevisionOp, SyncedAtOp, SyncedRevisionOp,
};
use crate::counter::{Incarnation, Revision};
use crate::key::ExternalId;
use crate::observation::RemoteState;
use crate::remote::RemoteVersion;

/// Notes that what was observed in the remote was taken over, **after** the local write.
///
/// - Content: the version is accepted, and the content is the base. What was changed locally after
///   `revision` stays to be pushed. An entity that is deleted here, and whose deletion is in the
///   remote, begins a new incarnation with this object: it was restored there.
/// - A deletion: a tombstone. Refused if the entity was changed after `revision`
///   ([`RevisionMoved`](crate::Refusal::RevisionMoved)): observe again, that is a conflict.
///
/// Refused as well if the remote moved on ([`RemoteMoved`](crate::Refusal::RemoteMoved)), if a
/// conflict is open, if the record is of another incarnation, or has another external id. Repeating
/// it changes nothing.
///
/// It does not fence the local write: two pulls of one object at the same time write in any order.
/// Accept within the transaction of the local write, or let one task pull an object at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The id of the object.
    pub external_id: ExternalId,
    /// The incarnation that was observed.
    pub incarnation: Incarnation,
    /// The local revision that the local write was based on.
    pub revision: Revision,
    /// The version that was observed last.
    pub version: Option<RemoteVersion>,
    /// What was taken over.
    pub state: RemoteState,
}

impl Accept {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        let seen = Guard {
            external_id: Some(ExternalIdDemand::Is(self.external_id.clone())),
            incarnation: Some(self.incarnation),
            conflict: Some(false),
            remote: self.version.clone().map(RemoteDemand::SeenIs),
            ..Guard::default()
        };
        let live = Guard { deleted: Some(false), ..seen.clone() };
        let version = self.version.clone().map_or(FactOp::Keep, FactOp::Set);
        match &self.state {
            RemoteState::Present(content) => {
                let accepted = Patch {
                    remote_version: version.clone(),
                    remote_deleted_at: InstantOp::Clear,
                    synced_at: SyncedAtOp::Now,
                    base: content.clone().map_or(FactOp::Clear, FactOp::Set),
                    ..Patch::default()
                };
                let synced_revision = SyncedRevisionOp::Max(self.revision);
                let anew = Patch {
                    incarnation: IncarnationOp::Next,
                    external_id: ExternalIdOp::Set(self.external_id.clone()),
                    revision: RevisionOp::Next,
                    synced_revision: SyncedRevisionOp::ToRevision,
                    updated_at: InstantOp::Clear,
                    deleted_at: InstantOp::Clear,
                    sighted_at: InstantOp::Now,
                    remote_seen: version,
                    ..accepted.clone()
                };
                let tombstone = Guard { deleted: Some(true), dirty: Some(false), ..seen };
                Change::of([
                    Arm { when: tombstone, then: anew },
                    Arm { when: live, then: Patch { synced_revision, ..accepted } },
                ])
            }
            RemoteState::Deleted => {
                let agreed = gone(Patch {
                    remote_version: version,
                    remote_deleted_at: InstantOp::NowIfNone,
                    ..Patch::default()
                });
                let deleted = Patch {
                    revision: RevisionOp::Next,
                    deleted_at: InstantOp::Now,
                    synced_at: SyncedAtOp::Now,
                    ..agreed.clone()
                };
                Change::of([
                    Arm { when: Guard { deleted: Some(true), ..seen }, then: agreed },
                    Arm { when: Guard { revision: Some(self.revision), ..live }, then: deleted },
                ])
            }
        }
    }
}
