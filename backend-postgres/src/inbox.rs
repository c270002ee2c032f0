//! The inbox.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sync_tracker_core::{
    BeginInbox, Begun, Error, ErrorKind, InboxStore, JsonValue, Millis, Result, Settled, Source,
    Ticket, Timestamp, Token,
};

use crate::error::{Effect, STORE};
use crate::store::{PostgresStore, TRIES, column, crowded, first, instant, named};
use crate::value::{change_id, corrupt, millis, whole};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl InboxStore for PostgresStore {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        let mut failure = None;
        for _ in 0..TRIES {
            let query = self.statements.inbox_begin.query();
            let query = query
                .bind(self.clock())
                .bind(request.source().as_str())
                .bind(request.key().as_str())
                .bind(change_id(request.id()))
                .bind(whole(request.lease().get()))
                .bind(millis(Timestamp::MAX));
            match self.connections.fetch(query, Effect::Write).await {
                Err(failed) if failed.again => failure = Some(failed),
                Err(failed) => return Err(named("begin")(failed)),
                Ok(rows) => {
                    if let Some(row) = rows.first() {
                        return begun(row, request);
                    }
                }
            }
        }
        Err(failure.map_or_else(crowded, Into::into).in_operation("begin"))
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let outcome = outcome.as_value().to_string();
        self.settle(ticket, "completed", Some(outcome), Some(remember_for), "complete").await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        self.settle(ticket, "abandoned", None, None, "abandon").await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        let query = self.statements.inbox_forget.query();
        let query = query.bind(self.clock()).bind(source.as_str()).bind(whole(grace.get()));
        let rows = self.connections.fetch(query, Effect::Write).await;
        let rows = rows.map_err(named("forget expired"))?;
        let forgotten: i64 = column(first(&rows)?, 0)?;
        Ok(forgotten.unsigned_abs())
    }
}

impl PostgresStore {
    async fn settle(
        &self,
        ticket: &Ticket,
        state: &'static str,
        outcome: Option<String>,
        remember_for: Option<Millis>,
        operation: &'static str,
    ) -> Result<Settled> {
        let query = self.statements.inbox_settle.query();
        let query = query
            .bind(self.clock())
            .bind(ticket.source.as_str())
            .bind(ticket.key.as_str())
            .bind(whole(ticket.token.get()))
            .bind(state)
            .bind(outcome)
            .bind(remember_for.map(|span| whole(span.get())))
            .bind(millis(Timestamp::MAX));
        let rows = self.connections.fetch(query, Effect::Write).await.map_err(named(operation))?;
        let settled = rows.first().map(|row| column(row, 0)).transpose()?;
        Ok(if settled == Some(true) { Settled::Done } else { Settled::Lost })
    }
}

fn begun(row: &PgRow, request: &BeginInbox) -> Result<Begun> {
    let token: i64 = column(row, 1)?;
    let until = instant(column(row, 2)?)?;
    match column(row, 0)? {
        "fresh" => Ok(Begun::Fresh(Ticket {
            source: request.source().clone(),
            key: request.key().clone(),
            token: Token::new(token.unsigned_abs())?,
        })),
        "in_progress" => Ok(Begun::InProgress { until }),
        _ => {
            let outcome: Option<&str> = column(row, 3)?;
            Ok(Begun::Done(json(outcome.ok_or_else(|| corrupt("outcome"))?)?))
        }
    }
}

/// JSON as it was written.
pub(crate) fn json(text: &str) -> Result<JsonValue> {
    serde_json::from_str(text).map_err(|cause| {
        Error::new(ErrorKind::Corrupt, "a value is not JSON").in_store(STORE).caused_by(cause)
    })
}
