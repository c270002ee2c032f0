//! What the holder of a lease may do besides succeeding and failing.

use crate::change::{
    Arm, AttemptsOp, Change, FailureOp, Guard, HeldOp, LeaseOp, Patch, RetryOp, SyncedRevisionOp,
};
use crate::counter::Token;
use crate::time::Millis;

pub(super) fn holder(token: Token) -> Guard {
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

/// A push that certainly left nothing in the remote ends, and nothing is left to push: the entity
/// was deleted meanwhile, and was never created there, or is deleted there as well. Another attempt
/// would find the same, and be followed by another one.
pub(super) fn nothing_left(token: Token) -> [Arm; 2] {
    let deleted = Guard { deleted: Some(true), ..holder(token) };
    let never_created = Guard { known: Some(false), in_doubt: Some(false), ..deleted.clone() };
    let deleted_there = Guard { dirty: Some(false), ..deleted };
    let then = Patch {
        synced_revision: SyncedRevisionOp::ToRevision,
        attempts: AttemptsOp::Reset,
        held: HeldOp::Clear,
        failure: FailureOp::Clear,
        retry_at: RetryOp::Clear,
        lease: LeaseOp::Drop,
        ..Patch::default()
    };
    [Arm { when: never_created, then: then.clone() }, Arm { when: deleted_there, then }]
}

/// The holder gives the record back untried: nothing was sent, and the attempt is given back.
#[must_use]
pub fn release(token: Token) -> Change {
    let [never_created, deleted_there] = nothing_left(token);
    Change::of([
        never_created,
        deleted_there,
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
