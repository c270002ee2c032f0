//! Bugs in whose an external id is.

use std::borrow::Cow;

use sync_tracker_core::{EntityRef, EntityType, ExternalId, Key, Source, SyncRecord, first_found};

use crate::bug::Bug;
use crate::records::Records;

impl Records {
    /// The other entity that holds an id, as `before` asks for it.
    pub(crate) fn holder(
        &self,
        key: &Key,
        before: Option<&SyncRecord>,
        id: &ExternalId,
    ) -> Option<EntityRef> {
        let had = before.is_some_and(|before| before.external_ids().any(|had| had == id));
        if self.has(Bug::IdsNotUnique) || self.has(Bug::IdsTakenUnasked) && had {
            return None;
        }
        let others = self.by_slot.values().filter(|other| other.key != *key);
        let mut holders = others.filter(|other| {
            self.is_rival(key, &other.key) && self.holds(other) && self.carries(other, id)
        });
        let by = &holders.next()?.key.entity;
        // The core takes the same entity for no other one, whatever its source.
        let another = || EntityRef::new("somebody", "else").expect("names");
        Some(if *by == key.entity { another() } else { by.clone() })
    }

    fn is_rival(&self, key: &Key, other: &Key) -> bool {
        (key.source == other.source || self.has(Bug::IdsUniqueAcrossSources))
            && (key.entity.entity_type == other.entity.entity_type
                || self.has(Bug::IdsUniqueAcrossTypes))
    }

    fn holds(&self, other: &SyncRecord) -> bool {
        match self.bug {
            Some(Bug::IdsHeldByTombstones) => true,
            Some(Bug::IdsFreedByDeletion) => !other.is_deleted(),
            Some(Bug::IdsFreedUnderLease) => other.is_dirty() || !other.is_deleted(),
            _ => other.holds_external_ids(),
        }
    }

    fn carries(&self, other: &SyncRecord, id: &ExternalId) -> bool {
        let own = other.external_id.iter();
        let aliases = other.aliases.iter().filter(|_| !self.has(Bug::AliasesNotHeld));
        own.chain(aliases).any(|known| self.form(known) == self.form(id))
    }

    /// What is compared of an external id.
    fn form<'a>(&self, id: &'a ExternalId) -> Cow<'a, str> {
        match self.bug {
            Some(Bug::IdsFolded) => id.as_str().to_lowercase().into(),
            Some(Bug::IdsTrimmed) => id.as_str().trim().into(),
            Some(Bug::IdsNormalised) => id.as_str().replace("e\u{301}", "é").into(),
            _ => id.as_str().into(),
        }
    }

    pub(crate) fn find(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Option<&SyncRecord> {
        let of_type = |record: &&SyncRecord| {
            record.key.source == *source && record.key.entity.entity_type == *entity_type
        };
        let aliases = !self.has(Bug::AliasesNotFound);
        let found = self.by_slot.values().filter(of_type).filter(|record| {
            let lost = self.has(Bug::AliasesOfImportsLost) && self.imported.contains(&record.key);
            let aliases = record.aliases.iter().filter(|_| aliases && !lost);
            record.external_id.iter().chain(aliases).any(|known| self.form(known) == self.form(id))
        });
        let found = match self.bug {
            Some(Bug::TombstonesNotFound) => first_found(found.filter(|one| !one.is_tombstone())),
            Some(Bug::TombstonesFirst) => found.min_by_key(|one| (!one.is_tombstone(), &one.key)),
            Some(Bug::OldestTombstone) => {
                found.min_by_key(|one| (one.is_tombstone(), one.deleted_at, &one.key))
            }
            _ => first_found(found),
        };
        found.or_else(|| self.led_by_leftovers(id).filter(of_type))
    }

    /// The record that an index leads to which was not kept.
    fn led_by_leftovers(&self, id: &ExternalId) -> Option<&SyncRecord> {
        let ghost = self.ghosts.iter().find(|ghost| ghost.external_ids().any(|known| known == id));
        let left = || self.left.iter().find(|(_, left)| left == id);
        let leads = !self.has(Bug::RemovedStillClaimed) && !self.has(Bug::LeasesOutliveRemoval);
        ghost.filter(|_| leads).or_else(|| left().and_then(|(key, _)| self.get(key)))
    }
}
