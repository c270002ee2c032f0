//! The statements of the store by hand: the same texts with the same values, in transactions of
//! one call each, and nothing decided. What the store is slower, it adds; where it is faster, many
//! calls shared a transaction.

use std::time::Instant;

use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef, query};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Operation, Workload};
use sync_tracker_core::{ChangeId, ClaimId, Key, RecentChanges, Timestamp};

use super::connections::Connections;

/// The texts themselves.
#[allow(dead_code, unreachable_pub)] // not all are compared
#[path = "../../../../../backend-sqlite/src/statements.rs"]
mod statements;

#[derive(Debug)]
pub(crate) struct SameStatements {
    connections: Connections,
    population: Population,
    /// As the store composes it for what is due in one status of a source.
    page: String,
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Every status that records are due in.
const WAITING: [&str; 3] = ["in_progress", "failed", "pending"];

/// How long a claim lasts, in milliseconds.
const LEASE: i64 = 3_600_000;

impl SameStatements {
    pub(crate) fn new(connections: Connections, population: Population) -> Self {
        let walks = WAITING.map(|status| {
            format!(
                "SELECT * FROM ({} AND (r.entity_type, r.entity_id) > (?2, ?3)
                AND substr(r.entity_type, 1, 13) <> 'sync-tracker/' AND +r.due_at <= ?5 \
                AND r.status = '{status}' AND r.status <> 'synced' \
                ORDER BY r.entity_type, r.entity_id LIMIT ?4)",
                statements::LIST
            )
        });
        let page = walks.join(" UNION ALL ");
        Self { connections, population, page }
    }

    fn key(&self, operation: Operation, number: usize) -> Result<Key, Failure> {
        Ok(match operation {
            Operation::Create => self.population.new_key(number)?,
            _ => self.population.key(number)?,
        })
    }

    /// Reads rows, writes each as it is to be, and commits.
    async fn change(
        &self,
        on: &mut SqliteConnection,
        operation: Operation,
        numbers: &[usize],
    ) -> Result<usize, Failure> {
        let keys = numbers.iter().map(|number| self.key(operation, *number));
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        query("BEGIN IMMEDIATE").execute(&mut *on).await?;
        let now = Timestamp::now().as_millis();
        let before = match keys.as_slice() {
            [key] => of_key(query(statements::GET), key).fetch_all(&mut *on).await?,
            keys => query(statements::GET_MANY).bind(texts(keys)?).fetch_all(&mut *on).await?,
        };
        let mut rows = Vec::with_capacity(keys.len());
        if operation == Operation::Create {
            rows.extend(keys.iter().map(|key| created(key, now)));
        }
        for row in &before {
            let mut row = cells(row)?;
            match operation {
                Operation::MarkSynced => mark_synced(&mut row, now),
                _ => update(&mut row, now),
            }
            rows.push(row);
        }
        let stored = rows.len();
        store(on, rows).await?;
        query("COMMIT").execute(&mut *on).await?;
        Ok(stored)
    }

    async fn claim(&self, on: &mut SqliteConnection, limit: usize) -> Result<Done, Failure> {
        let source = self.population.source().as_str();
        let claim = ClaimId::random().to_string();
        query("BEGIN IMMEDIATE").execute(&mut *on).await?;
        let now = Timestamp::now().as_millis();
        let granted = query(statements::GRANTED).bind(source).bind(&claim).bind(now);
        granted.fetch_all(&mut *on).await?;
        query(statements::PAUSED).bind(source).fetch_optional(&mut *on).await?;
        let mut due = Vec::new();
        for status in WAITING {
            let wanted = if status == "in_progress" { 1 } else { i64::try_from(limit)? };
            let rows = query(statements::DUE).bind(source).bind(status).bind(now).bind(wanted);
            for row in rows.fetch_all(&mut *on).await? {
                due.push(cells(&row)?);
            }
        }
        let mut leased = due.clone();
        leased.iter_mut().for_each(|row| lease(row, &claim, now));
        store(on, leased).await?;
        query("COMMIT").execute(&mut *on).await?;
        let begun = Instant::now();
        query("BEGIN IMMEDIATE").execute(&mut *on).await?;
        let records = due.len();
        for row in &mut due {
            row.push(Cell::text("pending"));
            row.push(row[at::PENDING_SINCE].clone());
        }
        store(on, due).await?;
        query("COMMIT").execute(&mut *on).await?;
        Ok(Done { records, apart: begun.elapsed() })
    }

