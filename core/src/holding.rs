//! Which external ids a record holds against others.

use crate::change::Refusal;
use crate::key::{EntityRef, ExternalId};
use crate::record::SyncRecord;

impl SyncRecord {
    /// Whether no other entity of the type may take the external ids of this record. They are held
    /// until it is a [tombstone](Self::is_tombstone), which holds nothing.
    #[must_use]
    pub fn holds_external_ids(&self) -> bool {
        !self.is_tombstone()
    }

    /// The external ids that this record holds and `before` did not.
    pub(crate) fn newly_held<'a>(
        &'a self,
        before: Option<&'a Self>,
    ) -> impl Iterator<Item = &'a ExternalId> {
        let before = before.filter(|before| before.holds_external_ids());
        let holds = self.holds_external_ids();
        self.external_ids().filter(move |id| {
            holds && before.is_none_or(|before| before.external_ids().all(|held| held != *id))
        })
    }

    /// The refusal if this record, in the place of `before`, would newly hold an external id that
    /// another entity holds. `holder` names the entity that holds an id of this source and type.
    ///
    /// `holder` and the write have to be one atomic step.
    pub fn taken_external_id(
        &self,
        before: Option<&Self>,
        mut holder: impl FnMut(&ExternalId) -> Option<EntityRef>,
    ) -> Option<Refusal> {
        self.newly_held(before).find_map(|id| {
            let by = holder(id).filter(|by| *by != self.key.entity)?;
            Some(Refusal::ExternalIdTaken { id: id.clone(), by: Some(by) })
        })
    }
}
