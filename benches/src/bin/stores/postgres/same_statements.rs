//! The statements of the store by hand: the same texts with the same values on the bare driver, and
//! their rows read. What the store is slower, it adds.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Column, Decode, Postgres, Row, TypeInfo, query};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Operation, Workload};
use sync_tracker_core::{ChangeId, ClaimId, Key};

use super::connections::Connections;
use super::sent::{Sent, Statement};

#[derive(Debug)]
pub(crate) struct SameStatements {
    connections: Connections,
    population: Population,
    sent: Arc<Sent>,
}

type Bound<'q> = Query<'q, Postgres, PgArguments>;

/// How long a claim lasts in milliseconds, and how many attempts are too many.
const LEASE: i64 = 3_600_000;

/// The parameters that every change has, before those of what it demands and does.
const OF_A_CHANGE: usize = 5;

/// The clock is the server's.
const CLOCK: Option<i64> = None;

impl SameStatements {
    pub(crate) fn new(connections: Connections, population: Population, sent: Arc<Sent>) -> Self {
        Self { connections, population, sent }
    }

    fn keys(&self, operation: Operation, numbers: &[usize]) -> Result<Vec<Key>, Failure> {
        let key = |number: &usize| match operation {
            Operation::Create => self.population.new_key(*number),
            _ => self.population.key(*number),
        };
        Ok(numbers.iter().map(key).collect::<Result<_, _>>()?)
    }

    fn external_ids(&self, numbers: &[usize]) -> Result<Vec<String>, Failure> {
        let id = |number: &usize| Ok(self.population.external_id(*number)?.to_string());
        numbers.iter().map(id).collect()
    }

    async fn change(
        &self,
        on: &mut PgConnection,
        operation: Operation,
        numbers: &[usize],
    ) -> Result<usize, Failure> {
        let keys = self.keys(operation, numbers)?;
        let statement = only(self.sent.of(operation, keys.len())?)?;
        // What marking as synced tells, and the metadata that a creation begins with.
        let texts = match operation {
            Operation::MarkSynced => self.external_ids(numbers)?,
            Operation::Create => vec!["{}".to_owned(); numbers.len()],
            _ => Vec::new(),
        };
        Ok(read(on, changes(statement, &keys, &texts, &[])?).await?.len())
    }

    async fn claim(&self, on: &mut PgConnection, limit: usize) -> Result<Done, Failure> {
        let [claim, release] = self.sent.of(Operation::Claim, limit)? else {
            return Err("a claim and a release are not two statements".into());
        };
        let claim_id = ClaimId::random();
        let mut bound = of(claim)
            .bind(self.population.source().as_str())
            .bind(claim_id.change_id().to_bits().cast_signed())
            .bind(CLOCK)
            .bind(i64::try_from(limit)?)
            .bind(claim_id.to_string());
        for kind in claim.types.iter().skip(OF_A_CHANGE) {
            bound = match kind.as_str() {
                "bigint" => bound.bind(LEASE),
                "text" => bound.bind(claim_id.to_string()),
                other => return Err(format!("a claim has a parameter of type {other}").into()),
            };
        }
        let rows = read(on, bound).await?;
        let begun = Instant::now();
        let (mut keys, mut tokens) = (Vec::new(), Vec::new());
        for row in &rows {
            let part = |name| row.try_get::<&str, _>(name);
            let id = part("entity_id")?;
            keys.push(Key::new(part("source")?, part("entity_type")?, id)?);
            tokens.push(row.try_get("token")?);
        }
        read(on, changes(release, &keys, &[], &tokens)?).await?;
        Ok(Done { records: rows.len(), apart: begun.elapsed() })
    }
}

/// The statement of a call that has only one.
fn only(statements: &[Statement]) -> Result<&Statement, Failure> {
    match statements {
        [statement] => Ok(statement),
        other => Err(format!("{} statements for one call", other.len()).into()),
    }
}

fn of(statement: &Statement) -> Bound<'static> {
    query(AssertSqlSafe(Arc::clone(&statement.text)))
}

