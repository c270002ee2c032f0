//! What the store sends.

use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Row, raw_sql};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::Contestant;
use sync_tracker_benches::ours::Ours;
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Numbers, Operation, PAGE, Workload};
use sync_tracker_postgres::PostgresOptions;

/// The statements of the store.
#[derive(Debug)]
pub(crate) struct Sent(Vec<(Operation, bool, Vec<Statement>)>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) text: Arc<str>,
    /// What each parameter is.
    pub(crate) types: Vec<String>,
}

impl Sent {
    /// Lets a store make each call on one connection, and asks the server what was prepared there.
    /// So the texts are those that the store sends, whatever they are.
    pub(crate) async fn learn(
        options: &PgConnectOptions,
        schema: &str,
        population: &Population,
        numbers: &Numbers,
    ) -> Result<Self, Failure> {
        let one = PgPoolOptions::new().max_connections(1);
        let pool = one.connect_with(options.clone()).await?;
        let store = PostgresOptions::from_options(options.clone()).schema(schema);
        let store = store.open_on(pool.clone()).await?;
        let ours = Ours::new(Arc::new(store), population.clone());
        let mut sent = Self(Vec::new());
        let mut known = prepared(&pool).await?.len();
        for operation in Operation::ALL {
            let batches: &[usize] = match operation {
                Operation::Claim | Operation::NeedsSync => &[PAGE],
                Operation::Statistics => &[1],
                _ => &[1, 2],
            };
            for batch in batches {
                let workload = Workload { operation, batch: *batch, callers: 1 };
                let records = numbers.next(workload).ok_or("nothing to learn from")?;
                ours.call(0, workload, &records).await?;
                let all = prepared(&pool).await?;
                let new = all.get(known..).unwrap_or_default().to_vec();
                known = all.len();
                sent.0.push((operation, *batch > 1, new));
            }
        }
        pool.close().await;
        Ok(sent)
    }

    /// The statements of a call about so many records, in their order.
    pub(crate) fn of(&self, operation: Operation, batch: usize) -> Result<&[Statement], Failure> {
        let found = self.0.iter().find(|it| it.0 == operation && it.1 == (batch > 1));
        let (_, _, statements) = found.ok_or("a call that nothing was learned of")?;
        Ok(statements)
    }
}

/// All that is prepared on the only connection of a pool, oldest first.
async fn prepared(pool: &PgPool) -> Result<Vec<Statement>, Failure> {
    // Sent as it is, this is not prepared itself.
    let rows = raw_sql(
        "SELECT statement, array_to_string(parameter_types, ' ') FROM pg_prepared_statements \
         ORDER BY prepare_time",
    );
    let rows = rows.fetch_all(pool).await?;
    let statement = |row: &sqlx::postgres::PgRow| {
        let types = row.try_get::<&str, _>(1)?.split_whitespace().map(Into::into).collect();
        Ok(Statement { text: row.try_get::<&str, _>(0)?.into(), types })
    };
    rows.iter().map(statement).collect()
}
