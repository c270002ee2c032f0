//! What business operations mean: each is compiled into a [`Change`](crate::Change).
//!
//! Rules are pure and know no store; stores know guards and small operations, and no rules.
//!
//! | rule | arms, in the order in which they are tried |
//! |---|---|
//! | [`created`] | undo a deletion that was not pushed; new incarnation; new record |
//! | [`restored`] | undo a deletion that was not pushed; new incarnation |
//! | [`updated`] | put back what was held; any entity that is not deleted |
//! | [`deleted`] | nothing to push; push the deletion |
//! | [`MarkSynced`] | new record; existing record |
//! | [`MarkSyncedTo`] | the incarnation that was pushed |
//! | [`Bind`] | new record; deleted but not in the remote; not deleted (rebind: the last two) |
//! | [`ClaimRequest`](crate::ClaimRequest) | too often, in doubt; too often; in doubt; grant |
//! | [`renew`] | the holder |
//! | [`Completion`] | overtaken by a newer success; the holder |
//! | [`Completion`] of a delete | overtaken and restored; restored; overtaken; the holder |
//! | [`fail`] | deleted and never created; the holder (class unknown: create; the holder) |
//! | [`mark_failed`] | new record; a pending deletion; (class unknown: a create;) any other |
//! | [`release`] | deleted and never created; the holder |
//! | [`redrive`] | nothing new to push; something to push |
//! | [`dismiss`] | a pending deletion; not deleted |
//! | [`not_there`] | deleted, so nothing is left to push; any other create in doubt |

mod bind;
mod failure;
mod held;
mod lease;
mod local;
mod retry;
mod success;

pub use self::bind::{Bind, BindMode};
pub use self::failure::{fail, mark_failed};
pub use self::held::{dismiss, not_there, redrive};
pub use self::lease::{release, renew};
pub use self::local::{created, deleted, restored, updated};
pub use self::retry::RetrySchedule;
pub use self::success::{Completion, MarkSynced, MarkSyncedTo, Success};
