//! The inbox.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use sync_tracker_core::{
    BeginInbox, Begun, Error, InboxEntry, InboxStore, JsonValue, Millis, Result, Settled, Source,
    Ticket,
};

use crate::entries::{Place, decode};
use crate::error::STORE;
use crate::store::RedisStore;

fn named(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.in_operation(operation).in_store(STORE)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl InboxStore for RedisStore {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        let key = self.prefix.of(request.source()).inbox();
        let place = Place { key: &key, field: request.key().as_str().as_bytes() };
        let begin = |entry: Option<&_>, now| InboxEntry::begin(entry, request, now);
        self.step(place, begin).await.map_err(named("inbox begin"))
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let key = self.prefix.of(&ticket.source).inbox();
        let place = Place { key: &key, field: ticket.key.as_str().as_bytes() };
        let complete = |entry: Option<&InboxEntry>, now| {
            InboxEntry::complete(entry, ticket, outcome, remember_for, now)
        };
        self.step(place, complete).await.map_err(named("inbox complete"))
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        let key = self.prefix.of(&ticket.source).inbox();
        let place = Place { key: &key, field: ticket.key.as_str().as_bytes() };
        let abandon = |entry: Option<&_>, _| InboxEntry::abandon(entry, ticket);
        self.step(place, abandon).await.map_err(named("inbox abandon"))
    }

    /// Reads every entry of the source, some at a time.
    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        self.forget(source, grace).await.map_err(named("inbox forget"))
    }
}

impl RedisStore {
    async fn forget(&self, source: &Source, grace: Millis) -> Result<u64> {
        let key = self.prefix.of(source).inbox();
        let now = sync_tracker_core::SyncStore::now(self).await?;
        let (mut forgotten, mut cursor) = (0, 0);
        loop {
            let (next, entries) = self.scan(&key, cursor).await?;
            let mut expired = Vec::new();
            for (field, entry) in entries {
                if decode::<InboxEntry>(&entry)?.is_expired(grace, now) {
                    expired.push((field, entry));
                }
            }
            let removals = expired.into_iter().map(|(field, entry)| {
                let key = &key;
                async move {
                    let place = Place { key, field: &field };
                    self.swap_entry(place, entry, Vec::new()).await
                }
            });
            let removed = try_join_all(removals).await?;
            forgotten += removed.into_iter().map(u64::from).sum::<u64>();
            cursor = next;
            if cursor == 0 {
                return Ok(forgotten);
            }
        }
    }
}
