//! Changes in a transaction of the caller.

use sqlx::PgTransaction;
use sync_tracker_core::{Change, EntityRef, Key, Outcome, Result, SyncRecord, TransactionalStore};

use crate::apply::Way;
use crate::error::Effect;
use crate::row;
use crate::store::{PostgresStore, named};

/// The transaction is one on the database that the store is in, of a connection of the caller's own.
///
/// A refusal, of a taken external id too, leaves it as it was. A record that was changed stays
/// locked until the end, and with it an external id that it took: keep it short, and change several
/// records in the order of their keys. Time is the server's at the moment of the change, not at the
/// beginning of the transaction.
///
/// In a transaction that is stricter than `READ COMMITTED` a change that meets another one is
/// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable), and so it is after a deadlock: the
/// transaction is over, and may be begun again.
impl TransactionalStore for PostgresStore {
    type Transaction<'t> = PgTransaction<'t>;

    async fn apply_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        key: &Key,
        change: &Change,
    ) -> Result<Outcome> {
        let mut way = Way::Theirs(transaction, &self.connections);
        let outcome = self.apply_by(&mut way, key, change, Effect::None).await;
        outcome.map_err(|failed| named("apply in")(failed).for_key(key))
    }

    async fn records_of_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        entity: &EntityRef,
    ) -> Result<Vec<SyncRecord>> {
        let EntityRef { entity_type, entity_id } = entity;
        let query = self.statements.records_of.query();
        let query = query.bind(entity_type.as_str()).bind(entity_id.as_str());
        let mut way = Way::Theirs(transaction, &self.connections);
        let rows = way.fetch(query, Effect::None).await.map_err(named("records of"))?;
        rows.iter().map(|row| row::record(row, 0)).collect()
    }
}
