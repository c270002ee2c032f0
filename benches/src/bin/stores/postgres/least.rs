//! The least that a program would write by hand to know what is synced: a table of links, each with
//! a state and since when it has that. No revisions, no failures, no fencing, nothing is decided.
//! Each write is one statement that returns its rows, and is on disk when it is answered.

use std::time::Instant;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row, query, raw_sql};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Operation, Workload};
use sync_tracker_core::{Key, Timestamp};

use super::connections::Connections;

const TABLE: &str = r#"
CREATE SCHEMA {schema};
CREATE TABLE {links} (
    source text COLLATE "C" NOT NULL,
    entity_type text COLLATE "C" NOT NULL,
    entity_id text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    state text NOT NULL,
    updated_at bigint NOT NULL,
    metadata jsonb,
    PRIMARY KEY (source, entity_type, entity_id)
);
CREATE UNIQUE INDEX links_external_id ON {links} (source, entity_type, external_id);
CREATE INDEX links_pending ON {links} (source, updated_at) WHERE state = 'pending';"#;

const FILL: &str = "INSERT INTO {links} \
     SELECT $1, $2, id, external_id, state, $3, metadata::jsonb \
     FROM unnest($4::text[], $5::text[], $6::text[], $7::text[]) \
     AS given (id, external_id, state, metadata)";

/// How many links one statement has when the table is filled.
const FILLED: usize = 1_000;

const COLUMNS: &str =
    "l.source, l.entity_type, l.entity_id, l.external_id, l.state, l.updated_at, l.metadata::text";

const GET: &str = "SELECT {columns} FROM {links} l \
     WHERE source = $1 AND entity_type = $2 AND entity_id = $3";

const BY_EXTERNAL_ID: &str = "SELECT {columns} FROM {links} l \
     WHERE source = $1 AND entity_type = $2 AND external_id = $3";

const GET_MANY: &str = "SELECT {columns} FROM unnest($3::text[]) AS given (id) \
     JOIN {links} l ON source = $1 AND entity_type = $2 AND entity_id = given.id";

const BY_EXTERNAL_IDS: &str = "SELECT {columns} FROM unnest($3::text[]) AS given (id) \
     JOIN {links} l ON source = $1 AND entity_type = $2 AND external_id = given.id";

const UPSERT: &str = "INSERT INTO {links} AS l \
     (source, entity_type, entity_id, external_id, state, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6) {or_change} RETURNING {columns}";

const UPSERT_MANY: &str = "INSERT INTO {links} AS l \
     (source, entity_type, entity_id, external_id, state, updated_at) \
     SELECT source, entity_type, entity_id, external_id, $5, $6 \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) \
     AS given (source, entity_type, entity_id, external_id) {or_change} RETURNING {columns}";

const OR_CHANGE: &str = "ON CONFLICT (source, entity_type, entity_id) DO UPDATE \
     SET external_id = coalesce(excluded.external_id, l.external_id), \
     state = excluded.state, updated_at = excluded.updated_at";

const CLAIM: &str = "UPDATE {links} l SET state = 'claimed', updated_at = $2 \
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM {links} WHERE source = $1 AND state = 'pending' \
     ORDER BY updated_at LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING {columns}";

const GIVE_BACK: &str = "UPDATE {links} SET state = 'pending', updated_at = $3 \
     WHERE source = $1 AND entity_type = $2 AND entity_id = ANY ($4)";

const NEEDS_SYNC: &str = "SELECT {columns} FROM {links} l \
     WHERE source = $1 AND state = 'pending' ORDER BY updated_at LIMIT $2";

const STATISTICS: &str = "SELECT state, count(*) FROM {links} WHERE source = $1 GROUP BY state";

#[derive(Debug)]
pub(crate) struct Least {
    connections: Connections,
    population: Population,
    texts: Texts,
}

/// The statements, with the name of the table.
#[derive(Debug)]
struct Texts {
    get: String,
    get_many: String,
    by_external_id: String,
    by_external_ids: String,
    upsert: String,
    upsert_many: String,
    claim: String,
    give_back: String,
    needs_sync: String,
    statistics: String,
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

fn filled(text: &str, schema: &str) -> String {
    text.replace("{links}", &format!("{schema}.links"))
        .replace("{schema}", schema)
        .replace("{columns}", COLUMNS)
        .replace("{or_change}", OR_CHANGE)
}

fn of(text: &str) -> Statement<'_> {
    query(AssertSqlSafe(text))
}

fn state(pending: bool) -> &'static str {
    if pending { "pending" } else { "synced" }
}

impl Least {
    pub(crate) fn new(connections: Connections, population: Population, schema: &str) -> Self {
        let text = |text| filled(text, schema);
        let texts = Texts {
            get: text(GET),
            get_many: text(GET_MANY),
            by_external_id: text(BY_EXTERNAL_ID),
            by_external_ids: text(BY_EXTERNAL_IDS),
            upsert: text(UPSERT),
            upsert_many: text(UPSERT_MANY),
            claim: text(CLAIM),
            give_back: text(GIVE_BACK),
            needs_sync: text(NEEDS_SYNC),
            statistics: text(STATISTICS),
        };
        Self { connections, population, texts }
    }

