//! Resolving a conflict.

use super::observe::gone;
use crate::change::{
    Arm, AttemptsOp, Change, ConflictOp, FactOp, FailureOp, FlagOp, Guard, HeldOp, IncarnationOp,
    InstantOp, LeaseOp, Patch, RetryOp, RevisionOp, SyncedAtOp, SyncedRevisionOp,
};
use crate::record::SyncRecord;
use crate::remote::{Fingerprint, RemoteVersion};

/// Whose state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Winner {
    /// Ours, perhaps merged with theirs by a local write: it is pushed over what is in the remote.
    Local,
    /// Theirs, which was taken over by a local write.
    Remote,
}

/// Ends a conflict, on what was known when it was decided: refused if either side moved since, or
/// anything else was written ([`VersionMismatch`](crate::Refusal::VersionMismatch)).
///
/// | conflict | local wins | remote wins |
/// |---|---|---|
/// | edit/edit, create/create, id collision | pushed as an update | in step |
/// | edit/delete | a new incarnation, to be created again | a tombstone |
/// | delete/edit | the deletion is pushed | the deletion is undone, in step |
/// | both deleted meanwhile | a tombstone | a tombstone |
///
/// Whether the object is gone counts as it was last seen, also if the conflict was opened before.
///
/// What is in the remote, its version and content, counts as known from now on, so a repeat of the
/// event that opened the conflict is no news. The write that carries the decision out comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve<'a> {
    /// The record as it was when it was decided.
    pub record: &'a SyncRecord,
    /// Whose state holds.
    pub winner: Winner,
    /// The content that is in the remote, if it is known.
    pub remote: Option<Fingerprint>,
}

impl Resolve<'_> {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        let Self { record, winner, remote } = self;
        // Not the kind of the conflict: a push may have succeeded since it was opened, and what was
        // seen after that opens no other one.
        let gone_there = record.remote_deleted_at.is_some();
        let then = match (record.is_deleted(), gone_there, winner) {
            (true, true, _) => self.settled(),
            (false, true, Winner::Local) => Self::created_again(),
            (false, true, Winner::Remote) => Patch {
                revision: RevisionOp::Next,
                deleted_at: InstantOp::Now,
                synced_at: SyncedAtOp::Now,
                ..self.settled()
            },
            (_, false, Winner::Local) => Patch {
                revision: RevisionOp::Next,
                remote_version: self.seen(),
                base: remote.clone().map_or(FactOp::Keep, FactOp::Set),
                ..requeued()
            },
            (_, false, Winner::Remote) => Patch {
                synced_revision: SyncedRevisionOp::ToRevision,
                deleted_at: InstantOp::Clear,
                synced_at: SyncedAtOp::Now,
                remote_version: self.seen(),
                base: remote.clone().map_or(FactOp::Keep, FactOp::Set),
                failure: FailureOp::Clear,
                ..requeued()
            },
        };
        Change::of([Arm { when: self.undisturbed(), then }])
    }

    /// Neither side moved since the record was read. Any write counts: an event without a version
    /// leaves nothing else to compare, and a push that ended meanwhile changed the remote.
    fn undisturbed(&self) -> Guard {
        Guard { conflict: Some(true), ..Guard::unwritten_since(self.record) }
    }

    fn seen(&self) -> FactOp<RemoteVersion> {
        self.record.remote_seen.clone().map_or(FactOp::Keep, FactOp::Set)
    }

    fn settled(&self) -> Patch {
        gone(Patch { remote_version: self.seen(), ..Patch::default() })
    }

    fn created_again() -> Patch {
        Patch {
            incarnation: IncarnationOp::Next,
            revision: RevisionOp::Next,
            synced_at: SyncedAtOp::Clear,
            failure: FailureOp::Clear,
            lease: LeaseOp::Drop,
            ..requeued()
        }
    }
}

/// The conflict is over, and so is whatever kept the record from being pushed.
fn requeued() -> Patch {
    Patch {
        attempts: AttemptsOp::Reset,
        in_doubt: FlagOp::Clear,
        held: HeldOp::Clear,
        retry_at: RetryOp::Clear,
        conflict: ConflictOp::Clear,
        ..Patch::default()
    }
}
