//! Pages of records on one connection, by the narrowest index.

use sqlx::{AssertSqlSafe, Row, SqliteConnection, query};
use sync_tracker_core::{
    Cursor, Filter, Page, PageSize, Result, Source, Status, SyncRecord, Timestamp,
};

use crate::claim::WAITING;
use crate::error::before_commit;
use crate::row::{self, Statement, decoding};
use crate::statements;

/// Every source that has a record, in order.
pub(crate) async fn sources(on: &mut SqliteConnection) -> Result<Vec<Source>> {
    read_sources(on, statements::SOURCES).await
}

async fn read_sources(on: &mut SqliteConnection, statement: &'static str) -> Result<Vec<Source>> {
    let rows = query(statement).fetch_all(on).await.map_err(before_commit)?;
    let source = |row: &sqlx::sqlite::SqliteRow| {
        let name: &str = row.try_get(0).map_err(before_commit)?;
        Source::new(name).map_err(decoding)
    };
    rows.iter().map(source).collect()
}

/// A page of the records that pass, in the order of their keys.
pub(crate) async fn list(
    on: &mut SqliteConnection,
    filter: &Filter,
    after: Option<&Cursor>,
    size: PageSize,
    now: Timestamp,
) -> Result<Page> {
    let sources = match (&filter.source, &filter.entity_type) {
        (Some(source), _) => vec![source.clone()],
        (None, Some(_)) => read_sources(on, statements::SOURCES_OF_ANY_TYPE).await?,
        (None, None) => sources(on).await?,
    };
    // One more than fits tells whether there is a next page.
    let wanted = size.get() + 1;
    let mut found = Vec::new();
    for source in sources {
        let from = match after {
            Some(cursor) if *cursor.source() > source => continue,
            Some(cursor) if *cursor.source() == source => match cursor.key() {
                Some(key) => {
                    Position(key.entity.entity_type.to_string(), key.entity.entity_id.to_string())
                }
                None => continue,
            },
            _ => Position::default(),
        };
        let walk = Walk { filter, source: &source, now };
        found.extend(walk.take(on, from, wanted - found.len()).await?);
        if found.len() == wanted {
            break;
        }
    }
    Ok(Page::of(found, size))
}

/// After an entity of a source: its type and its id.
#[derive(Clone, Debug, Default)]
struct Position(String, String);

/// A walk over one source.
pub(crate) struct Walk<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) source: &'a Source,
    pub(crate) now: Timestamp,
}

impl Walk<'_> {
    /// The first records that pass after a position.
    async fn take(
        &self,
        on: &mut SqliteConnection,
        mut from: Position,
        wanted: usize,
    ) -> Result<Vec<SyncRecord>> {
        let mut found = Vec::new();
        loop {
            let mut rows = self.rows(on, &from, wanted).await?;
            rows.sort_by(|a, b| a.key.cmp(&b.key));
            rows.truncate(wanted);
            let more = rows.len() == wanted;
            if let Some(last) = rows.last() {
                let entity = &last.key.entity;
                from = Position(entity.entity_type.to_string(), entity.entity_id.to_string());
            }
            found.extend(rows.into_iter().filter(|row| self.filter.matches(row, self.now)));
            if !more || found.len() >= wanted {
                found.truncate(wanted);
                return Ok(found);
            }
        }
    }

    /// Which statuses are walked, each by the index; none is all of them.
    fn statuses(&self) -> &[Status] {
        match self.filter {
            Filter { claim_id: Some(_), .. } => &[],
            Filter { status: Some(status), .. } => std::slice::from_ref(status),
            Filter { due: Some(true), .. } => &WAITING,
            _ => &[],
        }
    }

    /// The statement. What it does not demand, [`Filter::matches`] does. All statuses are walked by
    /// one statement, which sees one state: else a record that changes its status could slip
    /// through.
    pub(crate) fn text(&self) -> String {
        let Filter { source: _, entity_type, status: _, due, claim_id, metadata: _ } = self.filter;
        let mut text = String::from(statements::LIST);
        text.push_str(match entity_type {
            Some(_) => " AND r.entity_type = ?2 AND r.entity_id > ?3",
            None => {
                " AND (r.entity_type, r.entity_id) > (?2, ?3)
                AND substr(r.entity_type, 1, 13) <> 'sync-tracker/'"
            }
        });
        text.push_str(match due {
            // The plus keeps the order of keys: due records are walked, not sorted.
            Some(true) => " AND +r.due_at <= ?5",
            Some(false) => " AND ifnull(r.due_at > ?5, 1)",
            None => "",
        });
        if claim_id.is_some() {
            text.push_str(" AND r.claim_id = ?6");
        }
        let end = "ORDER BY r.entity_type, r.entity_id LIMIT ?4";
        let walks: Vec<_> = self
            .statuses()
            .iter()
            .map(|status| {
                // The literal shows that the partial index has them all.
                let status = status.as_str();
                let waiting = if status == "synced" { "" } else { "AND r.status <> 'synced'" };
                format!("SELECT * FROM ({text} AND r.status = '{status}' {waiting} {end})")
            })
            .collect();
        if walks.is_empty() { format!("{text} {end}") } else { walks.join(" UNION ALL ") }
    }

    /// Some records after a position, of each status as many as there are and are wanted.
    async fn rows(
        &self,
        on: &mut SqliteConnection,
        Position(of, id): &Position,
        wanted: usize,
    ) -> Result<Vec<SyncRecord>> {
        let Filter { entity_type, claim_id, .. } = self.filter;
        let mut statement: Statement<'_> =
            query(AssertSqlSafe(self.text())).bind(self.source.as_str());
        statement = match entity_type {
            // A type before that of the position is done, one after it has not begun.
            Some(only) if only.as_str() < of.as_str() => return Ok(Vec::new()),
            Some(only) if only.as_str() > of.as_str() => statement.bind(only.as_str()).bind(""),
            _ => statement.bind(of.as_str()).bind(id.as_str()),
        };
        let statement = statement
            .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
            .bind(self.now.as_millis())
            .bind(claim_id.as_ref().map(ToString::to_string));
        let rows = statement.fetch_all(on).await.map_err(before_commit)?;
        rows.iter().map(row::record).collect()
    }
}

/// The records of one entity, in the order of their sources.
pub(crate) async fn records_of(
    on: &mut SqliteConnection,
    entity: &sync_tracker_core::EntityRef,
) -> Result<Vec<SyncRecord>> {
    let rows = query(statements::RECORDS_OF)
        .bind(entity.entity_type.as_str())
        .bind(entity.entity_id.as_str())
        .fetch_all(on)
        .await;
    rows.map_err(before_commit)?.iter().map(row::record).collect()
}
