//! Failure, with a lease and without.

use super::RetrySchedule;
use super::lease::{holder, nothing_left};
use crate::change::{
    Arm, AttemptsOp, Change, FailureOp, FlagOp, Guard, HeldOp, LeaseOp, Patch, RetryOp, RevisionOp,
};
use crate::counter::Token;
use crate::failure::{FailureClass, FailureNote};
use crate::time::Millis;

/// What a failure of this class does to the record, besides what it does to lease and attempts.
fn failed(note: &FailureNote, schedule: &RetrySchedule, retry_after: Option<Millis>) -> Patch {
    let failed = Patch { failure: FailureOp::Note(note.clone()), ..Patch::default() };
    match note.class() {
        FailureClass::Permanent => Patch { held: HeldOp::Dead, retry_at: RetryOp::Clear, ..failed },
        FailureClass::Throttled => {
            Patch { retry_at: RetryOp::After(schedule.pause(retry_after)), ..failed }
        }
        FailureClass::Transient | FailureClass::Unknown => {
            Patch { retry_at: RetryOp::Table(schedule.table(retry_after)), ..failed }
        }
    }
}

/// A leased push failed. The attempt was charged by the claim.
///
/// - transient: due again by the schedule, past its end a dead letter;
/// - throttled: due again after `retry_after`, or the first wait of the schedule, and the attempt
///   is given back;
/// - permanent: a dead letter at once;
/// - unknown: as transient, and a create is in doubt from now on.
///
/// Unless the outcome is unknown, nothing is left to do if the entity was deleted meanwhile and the
/// remote does not have it, or no more.
///
/// `retry_after` is the wait that the remote asked for: no retry is due earlier. *Synced at* stays
/// as it is.
#[must_use]
pub fn fail(
    token: Token,
    note: &FailureNote,
    schedule: &RetrySchedule,
    retry_after: Option<Millis>,
) -> Change {
    let failed = Patch { lease: LeaseOp::Drop, ..failed(note, schedule, retry_after) };
    match note.class() {
        FailureClass::Unknown => Change::of([
            Arm {
                when: Guard { known: Some(false), ..holder(token) },
                then: Patch { in_doubt: FlagOp::Set, ..failed.clone() },
            },
            Arm { when: holder(token), then: failed },
        ]),
        FailureClass::Throttled => {
            let then = Patch { attempts: AttemptsOp::GiveBack, ..failed };
            let [never_created, deleted_there] = nothing_left(token);
            Change::of([never_created, deleted_there, Arm { when: holder(token), then }])
        }
        FailureClass::Transient | FailureClass::Permanent => {
            let [never_created, deleted_there] = nothing_left(token);
            Change::of([never_created, deleted_there, Arm { when: holder(token), then: failed }])
        }
    }
}

/// A push failed that was not claimed; it charges an attempt itself, unless it was throttled.
///
/// It makes a record if there is none. What each class does is told at [`fail`]. While a worker
/// holds the lease, the lease stays. Refused for a tombstone: [`Deleted`](crate::Refusal::Deleted).
#[must_use]
pub fn mark_failed(
    note: &FailureNote,
    schedule: &RetrySchedule,
    retry_after: Option<Millis>,
) -> Change {
    let unknown = note.class() == FailureClass::Unknown;
    let throttled = note.class() == FailureClass::Throttled;
    let attempts = if throttled { AttemptsOp::Keep } else { AttemptsOp::Charge };
    let failed = Patch { attempts, ..failed(note, schedule, retry_after) };
    let in_doubt = if unknown { FlagOp::Set } else { FlagOp::Keep };
    let of_create = Patch { in_doubt, ..failed.clone() };
    let absent = Arm {
        when: Guard { exists: Some(false), ..Guard::default() },
        then: Patch { revision: RevisionOp::Next, ..of_create.clone() },
    };
    let deletion = Arm {
        when: Guard { deleted: Some(true), dirty: Some(true), ..Guard::default() },
        then: failed.clone(),
    };
    let live = Guard { deleted: Some(false), ..Guard::default() };
    if unknown {
        let create = Guard { known: Some(false), ..live.clone() };
        let create = Arm { when: create, then: of_create };
        Change::of([absent, deletion, create, Arm { when: live, then: failed }])
    } else {
        Change::of([absent, deletion, Arm { when: live, then: failed }])
    }
}
