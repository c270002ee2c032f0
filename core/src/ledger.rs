//! The reference for what concerns more than one record.

use std::collections::BTreeMap;

use crate::change::{Change, Guard, Outcome, Refusal};
use crate::claim::{ClaimRequest, Claimed, claim_order};
use crate::error::Error;
use crate::key::{EntityRef, EntityType, ExternalId, Key, Source};
use crate::page::{Cursor, Filter, Page, PageSize};
use crate::pause::{Pause, PauseRequest};
use crate::record::SyncRecord;
use crate::rename::Renamed;
use crate::statistics::Statistics;
use crate::time::Timestamp;

/// What became of a record that was put as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused record was not stored"]
pub enum Imported {
    /// It is stored.
    Stored,
    /// Another entity holds one of its external ids.
    Refused(Refusal),
}

/// What became of a record that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused removal had no effect"]
pub enum Removal {
    /// It is gone.
    Removed,
    /// There was none.
    Absent,
    /// The guard did not hold.
    Refused(Refusal),
}

/// A whole ledger in a map: the meaning of every operation of a store, in the plainest form.
///
/// It is the model that stores are tested against, and enough for a store that works under a
/// lock. Every call looks at every record, but for [`get`](Self::get) and the record itself in
/// [`apply`](Self::apply); the memory store is the one with indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    records: BTreeMap<Key, SyncRecord>,
    pauses: BTreeMap<Source, Pause>,
}

impl Ledger {
    /// Applies a change.
    pub fn apply(&mut self, key: &Key, change: &Change, now: Timestamp) -> Outcome {
        let Key { source, entity } = key;
        let record = self.records.get(key);
        let outcome = change.settle(key, record, now, |id| self.holder(source, entity, id));
        if let Outcome::Applied(applied) = &outcome {
            self.records.insert(key.clone(), applied.record.clone());
        }
        outcome
    }

    /// The entity of the same type that holds an external id.
    fn holder(&self, source: &Source, entity: &EntityRef, id: &ExternalId) -> Option<EntityRef> {
        let found = self.by_external_id(source, &entity.entity_type, id)?;
        found.holds_external_ids().then(|| found.key.entity.clone())
    }

