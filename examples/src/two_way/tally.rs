//! What the application counts, besides what the ledger does.

use std::sync::{Mutex, PoisonError};

/// What the application did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallied {
    /// Requests that changed the shop.
    pub pushes: u64,
    /// Pushes that were not needed, since the shop had the content.
    pub skipped: u64,
    /// Pushes that the shop refused, since it had something newer.
    pub overtaken: u64,
    /// Creates of ours whose reply was lost, and which were found again.
    pub adopted: u64,
    /// Products that both sides had created.
    pub encountered: u64,
    /// Changes of the shop that were written here.
    pub taken_over: u64,
    /// Products that were deleted here since they are gone in the shop.
    pub deleted: u64,
    /// Products that came back here since they are back in the shop.
    pub restored: u64,
    /// Ids that were merged.
    pub merged: u64,
    /// Products that were read, since there was no telling else.
    pub read: u64,
    /// Conflicts that were resolved by taking each side's own fields.
    pub by_field: u64,
    /// Conflicts in which the shop's side held, with lines in the log.
    pub by_rule: u64,
    /// Webhooks that had been handled before.
    pub duplicates: u64,
    /// Webhooks that could not be handled, and were asked for again.
    pub put_off: u64,
    /// Products that a full pull missed.
    pub swept: u64,
}

/// Counts.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Tallied>);

impl Tally {
    pub(super) fn note(&self, note: impl FnOnce(&mut Tallied)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn read(&self) -> Tallied {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
