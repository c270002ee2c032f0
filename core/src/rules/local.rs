//! Local changes: the entity was created, updated or deleted on our side.

use crate::change::{
    Arm, AttemptsOp, Change, ConflictOp, FailureOp, Guard, HeldOp, IncarnationOp, InstantOp,
    LeaseOp, MetadataOp, Patch, RetryOp, RevisionOp, SyncedAtOp, SyncedRevisionOp,
};
use crate::metadata::Metadata;

/// A local change that makes a new job of the record: what was held or waiting is due at once.
fn new_job() -> Patch {
    Patch {
        revision: RevisionOp::Next,
        attempts: AttemptsOp::Reset,
        held: HeldOp::Clear,
        retry_at: RetryOp::Clear,
        ..Patch::default()
    }
}

/// The deletion of the entity is undone: what is to be done if it is not in the remote, and if it
/// is.
fn undeleted() -> [Arm; 2] {
    let deleted = Guard { deleted: Some(true), ..Guard::default() };
    [
        Arm {
            when: Guard { dirty: Some(true), ..deleted.clone() },
            then: Patch { deleted_at: InstantOp::Clear, updated_at: InstantOp::Now, ..new_job() },
        },
        Arm {
            when: deleted,
            then: Patch {
                incarnation: IncarnationOp::Next,
                updated_at: InstantOp::Clear,
                deleted_at: InstantOp::Clear,
                synced_at: SyncedAtOp::Clear,
                failure: FailureOp::Clear,
                lease: LeaseOp::Drop,
                conflict: ConflictOp::Clear,
                metadata: MetadataOp::Replace(Metadata::default()),
                ..new_job()
            },
        },
    ]
}

/// The entity was created locally.
///
/// - No record yet: it is to be created in the remote.
/// - Deleted, and the deletion is not in the remote: the deletion is undone.
/// - Deleted, and the deletion is in the remote: a new incarnation, which inherits nothing.
/// - Otherwise refused: [`AlreadyExists`](crate::Refusal::AlreadyExists).
#[must_use]
pub fn created() -> Change {
    let [undo, anew] = undeleted();
    let first = Arm {
        when: Guard { exists: Some(false), ..Guard::default() },
        then: Patch { revision: RevisionOp::Next, ..Patch::default() },
    };
    Change::of([undo, anew, first])
}

/// The entity was restored locally after it had been deleted.
///
/// - The deletion is not in the remote: it is undone.
/// - The deletion is in the remote: a new incarnation, to be created there, which inherits nothing.
/// - Not deleted, or no record: refused, [`NotDeleted`](crate::Refusal::NotDeleted) or
///   [`Absent`](crate::Refusal::Absent).
#[must_use]
pub fn restored() -> Change {
    Change::of(undeleted())
}

/// The entity was updated locally.
///
/// - Not deleted, or no record yet: it is to be pushed. A retry that is scheduled stays so.
/// - Held as a dead letter or dismissed: put back with no attempt charged. The failure stays
///   readable until a success.
/// - Deleted: refused, [`Deleted`](crate::Refusal::Deleted).
#[must_use]
pub fn updated() -> Change {
    let live = Guard { deleted: Some(false), ..Guard::default() };
    Change::of([
        Arm {
            when: Guard { held: Some(true), ..live.clone() },
            then: Patch { updated_at: InstantOp::Now, ..new_job() },
        },
        Arm {
            when: live,
            then: Patch {
                revision: RevisionOp::Next,
                updated_at: InstantOp::Now,
                ..Patch::default()
            },
        },
    ])
}

/// The entity was deleted locally.
///
/// - Never in the remote, and no create under way: there is nothing to push.
/// - Otherwise the deletion is to be pushed. It is a new job: a dead letter, a dismissal and a
///   scheduled retry are dropped.
/// - Deleted already, or no record: refused, [`Deleted`](crate::Refusal::Deleted) or
///   [`Absent`](crate::Refusal::Absent).
#[must_use]
pub fn deleted() -> Change {
    let live = Guard { exists: Some(true), deleted: Some(false), ..Guard::default() };
    let delete = Patch { deleted_at: InstantOp::Now, ..new_job() };
    Change::of([
        Arm {
            when: Guard {
                known: Some(false),
                in_doubt: Some(false),
                leased: Some(false),
                ..live.clone()
            },
            then: Patch { synced_revision: SyncedRevisionOp::ToRevision, ..delete.clone() },
        },
        Arm { when: live, then: delete },
    ])
}
