//! What business operations mean: each is compiled into a [`Change`](crate::Change).
//!
//! Rules are pure and know no store; stores know guards and small operations, and no rules.
//!
//! | rule | arms, in the order in which they are tried |
//! |---|---|
//! | [`created`] | undo a deletion that was not pushed; new incarnation; new record |
//! | [`updated`] | put back what was held; any entity that is not deleted |
//! | [`deleted`] | nothing to push; push the deletion |
//! | [`MarkSynced`] | new record; existing record |
//! | [`MarkSyncedTo`] | the incarnation that was pushed |
//! | [`Bind`] | new record; deleted but not in the remote; not deleted (rebind: the last two) |
//! | [`ClaimRequest`](crate::ClaimRequest) | too often, in doubt; too often; in doubt; grant |
//! | [`renew`] | the holder |
//! | [`Completion`] | overtaken by a newer success; the holder |
//! | [`Completion`] of a delete | overtaken; restored meanwhile; the holder |
//! | [`fail`] | deleted and never created; the holder (class unknown: create; the holder) |
//! | [`release`] | deleted and never created; the holder |

mod bind;
mod lease;
mod local;
mod retry;
mod success;

pub use self::bind::{Bind, BindMode};
pub use self::lease::{fail, release, renew};
pub use self::local::{created, deleted, updated};
pub use self::retry::RetrySchedule;
pub use self::success::{Completion, MarkSynced, MarkSyncedTo, Success};
