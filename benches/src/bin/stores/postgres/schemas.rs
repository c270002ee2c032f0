//! Schemas on the server that go when what was measured there is done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, query, raw_sql};
use sync_tracker_benches::Failure;
use tokio::runtime::Builder;

/// One for each of those who take part.
#[derive(Debug)]
pub(crate) struct Schemas {
    options: PgConnectOptions,
    names: Vec<String>,
}

impl Schemas {
    /// Names that nobody else on the server has. Nothing is made yet.
    pub(crate) fn new(options: &PgConnectOptions, whose: &[&str]) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let name = |whose: &&str| format!("sync_tracker_bench_{process}_{number}_{whose}");
        Self { options: options.clone(), names: whose.iter().map(name).collect() }
    }

    pub(crate) fn name(&self, at: usize) -> &str {
        &self.names[at]
    }
}

impl Drop for Schemas {
    fn drop(&mut self) {
        let statement = |name: &String| format!("DROP SCHEMA IF EXISTS {name} CASCADE;");
        let drop: String = self.names.iter().map(statement).collect();
        let options = self.options.clone();
        // The runtime of the program is in the way.
        let dropping = thread::spawn(move || -> Result<(), Failure> {
            Builder::new_current_thread().enable_all().build()?.block_on(async {
                let mut connection = options.connect().await?;
                raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await?;
                Ok(())
            })
        });
        let dropped = dropping.join().unwrap_or_else(|_| Err("a panic".into()));
        if let Err(failure) = dropped {
            eprintln!("stores: the schemas {:?} are left: {failure}", self.names);
        }
    }
}

/// Brings the tables of a schema to rest: what is dead is gone, and the planner knows the rest.
pub(crate) async fn settle(on: &mut PgConnection, schema: &str) -> Result<(), Failure> {
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = $1";
    for table in query(tables).bind(schema).fetch_all(&mut *on).await? {
        let table: &str = table.try_get(0)?;
        let vacuum = AssertSqlSafe(format!("VACUUM (ANALYZE) {schema}.{table}"));
        raw_sql(vacuum).execute(&mut *on).await?;
    }
    Ok(())
}

/// How many bytes per record each table and index of a schema has, if it has any.
pub(crate) async fn sizes(
    on: &mut PgConnection,
    schema: &str,
    records: usize,
    whose: &str,
) -> Result<Vec<(String, f64)>, Failure> {
    // Of a table with what is too long for it, and its maps of free space.
    let parts = "SELECT relname::text, bytes FROM (SELECT relname, \
         CASE relkind WHEN 'i' THEN pg_relation_size(oid) ELSE pg_table_size(oid) END AS bytes \
         FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = $1::regnamespace) parts \
         ORDER BY bytes DESC";
    let mut sizes = Vec::new();
    for row in query(parts).bind(schema).fetch_all(on).await? {
        let (name, bytes): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let per_record = bytes as f64 / records as f64;
        sizes.push((format!("{whose}: {name}"), per_record));
    }
    let all = sizes.iter().map(|(_, bytes)| bytes).sum();
    sizes.insert(0, (format!("{whose}: all"), all));
    Ok(sizes)
}
