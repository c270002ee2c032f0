//! The least that a program would write by hand to know what is synced: a table of links, with one
//! instant that says since when a link is dirty and until when it is claimed. No revisions, no
//! failures, no fencing, nothing is decided. Each write is one statement that returns its rows, and
//! is on disk when it is answered.

use std::path::Path;
use std::time::Instant;

use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, Sqlite, query, raw_sql};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Operation, Workload};
use sync_tracker_core::Timestamp;

use super::connections::{self, Connections};

const TABLE: &str = "
CREATE TABLE links (
    source TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    external_id TEXT,
    synced_at INTEGER,
    due_at INTEGER,
    metadata TEXT,
    PRIMARY KEY (source, entity_type, entity_id)
) STRICT;
CREATE UNIQUE INDEX links_external_id ON links (source, entity_type, external_id);
CREATE INDEX links_due ON links (source, due_at) WHERE due_at IS NOT NULL;";

const FILL: &str = "INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?)";

const GET: &str = "SELECT * FROM links WHERE source = ? AND entity_type = ? AND entity_id = ?";

const BY_EXTERNAL_ID: &str =
    "SELECT * FROM links WHERE source = ? AND entity_type = ? AND external_id = ?";

const GET_MANY: &str = "SELECT links.* FROM json_each(?3) AS given CROSS JOIN links
    WHERE source = ?1 AND entity_type = ?2 AND entity_id = given.value";

const BY_EXTERNAL_IDS: &str = "SELECT links.* FROM json_each(?3) AS given CROSS JOIN links
    WHERE source = ?1 AND entity_type = ?2 AND external_id = given.value";

const CLAIM: &str = "UPDATE links SET due_at = ?1 WHERE rowid IN (
        SELECT rowid FROM links WHERE source = ?2 AND due_at <= ?3 ORDER BY due_at LIMIT ?4
    ) RETURNING *, rowid";

const GIVE_BACK: &str =
    "UPDATE links SET due_at = ? WHERE rowid IN (SELECT value FROM json_each(?))";

const NEEDS_SYNC: &str =
    "SELECT * FROM links WHERE source = ? AND due_at <= ? ORDER BY due_at LIMIT ?";

const STATISTICS: &str =
    "SELECT due_at IS NOT NULL, count(*) FROM links WHERE source = ? GROUP BY 1";

/// How long a claim lasts, in milliseconds.
const LEASE: i64 = 3_600_000;

#[derive(Debug)]
pub(crate) struct Least {
    connections: Connections,
    population: Population,
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

impl Least {
    pub(crate) fn new(connections: Connections, population: Population) -> Self {
        Self { connections, population }
    }

