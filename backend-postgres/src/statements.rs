//! The text of every statement, with the names of the tables of one store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};
use sync_tracker_core::{Change, Shape};

use crate::compose::{Composed, Param, Target, clock, compose, each_of};
use crate::names::Names;
use crate::row::{WRITTEN, casts, sent_of};

/// The text of a statement. It is made of constants and of names that were checked.
#[derive(Clone)]
pub(crate) struct Text(Arc<str>);

impl Text {
    pub(crate) fn query<'q>(&self) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(AssertSqlSafe(Arc::clone(&self.0)))
    }
}

/// The statement of one shape.
pub(crate) struct Prepared {
    pub(crate) text: Text,
    pub(crate) params: Vec<Param>,
    pub(crate) may_create: bool,
}

/// The statements of one store.
pub(crate) struct Statements {
    names: Names,
    composed: Mutex<HashMap<(Target, Shape), Arc<Prepared>>>,
    pub(crate) now: Text,
    pub(crate) get: Text,
    pub(crate) get_many: Text,
    pub(crate) by_external_id: Text,
    pub(crate) by_external_ids: Text,
    pub(crate) holders: Text,
    pub(crate) put: Text,
    pub(crate) sources: Text,
    pub(crate) records_of: Text,
    pub(crate) statistics: Text,
    pub(crate) pause: Text,
    pub(crate) resume: Text,
    pub(crate) paused: Text,
    pub(crate) orphans: Text,
    pub(crate) lock_two: Text,
    pub(crate) hold: Text,
    pub(crate) rename: Text,
    pub(crate) durability: Text,
    pub(crate) inbox_begin: Text,
    pub(crate) inbox_settle: Text,
    pub(crate) inbox_forget: Text,
    pub(crate) checkpoint_load: Text,
    pub(crate) checkpoint_save: Text,
    pub(crate) checkpoint_reset: Text,
    pub(crate) checkpoints: Text,
    pub(crate) horizon: Text,
    pub(crate) raise_horizon: Text,
}

impl Statements {
    /// How many shapes are kept: rules have about a hundred, callers may have any.
    pub(crate) const MAX_SHAPES: usize = 512;

