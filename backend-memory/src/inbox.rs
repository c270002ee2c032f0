//! The inbox.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use async_trait::async_trait;
use sync_tracker_core::{
    BeginInbox, Begun, DedupeKey, InboxEntry, InboxStore, JsonValue, Millis, Result, Settled,
    Source, Step, Ticket, Timestamp,
};

use crate::store::MemoryStore;

/// What the inbox keeps of each message.
pub(crate) type Entries = BTreeMap<Source, HashMap<DedupeKey, InboxEntry>>;

impl MemoryStore {
    /// Takes a step, under the lock.
    fn step<A>(
        &self,
        source: &Source,
        key: &DedupeKey,
        take: impl FnOnce(Option<&InboxEntry>, Timestamp) -> Step<InboxEntry, A>,
    ) -> A {
        let mut entries = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(source).and_then(|entries| entries.get(key));
        let Step { answer, write } = take(entry, self.now());
        if let Some(entry) = write {
            entries.entry(source.clone()).or_default().insert(key.clone(), entry);
        }
        answer
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl InboxStore for MemoryStore {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        let begin = |entry: Option<&_>, now| InboxEntry::begin(entry, request, now);
        Ok(self.step(request.source(), request.key(), begin))
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        Ok(self.step(&ticket.source, &ticket.key, |entry, now| {
            InboxEntry::complete(entry, ticket, outcome, remember_for, now)
        }))
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        let abandon = |entry: Option<&_>, _| InboxEntry::abandon(entry, ticket);
        Ok(self.step(&ticket.source, &ticket.key, abandon))
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let Some(entries) = inbox.get_mut(source) else { return Ok(0) };
        let before = entries.len();
        entries.retain(|_, entry| !entry.is_expired(grace, now));
        let forgotten = before - entries.len();
        if entries.is_empty() {
            inbox.remove(source);
        }
        Ok(forgotten.try_into().unwrap_or(u64::MAX))
    }
}
