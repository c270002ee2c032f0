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
//! | [`Completion`] | overtaken by a newer success; nothing else was seen (two ways to tell); the holder |
//! | [`Completion`] of a delete | overtaken and restored; restored; overtaken; the holder |
//! | [`fail`] | deleted and never created; the holder (class unknown: create; the holder) |
//! | [`mark_failed`] | new record; a pending deletion; (class unknown: a create;) any other |
//! | [`release`] | deleted and never created; the holder |
//! | [`redrive`] | nothing new to push; something to push |
//! | [`dismiss`] | a pending deletion; not deleted |
//! | [`not_there`] | deleted, so nothing is left to push; any other create in doubt |
//! | [`expect_echo`] | any record, or the holder |
//! | [`Observe`] content | echo; conflict; newer; the same |
//! | [`Observe`] content, deleted here | echo; conflict; the same; reappeared |
//! | [`Observe`] a deletion | conflict; deleted (deleted here: the record that was read) |
//! | [`Accept`] content | restored in the remote; any entity that is not deleted |
//! | [`Accept`] a deletion | deleted already; not deleted |
//! | [`Resolve`] | what was decided on |
//! | [`Encounter`] | new record; not known in the remote (the same content: only the last) |
//! | [`merge::supersede`], [`merge::add_alias`], [`merge::collide`] | the record that was read |
//! | [`sighted`] | any record |
//! | [`missed`] | conflict; seems to be deleted |
//! | [`accept_missed`] | the record that was read |

mod accept;
mod bind;
mod echo;
mod encounter;
mod failure;
mod held;
mod lease;
mod local;
pub mod merge;
mod observe;
mod resolve;
mod retry;
mod success;
mod sweep;

pub use self::accept::Accept;
pub use self::bind::{Bind, BindMode};
pub use self::echo::expect_echo;
pub use self::encounter::Encounter;
pub use self::failure::{fail, mark_failed};
pub use self::held::{dismiss, not_there, redrive};
pub use self::lease::{release, renew};
pub use self::local::{created, deleted, restored, updated};
pub use self::observe::Observe;
pub use self::resolve::{Resolve, Winner};
pub use self::retry::RetrySchedule;
pub use self::success::{Completion, MarkSynced, MarkSyncedTo, Success};
pub use self::sweep::{accept_missed, missed, sighted};