    /// The record of a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&SyncRecord> {
        self.records.get(key)
    }

    /// The record with this external id, as its own or as an alias.
    #[must_use]
    pub fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Option<&SyncRecord> {
        first_found(self.records.values().filter(|record| {
            record.key.source == *source
                && record.key.entity.entity_type == *entity_type
                && record.external_ids().any(|known| known == id)
        }))
    }

    /// A page of the records that pass the filter, in the order of their keys.
    #[must_use]
    pub fn list(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
        now: Timestamp,
    ) -> Page {
        let records = self.records.values().filter(|record| {
            filter.matches(record, now) && after.is_none_or(|cursor| cursor.precedes(&record.key))
        });
        Page::of(records.cloned(), size)
    }

    /// Stores a whole record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if no change could have made it.
    pub fn put(&mut self, record: &SyncRecord) -> Result<Imported, Error> {
        record.validate()?;
        let Key { source, entity } = &record.key;
        let before = self.records.get(&record.key);
        let taken = record.taken_external_id(before, |id| self.holder(source, entity, id));
        if let Some(refusal) = taken {
            return Ok(Imported::Refused(refusal));
        }
        self.records.insert(record.key.clone(), record.clone());
        Ok(Imported::Stored)
    }

    /// Makes `record` the record of the key, or leaves it without one, whatever rules say: for a
    /// store that keeps a ledger in step with a file, and reads it back or takes a write back.
    pub fn restore(&mut self, key: &Key, record: Option<SyncRecord>) {
        match record {
            Some(record) => self.records.insert(key.clone(), record),
            None => self.records.remove(key),
        };
    }

    /// Removes a record if the guard holds.
    pub fn remove(&mut self, key: &Key, guard: &Guard, now: Timestamp) -> Removal {
        let Some(record) = self.records.get(key) else {
            return Removal::Absent;
        };
        if let Some(refusal) = guard.refusal(Some(record), now) {
            return Removal::Refused(refusal);
        }
        self.records.remove(key);
        Removal::Removed
    }

    /// Moves a record to another key.
    pub fn rename(&mut self, from: &Key, to: &Key, now: Timestamp) -> Renamed {
        let Some(record) = self.records.get(from) else {
            return Renamed::Absent;
        };
        if from == to {
            return Renamed::Moved;
        }
        if let Some(refusal) = record.rename_refusal(now) {
            return Renamed::Refused(refusal);
        }
        if self.records.contains_key(to) {
            return Renamed::Refused(Refusal::AlreadyExists);
        }
        let moved = record.renamed(to);
        // Within the same source and type its ids are its own already.
        let Key { source, entity } = to;
        let same = *source == from.source && entity.entity_type == from.entity.entity_type;
        let before = same.then_some(record);
        if let Some(refusal) = moved.taken_external_id(before, |id| self.holder(source, entity, id))
        {
            return Renamed::Refused(refusal);
        }
        self.records.remove(from);
        self.records.insert(to.clone(), moved);
        Renamed::Moved
    }

    /// Claims due records of a source.
    pub fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Claimed {
        let of = |filter: Filter| {
            let records = self.records.values();
            let mut found: Vec<_> = records.filter(|record| filter.matches(record, now)).collect();
            found.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
            found
        };
        let granted = of(request.granted());
        let mut due = of(request.due());
        if self.paused(request.source(), now).is_some() {
            due.clear();
        }
        let selected: Vec<_> = request.select(granted.len(), due).into_iter().cloned().collect();
        let mut claimed = Claimed::default();
        granted.into_iter().take(request.limit()).cloned().for_each(|record| claimed.push(record));
        for candidate in selected {
            if let Outcome::Applied(applied) = request.claim_to(&candidate, now) {
                self.records.insert(candidate.key, applied.record.clone());
                claimed.push(applied.record);
            }
        }
        claimed
    }

    /// Pauses a source: claims take nothing more of it.
    pub fn pause(&mut self, source: &Source, request: &PauseRequest, now: Timestamp) {
        self.pauses.insert(source.clone(), Pause::begin(request, now));
    }

    /// Ends the pause of a source.
    pub fn resume(&mut self, source: &Source) {
        self.pauses.remove(source);
    }

    /// The pause of a source, if it lasts.
    #[must_use]
    pub fn paused(&self, source: &Source, now: Timestamp) -> Option<&Pause> {
        self.pauses.get(source).filter(|pause| pause.lasts(now))
    }

    /// How a source is doing.
    #[must_use]
    pub fn statistics(&self, source: &Source, now: Timestamp) -> Statistics {
        let filter = Filter { source: Some(source.clone()), ..Filter::default() };
        let mut statistics = Statistics::new(now);
        self.records
            .values()
            .filter(|record| filter.matches(record, now))
            .for_each(|record| statistics.add(record));
        statistics
    }

    /// The sources that have records, in order.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let keys = self.records.keys().filter(|key| !key.entity.entity_type.is_reserved());
        let mut sources: Vec<_> = keys.map(|key| key.source.clone()).collect();
        sources.dedup();
        sources
    }

    /// The records of one entity, ordered by source.
    #[must_use]
    pub fn records_of(&self, entity: &EntityRef) -> Vec<SyncRecord> {
        self.records.values().filter(|record| record.key.entity == *entity).cloned().collect()
    }
}

/// Which of the records that carry one external id a lookup finds: the holder, of which there is
/// one at most; else the tombstone that was deleted last, and of several the first by key.
#[must_use]
pub fn first_found<'a>(
    candidates: impl IntoIterator<Item = &'a SyncRecord>,
) -> Option<&'a SyncRecord> {
    candidates.into_iter().min_by(|a, b| {
        a.is_tombstone()
            .cmp(&b.is_tombstone())
            .then_with(|| b.deleted_at.cmp(&a.deleted_at))
            .then_with(|| a.key.cmp(&b.key))
    })
}