    async fn needs_sync(&self, on: &mut SqliteConnection, limit: usize) -> Result<usize, Failure> {
        let now = Timestamp::now().as_millis();
        // One more than fits.
        let limit = i64::try_from(limit)? + 1;
        let statement = query(AssertSqlSafe(self.page.clone()))
            .bind(self.population.source().as_str())
            .bind("")
            .bind("")
            .bind(limit)
            .bind(now);
        read(on, statement).await
    }

    async fn statistics(&self, on: &mut SqliteConnection) -> Result<usize, Failure> {
        let source = self.population.source().as_str();
        let now = Timestamp::now().as_millis();
        let statement = query(statements::STATISTICS).bind(source).bind(now);
        Ok(usize::from(!statement.fetch_all(&mut *on).await?.is_empty()))
    }
}

#[async_trait]
impl Contestant for SameStatements {
    async fn call(
        &self,
        caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let on = &mut *self.connections.of(caller).await;
        let operation = workload.operation;
        let records = match operation {
            Operation::Get => {
                let keys = numbers.iter().map(|number| self.key(operation, *number));
                let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
                match keys.as_slice() {
                    [key] => read(on, of_key(query(statements::GET), key)).await?,
                    keys => read(on, query(statements::GET_MANY).bind(texts(keys)?)).await?,
                }
            }
            Operation::ByExternalId => {
                let ids = numbers.iter().map(|number| self.population.external_id(*number));
                let statement = query(statements::CARRIERS)
                    .bind(self.population.source().as_str())
                    .bind(self.population.entity_type().as_str())
                    .bind(serde_json::to_string(&ids.collect::<Result<Vec<_>, _>>()?)?);
                read(on, statement).await?
            }
            Operation::Create | Operation::Update | Operation::MarkSynced => {
                self.change(on, operation, numbers).await?
            }
            Operation::Claim => return self.claim(on, workload.batch).await,
            Operation::NeedsSync => self.needs_sync(on, workload.batch).await?,
            Operation::Statistics => self.statistics(on).await?,
        };
        if records < numbers.len() {
            return Err(format!("{workload}: {records} of {} rows", numbers.len()).into());
        }
        Ok(Done::records(records))
    }
}

/// Reads every column of every row, and says how many rows there are.
async fn read(on: &mut SqliteConnection, statement: Statement<'_>) -> Result<usize, Failure> {
    let rows = statement.fetch_all(on).await?;
    for row in &rows {
        std::hint::black_box(cells(row)?);
    }
    Ok(rows.len())
}

fn of_key<'q>(statement: Statement<'q>, key: &'q Key) -> Statement<'q> {
    statement
        .bind(key.source.as_str())
        .bind(key.entity.entity_type.as_str())
        .bind(key.entity.entity_id.as_str())
}

fn texts(keys: &[Key]) -> Result<String, serde_json::Error> {
    let parts: Vec<[&str; 3]> = keys
        .iter()
        .map(|Key { source, entity }| {
            [source.as_str(), entity.entity_type.as_str(), entity.entity_id.as_str()]
        })
        .collect();
    serde_json::to_string(&parts)
}

/// Stores rows, many in a statement as far as that goes.
async fn store(on: &mut SqliteConnection, mut rows: Vec<Vec<Cell>>) -> Result<(), sqlx::Error> {
    let single = rows.split_off(rows.len() - rows.len() % statements::MANY);
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let cells = rows.by_ref().take(statements::MANY).flatten();
        let text = AssertSqlSafe(statements::STORE_MANY.as_str());
        bind(query(text), cells).execute(&mut *on).await?;
    }
    for row in single {
        bind(query(statements::STORE_RECORD), row).execute(&mut *on).await?;
    }
    Ok(())
}

fn bind(statement: Statement<'_>, cells: impl IntoIterator<Item = Cell>) -> Statement<'_> {
    cells.into_iter().fold(statement, |statement, cell| match cell {
        Cell::Null => statement.bind(None::<i64>),
        Cell::Integer(number) => statement.bind(number),
        Cell::Text(text) => statement.bind(text),
        Cell::Blob(bytes) => statement.bind(bytes),
    })
}

/// A value of any column.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Cell {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn add(&mut self, more: i64) {
        if let Self::Integer(number) = self {
            *number += more;
        }
    }
}

