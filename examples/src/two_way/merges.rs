//! Products that the shop's staff merged.

use sync_tracker::{EntityRef, Merged, SyncRecord};

use super::database::{Resolution, Row, sku};
use super::{PRODUCT, SHOP, TwoWay, TwoWayError};
use crate::client::State;

impl TwoWay {
    /// One product of the shop was merged into another. If both are known here, the one that was
    /// merged away is removed.
    pub(super) async fn merged(&self, loser: &str, winner: &str) -> Result<(), TwoWayError> {
        // The winner may be unknown, gone, or merged itself.
        Box::pin(self.look_at(winner)).await?;
        {
            let ids = [loser, winner];
            let mut rows = self.tracker.by_external_ids(SHOP, PRODUCT, ids).await?;
            rows.sort_by_key(|found| found.as_ref().map(|record| record.key.entity.clone()));
            rows.dedup_by_key(|found| found.as_ref().map(|record| record.key.entity.clone()));
            let mut locks = Vec::with_capacity(rows.len());
            for record in rows.iter().flatten() {
                locks.push(self.db.lock(&record.key.entity).await);
            }
            let merge = || self.tracker.merge_external(SHOP, PRODUCT, [loser], winner);
            let mut merged = merge().await?;
            if let Some(Merged::Collision { loser: gone, .. }) = merged.first() {
                self.retire(gone).await?;
                merged = merge().await?;
            }
            if let Some(Merged::Alias(_)) = merged.first() {
                self.tally.note(|tally| tally.merged += 1);
            }
        }
        // If only the loser was known, it is the winner now, and has its content.
        Box::pin(self.look_at(winner)).await
    }

    /// A create of ours worked, but its reply was lost, and the product was merged into another one
    /// before we heard of it: there is no id to bind any more.
    pub(super) async fn retire_if_merged(
        &self,
        entity: &EntityRef,
        id: &str,
    ) -> Result<(), TwoWayError> {
        let _row = self.db.lock(entity).await;
        if let State::MergedInto(_) = self.read(id).await?.state {
            self.retire(entity).await?;
        }
        Ok(())
    }

    /// Under the lock of the row: removes a product that was merged away, and logs what it held.
    async fn retire(&self, entity: &EntityRef) -> Result<(), TwoWayError> {
        let record = self.tracker.record(entity, SHOP).await?;
        if let (Some(row), Some(record)) = (self.db.remove(entity), record) {
            self.db.log(self.given_up(&row, &record));
        }
        self.tracker.forget(entity).await?;
        Ok(())
    }

    /// What a product held here that the shop never had.
    fn given_up(&self, row: &Row, record: &SyncRecord) -> Vec<Resolution> {
        let because = "the shop merged the product into another";
        let base = record.base.as_ref().and_then(|print| self.db.kept(print));
        let line = |field| Resolution { sku: sku(&row.content).to_owned(), field, because };
        let changed = super::conflicts::changed(base.as_ref(), &row.content);
        changed.into_iter().map(|field| line(Some(field))).chain([line(None)]).collect()
    }
}
