//! The tables, and how they come about.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row, SqliteConnection, query, raw_sql};
use sync_tracker_core::{Error, ErrorKind, Result};

use crate::error::{STORE, before_commit};
use crate::writer::{begin, roll_back, when_free};

/// The version of the tables that this package makes. Tables of a newer minor version have more than
/// it knows, and work; those of a newer major version may mean something else.
const MAJOR: i64 = 1;

/// What leads from each version to the next, in order: the version that is there afterwards, and
/// the statements. Each is carried out whole or not at all.
const MIGRATIONS: &[((i64, i64), &str)] = &[((1, 0), include_str!("sql/schema_1_0.sql"))];

/// Switches a file to write-ahead logging, where readers and a writer do not wait for each other.
pub(crate) async fn use_wal(on: &mut SqliteConnection, patience: Duration) -> Result<()> {
    // Nobody may be at the file while it is switched, and SQLite does not wait for that.
    when_free(on, "PRAGMA journal_mode = WAL", patience).await.map_err(before_commit)
}

/// Brings the tables up to date. Of many processes that begin at once one does it, and the others
/// wait and find it done.
pub(crate) async fn migrate(on: &mut SqliteConnection, patience: Duration) -> Result<()> {
    if is_current(version(on).await?)? {
        return Ok(());
    }
    begin(on, patience).await.map_err(before_commit)?;
    let migrated = migrate_locked(on).await;
    if migrated.is_err() {
        roll_back(on).await;
    }
    migrated
}

async fn migrate_locked(on: &mut SqliteConnection) -> Result<()> {
    let there = version(on).await?;
    if !is_current(there)? {
        for (to, statements) in MIGRATIONS {
            if there.is_none_or(|there| there < *to) {
                raw_sql(*statements).execute(&mut *on).await.map_err(before_commit)?;
            }
        }
    }
    query("COMMIT").execute(on).await.map_err(before_commit)?;
    Ok(())
}

/// Whether nothing is left to do.
fn is_current(there: Option<(i64, i64)>) -> Result<bool> {
    let Some((major, minor)) = there else { return Ok(false) };
    if major > MAJOR {
        let message =
            format!("its tables are of version {major}.{minor}, this package knows {MAJOR}.x");
        return Err(Error::new(ErrorKind::Unsupported, message).in_store(STORE));
    }
    Ok(MIGRATIONS.last().is_none_or(|(last, _)| (major, minor) >= *last))
}

/// The version of the tables, if there are any.
async fn version(on: &mut SqliteConnection) -> Result<Option<(i64, i64)>> {
    let table = query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sync_schema'");
    if table.fetch_optional(&mut *on).await.map_err(before_commit)?.is_none() {
        return Ok(None);
    }
    let row = query("SELECT major, minor FROM sync_schema ORDER BY major DESC, minor DESC")
        .fetch_one(on)
        .await
        .map_err(before_commit)?;
    let column = |at: usize| row.try_get(at).map_err(before_commit);
    Ok(Some((column(0)?, column(1)?)))
}

/// A setting of the database, as SQLite tells it.
pub(crate) async fn pragma<T>(on: &mut SqliteConnection, name: &'static str) -> Result<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    let statement = query(AssertSqlSafe(format!("PRAGMA {name}")));
    let row = statement.fetch_one(on).await.map_err(before_commit)?;
    row.try_get(0).map_err(before_commit)
}
