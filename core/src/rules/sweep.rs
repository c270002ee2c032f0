//! Sweeps: what a full listing of the remote shows, and what it does not.

use super::observe::gone;
use crate::change::{Arm, Change, ConflictOp, Guard, InstantOp, Patch, RevisionOp, SyncedAtOp};
use crate::record::{ConflictKind, SyncRecord};

/// The object was seen in the remote, whatever its content.
#[must_use]
pub fn sighted() -> Change {
    Change::of([Arm {
        when: Guard { exists: Some(true), ..Guard::default() },
        then: Patch { sighted_at: InstantOp::Now, ..Patch::default() },
    }])
}

/// A complete listing did not show the object of this record: it seems to be deleted in the remote.
/// If there are local changes to push, that is a conflict, edit/delete. Refused if the record was
/// written since it was read, such as by an event about the object.
#[must_use]
pub fn missed(record: &SyncRecord) -> Change {
    let unchanged = Guard { deleted: Some(false), ..Guard::unwritten_since(record) };
    let missed = Patch { remote_deleted_at: InstantOp::NowIfNone, ..Patch::default() };
    let open = ConflictOp::Open(ConflictKind::EditDelete);
    Change::of([
        Arm {
            when: Guard { dirty: Some(true), ..unchanged.clone() },
            then: Patch { conflict: open, ..missed.clone() },
        },
        Arm { when: unchanged, then: missed },
    ])
}

/// The object of this record, which was missed, is gone indeed, and the entity was deleted locally,
/// **before** this is said. Refused if the record was written since it was read.
#[must_use]
pub fn accept_missed(record: &SyncRecord) -> Change {
    let unchanged = Guard { conflict: Some(false), ..Guard::unwritten_since(record) };
    let agreed = gone(Patch { remote_deleted_at: InstantOp::NowIfNone, ..Patch::default() });
    let then = if record.is_deleted() {
        agreed
    } else {
        Patch {
            revision: RevisionOp::Next,
            deleted_at: InstantOp::Now,
            synced_at: SyncedAtOp::Now,
            ..agreed
        }
    };
    Change::of([Arm { when: unchanged, then }])
}
