//! Objects of the shop that the ledger does not know yet.

use sync_tracker::{EntityRef, ExternalId};

use super::database::sku;
use super::observe::Next;
use super::{SHOP, TwoWay, TwoWayError};
use crate::client::{Seen, State};

impl TwoWay {
    /// Under the lock of the object: reads it, and finds out by its SKU whether it is one of ours.
    pub(super) async fn meet(
        &self,
        id: &str,
        pushing: Option<&EntityRef>,
    ) -> Result<Next, TwoWayError> {
        let seen = self.read(id).await?;
        let content = match &seen.state {
            State::Gone => return Ok(Next::Settled),
            State::MergedInto(into) => return Ok(Next::Merged(into.clone())),
            State::There(None) => return Ok(Next::Read),
            State::There(Some(content)) => content,
        };
        if let Some(entity) = self.db.with_sku(sku(content)) {
            let _row = self.db.lock(&entity).await;
            return self.encounter(&entity, &seen, content, pushing == Some(&entity)).await;
        }
        for entity in self.db.deleted_with_sku(sku(content)) {
            let _row = self.db.lock(&entity).await;
            if let Some(next) = self.find_again(&entity, &seen).await? {
                return Ok(next);
            }
        }
        self.welcome(&seen, content).await
    }

    /// Our create of a product that was deleted meanwhile may have made it. None if it did not.
    async fn find_again(
        &self,
        entity: &EntityRef,
        seen: &Seen,
    ) -> Result<Option<Next>, TwoWayError> {
        let Some(record) = self.tracker.record(entity, SHOP).await? else { return Ok(None) };
        if record.external_id.is_some() || !(record.in_doubt || record.lease.is_some()) {
            return Ok(None);
        }
        let id = ExternalId::new(&seen.id)?;
        if self.tracker.bind(entity, SHOP, id).only_existing().await?.is_applied() {
            self.tally.note(|tally| tally.adopted += 1);
        }
        Ok(Some(Next::Read))
    }

    /// The shop's staff made a product: it is written here, and in step.
    async fn welcome(&self, seen: &Seen, content: &serde_json::Value) -> Result<Next, TwoWayError> {
        let entity = self.db.next_entity()?;
        let _row = self.db.lock(&entity).await;
        if !self.db.insert(&entity, content.clone()) {
            return Ok(Next::Read);
        }
        let next = self.in_step(&entity, seen, content).await?;
        if matches!(next, Next::Read) {
            self.db.remove(&entity);
        }
        Ok(next)
    }

    /// Under the lock of the row: what is in the shop is what is here.
    async fn in_step(
        &self,
        entity: &EntityRef,
        seen: &Seen,
        content: &serde_json::Value,
    ) -> Result<Next, TwoWayError> {
        self.db.write(entity, content.clone());
        let mut synced = self.tracker.mark_synced(entity, SHOP).external_id(seen.id.as_str());
        if let Some(version) = self.version(seen.version) {
            synced = synced.remote_version(version);
        }
        if !synced.fingerprint(self.db.keep(content)?).await?.is_applied() {
            return Ok(Next::Read);
        }
        self.tally.note(|tally| tally.taken_over += 1);
        Ok(Next::Settled)
    }

    /// A product of ours has this SKU: it is our own create whose reply did not come yet, or both
    /// sides made it.
    async fn encounter(
        &self,
        entity: &EntityRef,
        seen: &Seen,
        content: &serde_json::Value,
        is_pushing: bool,
    ) -> Result<Next, TwoWayError> {
        let Some(ours) = self.db.live(entity) else { return Ok(Next::Read) };
        let Some(record) = self.tracker.record(entity, SHOP).await? else {
            // A process crashed after it had welcomed the product, and before it told the ledger.
            return self.in_step(entity, seen, content).await;
        };
        if let Some(other) = Self::external_id(&record) {
            // The shop has each SKU once, so that one is gone, and we did not hear of it.
            return Ok(Next::LookFirst(other));
        }
        let print = self.db.keep(content)?;
        if record.echoes.contains(&print) {
            let id = ExternalId::new(&seen.id)?;
            if self.tracker.bind(entity, SHOP, id).only_existing().await?.is_applied() {
                self.tally.note(|tally| tally.adopted += 1);
            }
            return Ok(Next::Read);
        }
        if record.lease.is_some() && !is_pushing {
            return Err(TwoWayError::Later("a create of ours is under way"));
        }
        let mut found = self.tracker.encountered(entity, SHOP, seen.id.as_str()).fingerprint(print);
        if let Some(version) = self.version(seen.version) {
            found = found.version(version);
        }
        if ours == *content {
            found = found.same_as(&record);
        }
        if found.await?.is_applied() {
            self.tally.note(|tally| tally.encountered += 1);
        }
        // If the contents differ, a conflict is open now, which is resolved on the next look.
        Ok(Next::Read)
    }
}
