//! Pages of records.

use std::fmt::Write;

use sync_tracker_core::{
    Cursor, EntityRef, Error, ErrorKind, Filter, Key, Page, PageSize, Result, Status,
};

use crate::compose::each_of;
use crate::error::{Effect, Failed};
use crate::row::{self, sent_of};
use crate::store::PostgresStore;
use crate::value::{self, Value};

/// The server's clock as one that stands still within a statement: so the server can look up how
/// many records are due before it chooses how to find them.
const STATEMENT_BEGAN: &str = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

const ORDER: &str = "ORDER BY r.source, r.entity_type, r.entity_id";

/// The conditions of a page, and what is bound to them.
struct Conditions<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Conditions<'a> {
    /// The limit comes first.
    const FIXED: usize = 1;

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
        if let Some(due) = due {
            let now = match self.clock() {
                Some(now) => format!("{}::bigint", all.parameter(Value::Int(Some(now)))),
                None => STATEMENT_BEGAN.to_owned(),
            };
            match due {
                true => all.demand(&format!("r.due_at <= {now}")),
                false => all.demand(&format!("(r.due_at IS NULL OR r.due_at > {now})")),
            }
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
        let (columns, conditions) = (sent_of("r"), all.text);
        // Each by the index that has the pages of a status.
        let walks: Vec<_> = statuses(filter)
            .iter()
            .map(|status| {
                let number = value::status(*status);
                format!(
                    "(SELECT r.source, r.entity_type, r.entity_id FROM {{records}} r \
                     WHERE r.status <> 7 AND r.status = {number} AND {conditions} {ORDER} LIMIT $1)"
                )
            })
            .collect();
        let text = self.statements.fill(&if walks.is_empty() {
            let synced = match status {
                Some(status) => format!("r.status = {} AND", value::status(*status)),
                None => String::new(),
            };
            format!(
                "SELECT {columns} FROM {{records}} r WHERE {synced} {conditions} {ORDER} LIMIT $1"
            )
        } else {
            format!(
                "SELECT {columns} FROM (SELECT * FROM ({}) r {ORDER} LIMIT $1) k \
                 JOIN {{records}} r ON {} {ORDER}",
                walks.join(" UNION ALL "),
                each_of("k")
            )
        });
        // One more tells whether there is a further page.
        let limit = i64::try_from(size.get() + 1).unwrap_or(i64::MAX);
        let mut query = text.query().bind(limit);
        for value in all.values {
            query = value.bind(query);
        }
        let rows = self.connections.fetch(query, Effect::None).await?;
        let records: Result<Vec<_>> = rows.iter().map(|row| row::record(row, 0)).collect();
        Ok(Page::of(records?, size))
    }
}

/// Which statuses are walked; none is the walk over all keys.
fn statuses(filter: &Filter) -> &[Status] {
    match filter {
        Filter { claim_id: Some(_), .. } | Filter { status: Some(Status::Synced), .. } => &[],
        Filter { status: Some(status), .. } => std::slice::from_ref(status),
        Filter { due: Some(true), .. } => &[Status::InProgress, Status::Failed, Status::Pending],
        _ => &[],
    }
}
