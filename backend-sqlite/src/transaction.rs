//! Changes in a transaction of the caller.

use sqlx::{Connection, SqliteConnection, SqliteTransaction, query};
use sync_tracker_core::{Change, EntityRef, Key, Outcome, Result, SyncRecord, TransactionalStore};

use crate::error::before_commit;
use crate::session::Session;
use crate::store::SqliteStore;
use crate::{list, records, statements};

/// The transaction is one on the database that the store is in, of a connection of the caller's own.
///
/// The first call of a transaction waits until nobody else writes, for as long as the connection's
/// busy timeout says, and keeps others from writing until the end: keep it short. A transaction that
/// read before, while somebody else wrote since, cannot write any more and is told
/// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable) at once: begin it by `BEGIN IMMEDIATE`
/// (`pool.begin_with("BEGIN IMMEDIATE")`), and that does not happen.
impl TransactionalStore for SqliteStore {
    type Transaction<'t> = SqliteTransaction<'t>;

    async fn apply_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        key: &Key,
        change: &Change,
    ) -> Result<Outcome> {
        lock(transaction).await?;
        // What fails half-way, or is dropped, is taken back to here.
        let mut step = transaction.begin().await.map_err(before_commit)?;
        let outcome = {
            let mut session = Session::new(&mut step);
            let outcome = records::apply(&mut session, key, change, self.time()).await?;
            session.flush().await?;
            outcome
        };
        step.commit().await.map_err(before_commit)?;
        Ok(outcome)
    }

    async fn records_of_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        entity: &EntityRef,
    ) -> Result<Vec<SyncRecord>> {
        lock(transaction).await?;
        list::records_of(transaction, entity).await
    }
}

/// Waits until nobody else writes. To read first would not do: what is read could be old by the time
/// the transaction writes, and SQLite refuses that.
async fn lock(on: &mut SqliteConnection) -> Result<()> {
    query(statements::LOCK).execute(on).await.map_err(before_commit)?;
    Ok(())
}
