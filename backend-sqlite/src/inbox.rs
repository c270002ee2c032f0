//! The inbox.

use async_trait::async_trait;
use sqlx::query;
use sync_tracker_core::{
    BeginInbox, Begun, InboxEntry, InboxStore, JsonValue, Millis, Result, Settled, Source, Ticket,
    Timestamp,
};

use crate::entries::Table;
use crate::error::before_commit;
use crate::session::Session;
use crate::statements;
use crate::store::SqliteStore;
use crate::writer::Write;

const INBOX: Table = Table { get: statements::GET_MESSAGE, put: statements::PUT_MESSAGE };

struct Begin(BeginInbox);

#[async_trait]
impl Write for Begin {
    type Answer = Begun;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Begun> {
        let Self(request) = self;
        let name = [request.source().as_str(), request.key().as_str()];
        INBOX.step(session.beside(), name, |entry| InboxEntry::begin(entry, request, now)).await
    }
}

/// Completes a message, or gives it up.
struct Settle {
    ticket: Ticket,
    completed: Option<(JsonValue, Millis)>,
}

#[async_trait]
impl Write for Settle {
    type Answer = Settled;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Settled> {
        let Self { ticket, completed } = self;
        let name = [ticket.source.as_str(), ticket.key.as_str()];
        let settle = |entry: Option<&InboxEntry>| match completed {
            Some((outcome, remember_for)) => {
                InboxEntry::complete(entry, ticket, outcome, *remember_for, now)
            }
            None => InboxEntry::abandon(entry, ticket),
        };
        INBOX.step(session.beside(), name, settle).await
    }
}

struct ForgetExpired {
    source: Source,
    grace: Millis,
}

#[async_trait]
impl Write for ForgetExpired {
    type Answer = u64;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<u64> {
        let statement = query(statements::FORGET_MESSAGES)
            .bind(self.source.as_str())
            .bind(now.minus(self.grace).to_string());
        Ok(statement.execute(session.beside()).await.map_err(before_commit)?.rows_affected())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl InboxStore for SqliteStore {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        self.writer.write(Begin(request.clone())).await
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let completed = Some((outcome.clone(), remember_for));
        self.writer.write(Settle { ticket: ticket.clone(), completed }).await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        self.writer.write(Settle { ticket: ticket.clone(), completed: None }).await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        self.writer.write(ForgetExpired { source: source.clone(), grace }).await
    }
}
