//! The schema, and how it gets there.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};
use sync_tracker_core::{Error, ErrorKind, Result};

use crate::error::{Effect, Failed, STORE, sent};
use crate::names::Names;

/// The version of the schema: a newer minor one is one that this store can work with.
const MAJOR: i32 = 1;
const MINOR: i32 = 0;

/// Each minor version of the schema, and what leads to it.
const STEPS: [(i32, &str); 1] = [(0, include_str!("sql/schema_1_0.sql"))];

/// The same for all: whoever migrates any ledger of the database waits for the others.
const LOCK: i64 = 0x7379_6e63_7472_6b72;

/// Everything as plain SQL.
pub(crate) fn as_sql(names: &Names) -> String {
    let steps: String = STEPS.into_iter().map(|(_, step)| names.fill(step)).collect();
    format!("CREATE SCHEMA IF NOT EXISTS \"{}\";\n\n{steps}", names.schema())
}

/// Brings the schema up to date, in one transaction, while others that want to wait.
pub(crate) async fn migrate(connection: &mut PgConnection, names: &Names) -> Result<()> {
    if is_current(version(connection, names).await?)? {
        return Ok(());
    }
    let mut script = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_catalog.pg_advisory_xact_lock({LOCK});"
    );
    send(connection, &script).await?;
    let there = version(connection, names).await?;
    if is_current(there)? {
        return send(connection, "ROLLBACK").await;
    }
    script.clear();
    // Who may not create a schema may still have been given one.
    let named = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
    let row = sqlx::query(named).bind(names.schema()).fetch_one(&mut *connection).await;
    if !row.and_then(|row| row.try_get(0)).map_err(failed)? {
        script = format!("CREATE SCHEMA \"{}\";", names.schema());
    }
    for (minor, step) in STEPS {
        if there.is_none_or(|(_, reached)| reached < minor) {
            script.push_str(&names.fill(step));
        }
    }
    send(connection, &script).await?;
    send(connection, "COMMIT").await
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
async fn version(connection: &mut PgConnection, names: &Names) -> Result<Option<(i32, i32)>> {
    // Not by to_regclass: that may not know yet what was made while this waited for the lock.
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = $2)";
    let query = sqlx::query(there).bind(names.schema()).bind(names.version_table());
    let row = query.fetch_one(&mut *connection).await;
    if !row.and_then(|row| row.try_get(0)).map_err(failed)? {
        return Ok(None);
    }
    let text = AssertSqlSafe(names.fill("SELECT major, minor FROM {schema_version}"));
    let row = sqlx::query(text).fetch_one(&mut *connection).await;
    let version = row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    version.map(Some).map_err(failed)
}

async fn send(connection: &mut PgConnection, script: &str) -> Result<()> {
    let script = AssertSqlSafe(script.to_owned());
    sqlx::raw_sql(script).execute(connection).await.map(drop).map_err(failed)
}

/// What a migration was cut off at is begun again by the next.
fn failed(cause: sqlx::Error) -> Error {
    let Failed { error, .. } = sent(cause, Effect::None);
    error.in_operation("migrate")
}
