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

/// A push that certainly left nothing in the remote ends, and the entity was deleted meanwhile:
/// there is nothing left to push.
pub(super) fn never_created(token: Token) -> Arm {
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
