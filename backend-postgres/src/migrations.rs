//! The schema, and how it gets there.

use sqlx::AssertSqlSafe;
use sync_tracker_core::{Error, ErrorKind, Result};

use crate::connections::{Connections, Transaction};
use crate::error::{Effect, Failed, STORE};
use crate::names::Names;
use crate::store::{column, first};

/// The version of the schema: a newer minor one is one that this store can work with.
const MAJOR: i32 = 1;
const MINOR: i32 = 0;

/// Each minor version of the schema, and what leads to it.
const STEPS: [(i32, &str); 1] = [(0, include_str!("sql/schema_1_0.sql"))];

/// The same for all: whoever migrates any ledger of the database waits for the others.
const LOCK: i64 = 0x7379_6e63_7472_6b72;

/// What a schema is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) names: Names,
    /// How many partitions the table of records has; none if it is one table.
    pub(crate) partitions: u16,
}

impl Layout {
    /// Everything as plain SQL.
    pub(crate) fn as_sql(&self) -> String {
        let steps: String = STEPS.into_iter().map(|(_, step)| self.fill(step)).collect();
        format!("CREATE SCHEMA IF NOT EXISTS \"{}\";\n\n{steps}", self.names.schema())
    }

    fn fill(&self, step: &str) -> String {
        // Room for rows that change where they are.
        const STORAGE: &str = "WITH (fillfactor = 85)";
        let modulus = self.partitions;
        let partition = |remainder| {
            format!(
                "CREATE TABLE {} PARTITION OF {{records}}\n    \
                 FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder}) {STORAGE};\n",
                self.names.partition(remainder)
            )
        };
        let partitions: String = (0..modulus).map(partition).collect();
        let storage = if modulus == 0 { STORAGE } else { "PARTITION BY HASH (source)" };
        self.names.fill(&step.replace("{storage}", storage).replace("{partitions}", &partitions))
    }
}

/// Brings the schema up to date, in one transaction, while others that want to wait.
pub(crate) async fn migrate(connections: &Connections, layout: &Layout) -> Result<()> {
    let mut transaction = connections.begin().await?;
    match steps(&mut transaction, layout).await {
        // Most of the time there is nothing to do, and then nothing is written.
        Ok(None) => transaction.roll_back().await?,
        Ok(Some(script)) => match transaction.run(&script, Effect::None).await {
            // What a migration was cut off at is begun again by the next.
            Ok(()) => transaction.commit(Effect::None).await?,
            Err(failed) => transaction.failed(failed)?,
        },
        Err(failed) => transaction.failed(failed)?,
    }
    Ok(())
}

/// What leads to the current version, if anything is to be done.
async fn steps(transaction: &mut Transaction, layout: &Layout) -> Result<Option<String>, Failed> {
    let names = &layout.names;
    if is_current(version(transaction, names).await?)? {
        return Ok(None);
    }
    let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock({LOCK})");
    transaction.run(&lock, Effect::None).await?;
    let there = version(transaction, names).await?;
    if is_current(there)? {
        return Ok(None);
    }
    // Who may not create a schema may still have been given one.
    let named = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
    let rows = transaction.fetch(sqlx::query(named).bind(names.schema())).await?;
    let mut script = if column(first(&rows)?, 0)? {
        String::new()
    } else {
        format!("CREATE SCHEMA \"{}\";", names.schema())
    };
    for (minor, step) in STEPS {
        if there.is_none_or(|(_, reached)| reached < minor) {
            script.push_str(&layout.fill(step));
        }
    }
    Ok(Some(script))
}

/// Whether there is nothing to do.
fn is_current(there: Option<(i32, i32)>) -> Result<bool> {
    match there {
        None => Ok(false),
        Some((MAJOR, minor)) => Ok(minor >= MINOR),
        Some((major, minor)) => {
            let message =
                format!("the schema has version {major}.{minor}, this store knows {MAJOR}");
            Err(Error::new(ErrorKind::Unsupported, message).in_store(STORE))
        }
    }
}

/// The version of the schema that is there.
async fn version(
    transaction: &mut Transaction,
    names: &Names,
) -> Result<Option<(i32, i32)>, Failed> {
    // Not by to_regclass: that may not know yet what was made while this waited for the lock.
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = $2)";
    let query = sqlx::query(there).bind(names.schema()).bind(names.version_table());
    let rows = transaction.fetch(query).await?;
    if !column::<bool>(first(&rows)?, 0)? {
        return Ok(None);
    }
    let text = AssertSqlSafe(names.fill("SELECT major, minor FROM {schema_version}"));
    let rows = transaction.fetch(sqlx::query(text)).await?;
    let row = first(&rows)?;
    Ok(Some((column(row, 0)?, column(row, 1)?)))
}