/// Where the columns are that are written here.
mod at {
    pub(crate) const INCARNATION: usize = 5;
    pub(crate) const REVISION: usize = 6;
    pub(crate) const SYNCED_REVISION: usize = 7;
    pub(crate) const PENDING_SINCE: usize = 8;
    pub(crate) const CREATED_AT: usize = 9;
    pub(crate) const UPDATED_AT: usize = 10;
    pub(crate) const SYNCED_AT: usize = 12;
    pub(crate) const ATTEMPTS: usize = 19;
    pub(crate) const IN_DOUBT: usize = 20;
    pub(crate) const TOKEN: usize = 29;
    pub(crate) const CLAIM_ID: usize = 30;
    pub(crate) const LEASE_UNTIL: usize = 31;
    pub(crate) const VERSION: usize = 35;
    pub(crate) const RECENT_CHANGES: usize = 36;
    pub(crate) const LAST_ARM: usize = 37;
}

/// The columns of a record, without the derived ones that follow when it is stored.
const COLUMNS: usize = 38;

fn cells(row: &SqliteRow) -> Result<Vec<Cell>, sqlx::Error> {
    let mut cells = Vec::with_capacity(COLUMNS + 2);
    for column in 0..COLUMNS {
        let value = row.try_get_raw(column)?;
        cells.push(match value.type_info().name() {
            _ if value.is_null() => Cell::Null,
            "INTEGER" => Cell::Integer(row.try_get_unchecked(column)?),
            "TEXT" => Cell::Text(row.try_get_unchecked(column)?),
            _ => Cell::Blob(row.try_get_unchecked(column)?),
        });
    }
    Ok(cells)
}

fn changed(row: &mut [Cell]) {
    row[at::VERSION].add(1);
    if let Cell::Blob(bytes) = &mut row[at::RECENT_CHANGES] {
        bytes.extend(ChangeId::random().to_bits().to_be_bytes());
        let over = bytes.len().saturating_sub(8 * RecentChanges::CAPACITY);
        bytes.drain(..over);
    }
}

fn update(row: &mut Vec<Cell>, now: i64) {
    changed(row);
    row[at::REVISION].add(1);
    row[at::UPDATED_AT] = Cell::Integer(now);
    if matches!(row[at::PENDING_SINCE], Cell::Null) {
        row[at::PENDING_SINCE] = Cell::Integer(now);
    }
    row.push(Cell::text("pending"));
    row.push(row[at::PENDING_SINCE].clone());
}

fn mark_synced(row: &mut Vec<Cell>, now: i64) {
    changed(row);
    row[at::SYNCED_REVISION] = row[at::REVISION].clone();
    row[at::PENDING_SINCE] = Cell::Null;
    row[at::SYNCED_AT] = Cell::Integer(now);
    row.push(Cell::text("synced"));
    row.push(Cell::Null);
}

fn lease(row: &mut Vec<Cell>, claim: &str, now: i64) {
    changed(row);
    row[at::ATTEMPTS].add(1);
    row[at::TOKEN] = Cell::Integer(now * 1_000);
    row[at::CLAIM_ID] = Cell::text(claim);
    row[at::LEASE_UNTIL] = Cell::Integer(now + LEASE);
    row.push(Cell::text("in_progress"));
    row.push(row[at::LEASE_UNTIL].clone());
}

fn created(key: &Key, now: i64) -> Vec<Cell> {
    let mut row = vec![Cell::Null; COLUMNS];
    let Key { source, entity } = key;
    let texts = [source.as_str(), entity.entity_type.as_str(), entity.entity_id.as_str()];
    for (cell, text) in row.iter_mut().zip(texts) {
        *cell = Cell::text(text);
    }
    let zero = [at::SYNCED_REVISION, at::ATTEMPTS, at::IN_DOUBT, at::TOKEN, at::LAST_ARM];
    zero.into_iter().for_each(|column| row[column] = Cell::Integer(0));
    let one = [at::REVISION, at::VERSION];
    one.into_iter().for_each(|column| row[column] = Cell::Integer(1));
    let instants = [at::INCARNATION, at::CREATED_AT, at::PENDING_SINCE];
    instants.into_iter().for_each(|column| row[column] = Cell::Integer(now));
    row[at::RECENT_CHANGES] = Cell::Blob(ChangeId::random().to_bits().to_be_bytes().to_vec());
    row.push(Cell::text("pending"));
    row.push(Cell::Integer(now));
    row
}
