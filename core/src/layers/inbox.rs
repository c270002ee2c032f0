//! The layers around an inbox.

use async_trait::async_trait;

use super::deadline::{self, Deadline};
use super::retry::{Retry, tried};
use crate::error::Result;
use crate::inbox::{BeginInbox, Begun, InboxStore, Settled, Ticket};
use crate::json::JsonValue;
use crate::key::Source;
use crate::time::Millis;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: InboxStore> InboxStore for Deadline<S> {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        deadline::write(self.limit, "begin", self.store.begin(request)).await
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let completed = self.store.complete(ticket, outcome, remember_for);
        deadline::write(self.limit, "complete", completed).await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        deadline::write(self.limit, "abandon", self.store.abandon(ticket)).await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        let forgotten = self.store.forget_expired(source, grace);
        deadline::write(self.limit, "forget_expired", forgotten).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: InboxStore> InboxStore for Retry<S> {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        tried(|| self.store.begin(request)).await
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        tried(|| self.store.complete(ticket, outcome, remember_for)).await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        tried(|| self.store.abandon(ticket)).await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        tried(|| self.store.forget_expired(source, grace)).await
    }
}
