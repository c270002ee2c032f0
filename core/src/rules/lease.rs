//! What the holder of a lease may do besides succeeding.

use crate::change::{
    Arm, AttemptsOp, Change, FailureOp, FlagOp, Guard, HeldOp, LeaseOp, Patch, RetryOp,
    SyncedRevisionOp,
};
use crate::counter::Token;
use crate::failure::{FailureClass, FailureNote};
use crate::rules::RetrySchedule;
use crate::time::Millis;

fn holder(token: Token) -> Guard {
    Guard { token: Some(token), ..Guard::default() }
}

/// Lets the lease run for `ttl` from now, even if it had run out: nobody took it since.
#[must_use]
pub fn renew(token: Token, ttl: Millis) -> Change {
    Change::of([Arm {
        when: holder(token),
        then: Patch { lease: LeaseOp::Renew { ttl }, ..Patch::default() },
    }])
}

/// A push that certainly left nothing in the remote ends, and the entity was deleted meanwhile:
/// there is nothing left to push.
fn never_created(token: Token) -> Arm {
    Arm {
        when: Guard {
            deleted: Some(true),
            known: Some(false),
            in_doubt: Some(false),
            ..holder(token)
        },
        then: Patch {
            synced_revision: SyncedRevisionOp::ToRevision,
            attempts: AttemptsOp::Reset,
            held: HeldOp::Clear,
            failure: FailureOp::Clear,
            retry_at: RetryOp::Clear,
            lease: LeaseOp::Drop,
            ..Patch::default()
        },
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
/// `retry_after` is the wait that the remote asked for: no retry is due earlier. *Synced at* stays
/// as it is.
#[must_use]
pub fn fail(
    token: Token,
    note: &FailureNote,
    schedule: &RetrySchedule,
    retry_after: Option<Millis>,
) -> Change {
    let failed =
        Patch { failure: FailureOp::Note(note.clone()), lease: LeaseOp::Drop, ..Patch::default() };
    let by_table = || RetryOp::Table(schedule.table(retry_after));
    match note.class() {
        FailureClass::Unknown => {
            let failed = Patch { retry_at: by_table(), ..failed };
            Change::of([
                Arm {
                    when: Guard { known: Some(false), ..holder(token) },
                    then: Patch { in_doubt: FlagOp::Set, ..failed.clone() },
                },
                Arm { when: holder(token), then: failed },
            ])
        }
        class => {
            let then = match class {
                FailureClass::Permanent => {
                    Patch { held: HeldOp::Dead, retry_at: RetryOp::Clear, ..failed }
                }
                FailureClass::Throttled => Patch {
                    attempts: AttemptsOp::GiveBack,
                    retry_at: RetryOp::After(schedule.pause(retry_after)),
                    ..failed
                },
                FailureClass::Transient | FailureClass::Unknown => {
                    Patch { retry_at: by_table(), ..failed }
                }
            };
            Change::of([never_created(token), Arm { when: holder(token), then }])
        }
    }
}

/// The holder gives the record back untried: nothing was sent, and the attempt is given back.
#[must_use]
pub fn release(token: Token) -> Change {
    Change::of([
        never_created(token),
        Arm {
            when: holder(token),
            then: Patch {
                attempts: AttemptsOp::GiveBack,
                lease: LeaseOp::Drop,
                ..Patch::default()
            },
        },
    ])
}
