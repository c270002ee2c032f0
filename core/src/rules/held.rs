//! Taking records out of the queue, and putting them back.

use crate::change::{
    Arm, AttemptsOp, Change, FlagOp, Guard, HeldOp, Patch, RetryOp, RevisionOp, SyncedRevisionOp,
};

/// Puts a dead letter or a dismissed record back into the queue, with no attempt charged. It is due
/// at once, also if there is nothing new to push. The failure stays readable until a success.
///
/// Refused if it is not held: [`NotHeld`](crate::Refusal::NotHeld).
#[must_use]
pub fn redrive() -> Change {
    let held = Guard { held: Some(true), ..Guard::default() };
    let back = Patch {
        attempts: AttemptsOp::Reset,
        held: HeldOp::Clear,
        retry_at: RetryOp::Clear,
        ..Patch::default()
    };
    Change::of([
        Arm {
            when: Guard { dirty: Some(false), ..held.clone() },
            then: Patch { revision: RevisionOp::Next, ..back.clone() },
        },
        Arm { when: held, then: back },
    ])
}

/// Takes a record out of the queue without calling it synced, until the entity changes again or it
/// is put back. While a worker holds the lease, the lease stays.
///
/// Refused if there is no record, or a tombstone: [`Absent`](crate::Refusal::Absent),
/// [`Deleted`](crate::Refusal::Deleted).
#[must_use]
pub fn dismiss() -> Change {
    let there = Guard { exists: Some(true), ..Guard::default() };
    let dismissed = Patch { held: HeldOp::Dismissed, retry_at: RetryOp::Clear, ..Patch::default() };
    Change::of([
        Arm {
            when: Guard { deleted: Some(true), dirty: Some(true), ..there.clone() },
            then: dismissed.clone(),
        },
        Arm { when: Guard { deleted: Some(false), ..there }, then: dismissed },
    ])
}

/// A create that was in doubt turns out to have left nothing in the remote.
///
/// If the entity was deleted meanwhile and nobody is at it, there is nothing left to push. Refused
/// if no create is in doubt.
#[must_use]
pub fn not_there() -> Change {
    let doubt = Guard { in_doubt: Some(true), ..Guard::default() };
    let settled = Patch { in_doubt: FlagOp::Clear, ..Patch::default() };
    Change::of([
        Arm {
            when: Guard {
                deleted: Some(true),
                known: Some(false),
                leased: Some(false),
                ..doubt.clone()
            },
            then: Patch {
                synced_revision: SyncedRevisionOp::ToRevision,
                attempts: AttemptsOp::Reset,
                held: HeldOp::Clear,
                retry_at: RetryOp::Clear,
                ..settled.clone()
            },
        },
        Arm { when: doubt, then: settled },
    ])
}