    /// Makes a schema with the population.
    pub(crate) async fn create(
        on: &mut PgConnection,
        schema: &str,
        population: &Population,
    ) -> Result<(), Failure> {
        raw_sql(AssertSqlSafe(filled(TABLE, schema))).execute(&mut *on).await?;
        let fill = filled(FILL, schema);
        let now = Timestamp::now().as_millis();
        for first in (0..population.size()).step_by(FILLED) {
            let (mut ids, mut external_ids) = (Vec::new(), Vec::new());
            let (mut states, mut metadata) = (Vec::new(), Vec::new());
            for number in first..population.size().min(first + FILLED) {
                ids.push(population.key(number)?.entity.entity_id.to_string());
                external_ids.push(population.external_id(number)?.to_string());
                states.push(state(population.is_due(number)));
                metadata.push(population.metadata(number).to_string());
            }
            of(&fill)
                .bind(population.source().as_str())
                .bind(population.entity_type().as_str())
                .bind(now)
                .bind(ids)
                .bind(external_ids)
                .bind(states)
                .bind(metadata)
                .execute(&mut *on)
                .await?;
        }
        Ok(())
    }

    /// Adds or changes links, and reads the rows as they are then.
    async fn upsert(
        &self,
        caller: usize,
        operation: Operation,
        numbers: &[usize],
    ) -> Result<usize, Failure> {
        let synced = operation == Operation::MarkSynced;
        let mut keys = Vec::with_capacity(numbers.len());
        let mut external_ids = Vec::with_capacity(numbers.len());
        for number in numbers {
            keys.push(match operation {
                Operation::Create => self.population.new_key(*number)?,
                _ => self.population.key(*number)?,
            });
            let id = || self.population.external_id(*number);
            external_ids.push(synced.then(id).transpose()?.map(|id| id.to_string()));
        }
        let statement = match keys.as_slice() {
            [Key { source, entity }] => of(&self.texts.upsert)
                .bind(source.as_str())
                .bind(entity.entity_type.as_str())
                .bind(entity.entity_id.as_str())
                .bind(external_ids.pop().flatten()),
            keys => {
                let parts = |part: fn(&Key) -> &str| keys.iter().map(part).collect::<Vec<_>>();
                of(&self.texts.upsert_many)
                    .bind(parts(|key| key.source.as_str()))
                    .bind(parts(|key| key.entity.entity_type.as_str()))
                    .bind(parts(|key| key.entity.entity_id.as_str()))
                    .bind(external_ids)
            }
        };
        let statement = statement.bind(state(!synced)).bind(Timestamp::now().as_millis());
        Ok(self.links(caller, statement).await?.len())
    }

    async fn links(&self, caller: usize, statement: Statement<'_>) -> Result<Vec<Link>, Failure> {
        let rows = statement.fetch_all(&mut *self.connections.of(caller).await?).await?;
        Ok(rows.iter().map(link).collect::<Result<_, _>>()?)
    }

    async fn claim(&self, caller: usize, limit: usize) -> Result<Done, Failure> {
        let source = self.population.source().as_str();
        let now = Timestamp::now().as_millis();
        let statement = of(&self.texts.claim).bind(source).bind(now).bind(i64::try_from(limit)?);
        let links = self.links(caller, statement).await?;
        let begun = Instant::now();
        let ids: Vec<_> = links.iter().map(|link| link.entity_id.as_str()).collect();
        let entity_type = self.population.entity_type().as_str();
        let back = of(&self.texts.give_back).bind(source).bind(entity_type).bind(now).bind(ids);
        back.execute(&mut *self.connections.of(caller).await?).await?;
        Ok(Done { records: links.len(), apart: begun.elapsed() })
    }

    fn ids(&self, numbers: &[usize]) -> Result<Vec<String>, Failure> {
        let id = |number: &usize| Ok(self.population.key(*number)?.entity.entity_id.to_string());
        numbers.iter().map(id).collect()
    }

    fn external_ids(&self, numbers: &[usize]) -> Result<Vec<String>, Failure> {
        let id = |number: &usize| Ok(self.population.external_id(*number)?.to_string());
        numbers.iter().map(id).collect()
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
        let Self { population, texts, .. } = self;
        let source = population.source().as_str();
        let found = |text| of(text).bind(source).bind(population.entity_type().as_str());
        let records = match (workload.operation, numbers) {
            (Operation::Get, [number]) => {
                let key = population.key(*number)?;
                let statement = found(&texts.get).bind(key.entity.entity_id.as_str());
                self.links(caller, statement).await?.len()
            }
            (Operation::Get, numbers) => {
                let statement = found(&texts.get_many).bind(self.ids(numbers)?);
                self.links(caller, statement).await?.len()
            }
            (Operation::ByExternalId, [number]) => {
                let id = population.external_id(*number)?;
                let statement = found(&texts.by_external_id).bind(id.as_str());
                self.links(caller, statement).await?.len()
            }
            (Operation::ByExternalId, numbers) => {
                let statement = found(&texts.by_external_ids).bind(self.external_ids(numbers)?);
                self.links(caller, statement).await?.len()
            }
            (Operation::Create | Operation::Update | Operation::MarkSynced, numbers) => {
                self.upsert(caller, workload.operation, numbers).await?
            }
            (Operation::Claim, _) => return self.claim(caller, workload.batch).await,
            (Operation::NeedsSync, _) => {
                let limit = i64::try_from(workload.batch)?;
                let statement = of(&texts.needs_sync).bind(source).bind(limit);
                self.links(caller, statement).await?.len()
            }
            (Operation::Statistics, _) => {
                let statement = of(&texts.statistics).bind(source);
                let connection = &mut *self.connections.of(caller).await?;
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
    state: String,
    updated_at: i64,
    metadata: Option<String>,
}

fn link(row: &PgRow) -> Result<Link, sqlx::Error> {
    Ok(Link {
        source: row.try_get(0)?,
        entity_type: row.try_get(1)?,
        entity_id: row.try_get(2)?,
        external_id: row.try_get(3)?,
        state: row.try_get(4)?,
        updated_at: row.try_get(5)?,
        metadata: row.try_get(6)?,
    })
}