    pub(crate) fn new(names: Names) -> Self {
        let text = |text: &str| Text(names.fill(text).into());
        let columns = sent_of("r");
        let now = clock("$1");
        let file = |file: &str| text(&file.replace("{clock}", &now));
        // The holder, of which there is one; else the tombstone that was deleted last. What is kept
        // back by OFFSET is done in this order: the server could also think that the source has few
        // records, and look for the id of each.
        let carrier = |id: &str| {
            format!(
                "SELECT r.* FROM ( \
                 SELECT h.entity_id FROM {{ids}} h WHERE h.source = $1 AND h.entity_type = $2 \
                 AND h.external_id = {id} \
                 UNION ALL SELECT f.entity_id FROM {{former_ids}} f WHERE f.source = $1 \
                 AND f.entity_type = $2 AND f.external_id = {id}) c \
                 CROSS JOIN LATERAL (SELECT r.* FROM {{records}} r WHERE r.source = $1 \
                 AND r.entity_type = $2 AND r.entity_id = c.entity_id OFFSET 0) r \
                 ORDER BY r.status = 5, r.deleted_at DESC NULLS LAST, r.entity_id LIMIT 1"
            )
        };
        let unreserved = "NOT starts_with(r.entity_type, 'sync-tracker/')";
        Self {
            composed: Mutex::default(),
            now: text(&format!("SELECT {now}")),
            // That for many would be planned anew each time, since the server expects several.
            get: text(&format!(
                "SELECT {columns} FROM {{records}} r WHERE r.source = $1 AND r.entity_type = $2 \
                 AND r.entity_id = $3"
            )),
            get_many: text(&format!(
                "SELECT i.ord, {columns} FROM unnest($1::text[], $2::text[], $3::text[]) \
                 WITH ORDINALITY AS i (source, entity_type, entity_id, ord) \
                 JOIN {{records}} r ON {}",
                each_of("i")
            )),
            by_external_id: text(&format!("SELECT {columns} FROM ({}) r", carrier("$3"))),
            by_external_ids: text(&format!(
                "SELECT i.ord, {columns} FROM unnest($3::text[]) WITH ORDINALITY AS i (id, ord) \
                 CROSS JOIN LATERAL ({}) r",
                carrier("i.id")
            )),
            holders: text(
                "SELECT external_id, entity_id FROM {ids} \
                 WHERE source = $1 AND entity_type = $2 AND external_id = ANY ($3)",
            ),
            put: text(&put()),
            sources: text(&format!(
                "{SOURCES} SELECT s.source FROM s WHERE s.source IS NOT NULL AND EXISTS \
                 (SELECT FROM {{records}} r WHERE r.source = s.source AND {unreserved}) \
                 ORDER BY s.source"
            )),
            records_of: text(&format!(
                "{SOURCES} SELECT {columns} FROM s JOIN {{records}} r ON r.source = s.source \
                 AND r.entity_type = $1 AND r.entity_id = $2 ORDER BY r.source"
            )),
            statistics: text(&format!(
                "WITH c AS MATERIALIZED (SELECT {now} AS now), \
                 d AS (SELECT \
                 (SELECT count(*) FROM {{records}} r WHERE r.source = $2 AND {unreserved} \
                 AND r.due_at <= (SELECT now FROM c)) AS due_now, \
                 (SELECT r.due_at FROM {{records}} r WHERE r.source = $2 AND {unreserved} \
                 AND r.due_at > (SELECT now FROM c) ORDER BY r.due_at LIMIT 1) AS next_due, \
                 (SELECT r.due_at FROM {{records}} r WHERE r.source = $2 AND {unreserved} \
                 AND r.due_at IS NOT NULL AND r.status = 6 ORDER BY r.due_at LIMIT 1) AS oldest) \
                 SELECT NULL::text, NULL::smallint, NULL::bigint, now, due_now, next_due, oldest \
                 FROM c, d UNION ALL \
                 SELECT r.entity_type, r.status, count(*), NULL, NULL, NULL, NULL \
                 FROM {{records}} r WHERE r.source = $2 AND r.status >= 0 AND {unreserved} \
                 GROUP BY r.entity_type, r.status"
            )),
            pause: text(&format!(
                "INSERT INTO {{pauses}} AS p (source, since, until, reason) \
                 SELECT $2::text, c.now, CASE WHEN $3::bigint IS NOT NULL \
                 THEN least(c.now + $3::bigint, $4::bigint) END, $5::text \
                 FROM (SELECT {now} AS now OFFSET 0) c \
                 ON CONFLICT (source) DO UPDATE \
                 SET since = excluded.since, until = excluded.until, reason = excluded.reason"
            )),
            resume: text("DELETE FROM {pauses} WHERE source = $1"),
            paused: text(&format!(
                "SELECT since, until, reason FROM {{pauses}} \
                 WHERE source = $2 AND (until IS NULL OR until > (SELECT {now}))"
            )),
            orphans: text(ORPHANS),
            lock_two: text(&format!(
                "SELECT {now}, {columns} FROM {{records}} r WHERE (r.source, r.entity_type, \
                 r.entity_id) IN (($2, $3, $4), ($5, $6, $7)) \
                 ORDER BY r.source, r.entity_type, r.entity_id FOR UPDATE"
            )),
            hold: text("SELECT {hold}($1, $2, $3, $4, $5, $6, $7)"),
            rename: text(
                "UPDATE {records} SET source = $4, entity_type = $5, entity_id = $6, \
                 version = version + 1 WHERE source = $1 AND entity_type = $2 AND entity_id = $3",
            ),
            durability: text(
                "SELECT current_setting('fsync') = 'on' \
                 AND current_setting('full_page_writes') = 'on', \
                 current_setting('synchronous_commit') <> 'off', \
                 current_setting('synchronous_commit') NOT IN ('off', 'local') \
                 AND current_setting('synchronous_standby_names') <> ''",
            ),
            inbox_begin: file(include_str!("sql/inbox_begin.sql")),
            inbox_settle: file(include_str!("sql/inbox_settle.sql")),
            inbox_forget: text(&format!(
                "WITH f AS (DELETE FROM {{inbox}} i WHERE i.source = $2 \
                 AND i.until < (SELECT {now}) - $3::bigint RETURNING 1) SELECT count(*) FROM f"
            )),
            checkpoint_load: text(
                "SELECT value, version, generation, saved_at FROM {checkpoints} \
                 WHERE source = $1 AND stream = $2",
            ),
            checkpoint_save: file(include_str!("sql/checkpoint_save.sql")),
            checkpoint_reset: file(include_str!("sql/checkpoint_reset.sql")),
            checkpoints: text(
                "SELECT value, version, generation, saved_at, stream FROM {checkpoints} \
                 WHERE source = $1 ORDER BY stream",
            ),
            horizon: text("SELECT instant FROM {horizons} WHERE source = $1"),
            raise_horizon: text(
                "INSERT INTO {horizons} AS h (source, instant) VALUES ($1, $2) \
                 ON CONFLICT (source) DO UPDATE \
                 SET instant = greatest(h.instant, excluded.instant) RETURNING h.instant",
            ),
            names,
        }
    }