    /// Makes a file with the population.
    pub(crate) async fn create(path: &Path, population: &Population) -> Result<(), Failure> {
        let mut connection = connections::options(path).connect().await?;
        raw_sql(TABLE).execute(&mut connection).await?;
        let mut transaction = connection.begin().await?;
        let now = Timestamp::now().as_millis();
        for number in 0..population.size() {
            let key = population.key(number)?;
            query(FILL)
                .bind(key.source.as_str())
                .bind(key.entity.entity_type.as_str())
                .bind(key.entity.entity_id.as_str())
                .bind(population.external_id(number)?.as_str())
                .bind(now)
                .bind(population.is_due(number).then_some(now))
                .bind(population.metadata(number).to_string())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        connection.close().await?;
        Ok(())
    }

    /// Adds or changes links, and reads the rows as they are then.
    async fn upsert(
        &self,
        caller: usize,
        operation: Operation,
        numbers: &[usize],
    ) -> Result<usize, Failure> {
        let now = Timestamp::now().as_millis();
        let synced = operation == Operation::MarkSynced;
        let set = match synced {
            true => {
                "external_id = excluded.external_id, synced_at = excluded.synced_at, due_at = NULL"
            }
            false => "due_at = ifnull(due_at, excluded.due_at)",
        };
        let text = format!(
            "INSERT INTO links (source, entity_type, entity_id, external_id, synced_at, due_at)
            VALUES (?, ?, ?, ?, ?, ?){} ON CONFLICT (source, entity_type, entity_id)
            DO UPDATE SET {set} RETURNING *",
            ", (?, ?, ?, ?, ?, ?)".repeat(numbers.len() - 1),
        );
        let mut statement = query(AssertSqlSafe(text));
        for number in numbers {
            let key = match operation {
                Operation::Create => self.population.new_key(*number)?,
                _ => self.population.key(*number)?,
            };
            let external_id = match synced {
                true => Some(self.population.external_id(*number)?.to_string()),
                false => None,
            };
            statement = statement
                .bind(key.source.to_string())
                .bind(key.entity.entity_type.to_string())
                .bind(key.entity.entity_id.to_string())
                .bind(external_id)
                .bind(synced.then_some(now))
                .bind((!synced).then_some(now));
        }
        self.rows(caller, statement).await
    }

    /// How many rows a statement has. All are read.
    async fn rows(&self, caller: usize, statement: Statement<'_>) -> Result<usize, Failure> {
        let rows = statement.fetch_all(&mut *self.connections.of(caller).await).await?;
        for row in &rows {
            std::hint::black_box(link(row)?);
        }
        Ok(rows.len())
    }

    async fn claim(&self, caller: usize, limit: usize) -> Result<Done, Failure> {
        let now = Timestamp::now().as_millis();
        let statement = query(CLAIM)
            .bind(now + LEASE)
            .bind(self.population.source().as_str())
            .bind(now)
            .bind(i64::try_from(limit)?);
        let rows = statement.fetch_all(&mut *self.connections.of(caller).await).await?;
        let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
        for row in &rows {
            std::hint::black_box(link(row)?);
            ids.push(row.try_get("rowid")?);
        }
        let begun = Instant::now();
        let back = query(GIVE_BACK).bind(now).bind(serde_json::to_string(&ids)?);
        back.execute(&mut *self.connections.of(caller).await).await?;
        Ok(Done { records: rows.len(), apart: begun.elapsed() })
    }

    /// Of many ids, as JSON.
    fn key_ids(&self, numbers: &[usize]) -> Result<String, Failure> {
        let ids = numbers.iter().map(|number| Ok(self.population.key(*number)?.entity.entity_id));
        let ids = ids.collect::<Result<Vec<_>, Failure>>()?;
        Ok(serde_json::to_string(&ids)?)
    }

    fn external_ids(&self, numbers: &[usize]) -> Result<String, Failure> {
        let ids = numbers.iter().map(|number| self.population.external_id(*number));
        Ok(serde_json::to_string(&ids.collect::<Result<Vec<_>, _>>()?)?)
    }
}

#[async_trait]
impl Contestant for Least {
    async fn call(
        &self,
        caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let population = &self.population;
        let (source, entity_type) =
            (population.source().as_str(), population.entity_type().as_str());
        let records = match (workload.operation, numbers) {
            (Operation::Get, [number]) => {
                let key = population.key(*number)?;
                let id = key.entity.entity_id.as_str();
                self.rows(caller, query(GET).bind(source).bind(entity_type).bind(id)).await?
            }
            (Operation::Get, numbers) => {
                let ids = self.key_ids(numbers)?;
                self.rows(caller, query(GET_MANY).bind(source).bind(entity_type).bind(ids)).await?
            }
            (Operation::ByExternalId, [number]) => {
                let id = population.external_id(*number)?;
                let statement = query(BY_EXTERNAL_ID).bind(source).bind(entity_type);
                self.rows(caller, statement.bind(id.as_str())).await?
            }
            (Operation::ByExternalId, numbers) => {
                let ids = self.external_ids(numbers)?;
                let statement = query(BY_EXTERNAL_IDS).bind(source).bind(entity_type);
                self.rows(caller, statement.bind(ids)).await?
            }
            (Operation::Create | Operation::Update | Operation::MarkSynced, numbers) => {
                self.upsert(caller, workload.operation, numbers).await?
            }
            (Operation::Claim, _) => return self.claim(caller, workload.batch).await,
            (Operation::NeedsSync, _) => {
                let now = Timestamp::now().as_millis();
                let limit = i64::try_from(workload.batch)?;
                let statement = query(NEEDS_SYNC).bind(source).bind(now).bind(limit);
                self.rows(caller, statement).await?
            }
            (Operation::Statistics, _) => {
                let statement = query(STATISTICS).bind(source);
                let connection = &mut *self.connections.of(caller).await;
                usize::from(!statement.fetch_all(connection).await?.is_empty())
            }
        };
        if records < numbers.len() {
            return Err(format!("{workload}: {records} of {} rows", numbers.len()).into());
        }
        Ok(Done::records(records))
    }
}

/// What a row says.
#[derive(Debug)]
#[expect(dead_code, reason = "as a program would read it")]
struct Link {
    source: String,
    entity_type: String,
    entity_id: String,
    external_id: Option<String>,
    synced_at: Option<i64>,
    due_at: Option<i64>,
    metadata: Option<String>,
}

fn link(row: &SqliteRow) -> Result<Link, sqlx::Error> {
    Ok(Link {
        source: row.try_get(0)?,
        entity_type: row.try_get(1)?,
        entity_id: row.try_get(2)?,
        external_id: row.try_get(3)?,
        synced_at: row.try_get(4)?,
        due_at: row.try_get(5)?,
        metadata: row.try_get(6)?,
    })
}
