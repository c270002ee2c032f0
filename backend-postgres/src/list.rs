//! Pages of records.

use std::fmt::Write;

use sync_tracker_core::{Cursor, EntityRef, Error, ErrorKind, Filter, Key, Page, PageSize, Result};

use crate::compose::clock;
use crate::error::{Effect, Failed};
use crate::row::{self, sent_of};
use crate::store::PostgresStore;
use crate::value::{self, Value};

/// The conditions of a page, and what is bound to them.
struct Conditions<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Conditions<'a> {
    /// The clock and the limit come first.
    const FIXED: usize = 2;

    fn demand(&mut self, condition: &str) {
        let _ = write!(self.text, " AND {condition}");
    }

    /// Demands something of a value, which is written `?`.
    fn demand_of(&mut self, condition: &str, value: Value<'a>) {
        let parameter = self.parameter(value);
        self.demand(&condition.replace('?', &parameter));
    }

    fn parameter(&mut self, value: Value<'a>) -> String {
        self.values.push(value);
        format!("${}", Self::FIXED + self.values.len())
    }

    fn after(&mut self, cursor: &'a Cursor) {
        match cursor.key() {
            None => self.demand_of("r.source > ?", Value::text(cursor.source().as_str())),
            Some(Key { source, entity: EntityRef { entity_type, entity_id } }) => {
                let parts = [source.as_str(), entity_type.as_str(), entity_id.as_str()];
                let parts = parts.map(|part| self.parameter(Value::text(part))).join(", ");
                self.demand(&format!("(r.source, r.entity_type, r.entity_id) > ({parts})"));
            }
        }
    }
}

impl PostgresStore {
    /// Translates `Ledger::list`: the text has a condition for each demand of the filter.
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
    ) -> Result<Page, Failed> {
        let Filter { source, entity_type, status, due, claim_id, metadata } = filter;
        let mut all = Conditions { text: "true".into(), values: Vec::new() };
        if let Some(source) = source {
            all.demand_of("r.source = ?", Value::text(source.as_str()));
        }
        match entity_type {
            Some(of) => all.demand_of("r.entity_type = ?", Value::text(of.as_str())),
            None => all.demand("NOT starts_with(r.entity_type, 'sync-tracker/')"),
        }
        if let Some(status) = status {
            let number = i64::from(value::status(*status));
            all.demand_of("r.status = ?", Value::Int(Some(number)));
        }
        match due {
            Some(true) => all.demand("r.due_at <= (SELECT now FROM c)"),
            Some(false) => all.demand("(r.due_at IS NULL OR r.due_at > (SELECT now FROM c))"),
            None => {}
        }
        if let Some(claim) = claim_id {
            all.demand_of("r.lease_claim = ?", Value::owned(claim.to_string()));
        }
        if let Some(metadata) = metadata {
            let json = serde_json::to_string(metadata).map_err(|cause| {
                Error::new(ErrorKind::Internal, "metadata is not JSON").caused_by(cause)
            })?;
            // The first is for an index on metadata, if somebody made one.
            all.demand_of(
                "r.metadata @> ?::jsonb AND NOT EXISTS (SELECT FROM jsonb_each(?::jsonb) f \
                 WHERE r.metadata -> f.key IS DISTINCT FROM f.value)",
                Value::owned(json),
            );
        }
        if let Some(cursor) = after {
            all.after(cursor);
        }
        let text = self.statements.fill(&format!(
            "WITH c AS (SELECT {} AS now) SELECT {} FROM {{records}} r WHERE {} \
             ORDER BY r.source, r.entity_type, r.entity_id LIMIT $2",
            clock("$1"),
            sent_of("r"),
            all.text,
        ));
        // One more tells whether there is a further page.
        let limit = i64::try_from(size.get() + 1).unwrap_or(i64::MAX);
        let mut query = text.query().bind(self.clock()).bind(limit);
        for value in all.values {
            query = value.bind(query);
        }
        let rows = self.connections.fetch(query, Effect::None).await?;
        let records: Result<Vec<_>> = rows.iter().map(|row| row::record(row, 0)).collect();
        Ok(Page::of(records?, size))
    }
}
