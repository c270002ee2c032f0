//! What our people do. Each writes the row and tells the ledger, under the lock of the row.

use serde_json::Value;
use sync_tracker::{EntityRef, SourceOutcome};

use super::{TwoWay, TwoWayError};

impl TwoWay {
    /// Makes a product. None if another one has its SKU.
    pub async fn create(&self, content: Value) -> Result<Option<EntityRef>, TwoWayError> {
        let entity = self.db.next_entity()?;
        let _row = self.db.lock(&entity).await;
        if !self.db.insert(&entity, content) {
            return Ok(None);
        }
        told(&self.tracker.created(&entity).await?)?;
        Ok(Some(entity))
    }

    /// Sets a field of a product; the product as it was. None if it is not there any more.
    pub async fn edit(
        &self,
        entity: &EntityRef,
        field: &str,
        value: Value,
    ) -> Result<Option<Value>, TwoWayError> {
        let _row = self.db.lock(entity).await;
        let Some(before) = self.db.live(entity) else { return Ok(None) };
        let mut content = before.clone();
        content[field] = value;
        self.db.write(entity, content);
        told(&self.tracker.updated(entity).await?)?;
        Ok(Some(before))
    }

    /// Deletes a product; what it was. None if it is not there any more.
    pub async fn delete(&self, entity: &EntityRef) -> Result<Option<Value>, TwoWayError> {
        let _row = self.db.lock(entity).await;
        let Some(before) = self.db.live(entity) else { return Ok(None) };
        self.db.delete(entity);
        told(&self.tracker.deleted(entity).await?)?;
        Ok(Some(before))
    }

    /// Restores a product that was deleted; what it is again. None if it is not deleted, or if
    /// another one has its SKU.
    pub async fn restore(&self, entity: &EntityRef) -> Result<Option<Value>, TwoWayError> {
        let _row = self.db.lock(entity).await;
        let Some(row) = self.db.row(entity).filter(|row| row.deleted) else { return Ok(None) };
        if !self.db.insert(entity, row.content.clone()) {
            return Ok(None);
        }
        told(&self.tracker.restored(entity).await?)?;
        Ok(Some(row.content))
    }
}

/// The row is locked, so the ledger has no reason to refuse.
fn told(outcomes: &[SourceOutcome]) -> Result<(), TwoWayError> {
    match outcomes.iter().find_map(|one| one.outcome.refusal()) {
        None => Ok(()),
        Some(refusal) => Err(TwoWayError::Broken(refusal.to_string())),
    }
}
