//! The inbox: a packed entry for each message in a hash of its source.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::Value;
use sync_tracker_core::{
    BeginInbox, Begun, Error, InboxStore, JsonValue, Millis, Result, Settled, Source, Ticket,
    Timestamp, Token,
};

use crate::answer;
use crate::entries::{Place, call_id, corrupt, json};
use crate::error::{STORE, unexpected};
use crate::packed::{Item, Reader};
use crate::store::RedisStore;

fn named(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.in_operation(operation).in_store(STORE)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl InboxStore for RedisStore {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        self.begin_message(request).await.map_err(named("inbox begin"))
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let remember_for = remember_for.get().to_string();
        let outcome = [remember_for, outcome.as_value().to_string()];
        self.settle(ticket, &outcome).await.map_err(named("inbox complete"))
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        self.settle(ticket, &[]).await.map_err(named("inbox abandon"))
    }

    /// Reads every entry of the source, some at a time.
    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        self.forget(source, grace).await.map_err(named("inbox forget"))
    }
}

impl RedisStore {
    async fn begin_message(&self, request: &BeginInbox) -> Result<Begun> {
        let key = self.prefix.of(request.source()).inbox();
        let args = [
            self.clock(),
            request.key().as_str().into(),
            call_id(request.id()),
            request.lease().get().to_string().into(),
            Timestamp::MAX.as_millis().to_string().into(),
        ];
        let script = &self.scripts.inbox_begin;
        let [word, found] = answer::exactly(self.on_key(&key, script, &args).await?)?;
        Ok(match answer::text(word)?.as_str() {
            "fresh" => Begun::Fresh(Ticket {
                source: request.source().clone(),
                key: request.key().clone(),
                token: Token::new(answer::count(&found)?)?,
            }),
            "in progress" => Begun::InProgress { until: answer::instant(&found)? },
            "done" => Begun::Done(json(&answer::present(found)?)?),
            _ => return Err(unexpected()),
        })
    }

    /// Completes a message, for so long and with this outcome, or gives it up.
    async fn settle(&self, ticket: &Ticket, outcome: &[String]) -> Result<Settled> {
        let key = self.prefix.of(&ticket.source).inbox();
        let mut args = vec![
            self.clock(),
            ticket.key.as_str().into(),
            ticket.token.get().to_string().into(),
            Timestamp::MAX.as_millis().to_string().into(),
        ];
        args.extend(outcome.iter().map(|text| text.as_bytes().into()));
        match self.on_key(&key, &self.scripts.inbox_settle, &args).await? {
            Value::Int(1) => Ok(Settled::Done),
            Value::Int(0) => Ok(Settled::Lost),
            _ => Err(unexpected()),
        }
    }

    async fn forget(&self, source: &Source, grace: Millis) -> Result<u64> {
        let key = self.prefix.of(source).inbox();
        let now = sync_tracker_core::SyncStore::now(self).await?;
        let (mut forgotten, mut cursor) = (0, 0);
        loop {
            let (next, entries) = self.scan(&key, cursor).await?;
            let mut expired = Vec::new();
            for (field, entry) in entries {
                if until(&entry)?.plus(grace) < now {
                    expired.push((field, entry));
                }
            }
            let removals = expired.into_iter().map(|(field, entry)| {
                let key = &key;
                async move { self.remove_entry(Place { key, field: &field }, entry).await }
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

/// Until when an entry counts, as `InboxEntry::is_expired` takes it.
fn until(entry: &[u8]) -> Result<Timestamp> {
    let mut reader = Reader::new(entry);
    let until = match (reader.next(), reader.next(), reader.next()) {
        (Some(Item::Number(_)), Some(Item::Bytes(_)), Some(Item::Number(until))) => until,
        _ => return Err(corrupt()),
    };
    Timestamp::from_millis(until).map_err(|_| corrupt())
}
