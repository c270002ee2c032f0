//! Where an inbox lives.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{BeginInbox, Begun, Settled, Ticket};
use crate::error::Result;
use crate::json::JsonValue;
use crate::key::Source;
use crate::time::Millis;

/// Where the inbox of every source lives.
///
/// [`InboxEntry`](super::InboxEntry) tells what each call means; a store that works under a lock
/// may simply call it. [`OverRecords`](crate::OverRecords) makes an inbox of any
/// [`SyncStore`](crate::SyncStore).
///
/// # To be correct
///
/// - Reading the entry, taking the step and writing are one step that no other call for the same
///   message comes between.
/// - Sources and dedupe keys are compared byte by byte, outcomes come back as they were.
/// - Time is the store's, or the explicit clock that it was opened with.
/// - Errors are as with a [`SyncStore`](crate::SyncStore), and so is dropping a future: the call
///   was carried out or not, and is repeated as it was.
#[async_trait]
pub trait InboxStore: Debug + Send + Sync + 'static {
    /// Begins a message, as [`InboxEntry::begin`](super::InboxEntry::begin): of many at once, one
    /// is told *fresh*.
    async fn begin(&self, request: &BeginInbox) -> Result<Begun>;

    /// Completes a message, as [`InboxEntry::complete`](super::InboxEntry::complete).
    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled>;

    /// Gives a message up, as [`InboxEntry::abandon`](super::InboxEntry::abandon).
    async fn abandon(&self, ticket: &Ticket) -> Result<Settled>;

    /// Removes the entries of a source that
    /// [are expired](super::InboxEntry::is_expired) for longer than `grace`, and says how many.
    /// Answers do not change by it, but for the ticket of a vanished holder, which is lost.
    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64>;
}

macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<S: InboxStore + ?Sized> InboxStore for $pointer<S> {
            async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
                (**self).begin(request).await
            }

            async fn complete(
                &self,
                ticket: &Ticket,
                outcome: &JsonValue,
                remember_for: Millis,
            ) -> Result<Settled> {
                (**self).complete(ticket, outcome, remember_for).await
            }

            async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
                (**self).abandon(ticket).await
            }

            async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
                (**self).forget_expired(source, grace).await
            }
        }
    };
}
forward!(Arc);
forward!(Box);