    /// A text with names in braces.
    pub(crate) fn fill(&self, text: &str) -> Text {
        Text(self.names.fill(text).into())
    }

    /// The statement of a change.
    pub(crate) fn of(&self, change: &Change, target: Target) -> Arc<Prepared> {
        let key = (target, change.shape());
        let mut composed = self.composed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = composed.get(&key) {
            return Arc::clone(known);
        }
        let Composed { text, params, may_create } = compose(change, target);
        let prepared = Arc::new(Prepared { text: self.fill(&text), params, may_create });
        if composed.len() >= Self::MAX_SHAPES {
            composed.clear();
        }
        composed.insert(key, Arc::clone(&prepared));
        prepared
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statements").field("names", &self.names).finish_non_exhaustive()
    }
}

/// All sources: one probe of the index each.
const SOURCES: &str = "WITH RECURSIVE s AS ( \
     (SELECT r.source FROM {records} r ORDER BY r.source LIMIT 1) \
     UNION ALL SELECT (SELECT r.source FROM {records} r WHERE r.source > s.source \
     ORDER BY r.source LIMIT 1) FROM s WHERE s.source IS NOT NULL)";

/// Ids that no record has, and records whose ids are missing.
const ORPHANS: &str = "WITH carried AS ( \
     SELECT r.source, r.entity_type, r.entity_id, x.id, r.status <> 5 AS held FROM {records} r, \
     unnest(array_remove(array_prepend(r.external_id, r.aliases), NULL)) AS x (id)), \
     kept AS (SELECT source, entity_type, entity_id, external_id AS id, true AS held FROM {ids} \
     UNION ALL SELECT source, entity_type, entity_id, external_id, false FROM {former_ids}) \
     SELECT source, entity_type, entity_id, id, held, true AS kept \
     FROM (SELECT * FROM kept EXCEPT SELECT * FROM carried) o \
     UNION ALL SELECT source, entity_type, entity_id, id, held, false \
     FROM (SELECT * FROM carried EXCEPT SELECT * FROM kept) m";

/// Translates `Ledger::put`: bound are the columns of a whole record, all ids in one array, and
/// whether they are held. The answer is whether it is stored; no row if another insertion came
/// between.
fn put() -> String {
    let written = WRITTEN.join(", ");
    let values: Vec<_> =
        casts().enumerate().map(|(at, cast)| format!("${}{cast}", at + 1)).collect();
    let ids = format!("${}::text[]", values.len() + 1);
    let held = format!("${}::boolean", values.len() + 2);
    let own = values[3..].join(", ");
    format!(
        "WITH d AS MATERIALIZED ( \
         SELECT {{hold}}(o.source, o.entity_type, o.entity_id, \
         array_remove(array_prepend(o.external_id, o.aliases), NULL), o.status <> 5, {ids}, {held}) \
         AS ok FROM (SELECT r.* FROM {{records}} r WHERE r.source = $1 AND r.entity_type = $2 \
         AND r.entity_id = $3 FOR UPDATE) o), \
         u AS (UPDATE {{records}} r SET ({written}) = ROW ({own}) FROM d WHERE d.ok \
         AND r.source = $1 AND r.entity_type = $2 AND r.entity_id = $3 RETURNING true), \
         n AS (INSERT INTO {{records}} AS r (source, entity_type, entity_id, {written}) \
         SELECT {all} WHERE NOT EXISTS (SELECT FROM d) \
         ON CONFLICT (source, entity_type, entity_id) DO NOTHING \
         RETURNING r.source, r.entity_type, r.entity_id) \
         SELECT d.ok FROM d UNION ALL \
         SELECT {{hold_new}}(n.source, n.entity_type, n.entity_id, {ids}, {held}) FROM n",
        all = values.join(", ")
    )
}