/// Binds changes of one shape, each of which has one text or number, wherever it is wanted.
fn changes<'q>(
    statement: &Statement,
    keys: &'q [Key],
    texts: &'q [String],
    numbers: &'q [i64],
) -> Result<Bound<'q>, Failure> {
    let many = statement.types.iter().any(|kind| kind.ends_with("[]"));
    let mut bound = match keys {
        [key] if !many => of_key(of(statement), key).bind(change_id()).bind(CLOCK),
        keys => {
            let ids: Vec<i64> = keys.iter().map(|_| change_id()).collect();
            of_keys(of(statement).bind(CLOCK), keys).bind(ids)
        }
    };
    for kind in statement.types.iter().skip(OF_A_CHANGE) {
        bound = match (kind.as_str(), texts.first(), numbers.first()) {
            ("text", Some(text), _) => bound.bind(text),
            ("bigint", _, Some(number)) => bound.bind(number),
            ("text[]", Some(_), _) => bound.bind(texts),
            ("bigint[]", _, Some(_)) => bound.bind(numbers),
            _ => return Err(format!("a change has a parameter of type {kind}").into()),
        };
    }
    Ok(bound)
}

fn change_id() -> i64 {
    ChangeId::random().to_bits().cast_signed()
}

fn of_key<'q>(bound: Bound<'q>, key: &'q Key) -> Bound<'q> {
    let Key { source, entity } = key;
    bound.bind(source.as_str()).bind(entity.entity_type.as_str()).bind(entity.entity_id.as_str())
}

fn of_keys<'q>(bound: Bound<'q>, keys: &'q [Key]) -> Bound<'q> {
    let parts = |part: fn(&Key) -> &str| keys.iter().map(part).collect::<Vec<_>>();
    bound
        .bind(parts(|key| key.source.as_str()))
        .bind(parts(|key| key.entity.entity_type.as_str()))
        .bind(parts(|key| key.entity.entity_id.as_str()))
}

#[async_trait]
impl Contestant for SameStatements {
    async fn call(
        &self,
        caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let on = &mut *self.connections.of(caller).await?;
        let Workload { operation, batch, .. } = workload;
        let source = self.population.source().as_str();
        let one = || only(self.sent.of(operation, batch)?).map(of);
        let records = match operation {
            Operation::Get => {
                let keys = self.keys(operation, numbers)?;
                let bound = match keys.as_slice() {
                    [key] => of_key(one()?, key),
                    keys => of_keys(one()?, keys),
                };
                read(on, bound).await?.len()
            }
            Operation::ByExternalId => {
                let entity_type = self.population.entity_type().as_str();
                let ids = self.external_ids(numbers)?;
                let bound = one()?.bind(source).bind(entity_type);
                let bound = match ids.as_slice() {
                    [id] => bound.bind(id),
                    ids => bound.bind(ids),
                };
                read(on, bound).await?.len()
            }
            Operation::Create | Operation::Update | Operation::MarkSynced => {
                self.change(on, operation, numbers).await?
            }
            Operation::Claim => return self.claim(on, batch).await,
            Operation::NeedsSync => {
                // One more tells whether there is a further page.
                let limit = i64::try_from(batch)? + 1;
                let rows = read(on, one()?.bind(limit).bind(source)).await?;
                rows.len().min(batch)
            }
            Operation::Statistics => {
                let rows = read(on, one()?.bind(CLOCK).bind(source)).await?;
                usize::from(!rows.is_empty())
            }
        };
        if records < numbers.len() {
            return Err(format!("{workload}: {records} of {} rows", numbers.len()).into());
        }
        Ok(Done::records(records))
    }
}

/// Reads every column of every row.
async fn read(on: &mut PgConnection, bound: Bound<'_>) -> Result<Vec<PgRow>, Failure> {
    let rows = bound.fetch_all(on).await?;
    for row in &rows {
        for column in row.columns() {
            let at = column.ordinal();
            match column.type_info().name() {
                "INT8" => decoded::<i64>(row, at)?,
                "INT4" => decoded::<i32>(row, at)?,
                "INT2" => decoded::<i16>(row, at)?,
                "BOOL" => decoded::<bool>(row, at)?,
                "TEXT" => decoded::<String>(row, at)?,
                "BYTEA" => decoded::<Vec<u8>>(row, at)?,
                "TEXT[]" => decoded::<Vec<String>>(row, at)?,
                other => return Err(format!("a column of type {other}").into()),
            }
        }
    }
    Ok(rows)
}

fn decoded<'r, T: Decode<'r, Postgres>>(row: &'r PgRow, at: usize) -> Result<(), sqlx::Error> {
    std::hint::black_box(row.try_get_unchecked::<Option<T>, _>(at)?);
    Ok(())
}
