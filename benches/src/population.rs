//! The records that benchmarks run on: entities of type *order* with ids of 10 characters, external
//! ids of 16, metadata of about 50 bytes of JSON, in one source. One in a hundred is due.

use serde_json::{Value, json};
use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{
    Change, ChangeId, EntityRef, EntityType, Error, ExternalId, Key, Metadata, Outcome,
    RecentChanges, Result, Source, SyncRecord, Timestamp,
};

/// Of so many records one is due.
pub const DUE_EVERY: usize = 100;

/// A number of records of one kind.
#[derive(Clone, Debug)]
pub struct Population {
    source: Source,
    entity_type: EntityType,
    size: usize,
    recent_changes: usize,
}

impl Population {
    /// So many records, each of which remembers so many recent changes, 16 at most.
    ///
    /// # Errors
    ///
    /// None in practice: the names are valid.
    pub fn new(size: usize, recent_changes: usize) -> Result<Self> {
        let source = Source::new("shop")?;
        Ok(Self { source, entity_type: EntityType::new("order")?, size, recent_changes })
    }

    /// How many records there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many recent changes each remembers.
    #[must_use]
    pub fn recent_changes(&self) -> usize {
        self.recent_changes
    }

    /// Their source.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Their entity type.
    #[must_use]
    pub fn entity_type(&self) -> &EntityType {
        &self.entity_type
    }

    /// The key of one of them. Its text is made anew, as that of a caller is.
    ///
    /// # Errors
    ///
    /// None in practice: the id is valid.
    pub fn key(&self, number: usize) -> Result<Key> {
        let entity = EntityRef::new("order", format!("{number:010}"))?;
        Ok(Key { source: Source::new(self.source.as_str())?, entity })
    }

    /// The external id of one of them.
    ///
    /// # Errors
    ///
    /// None in practice: the id is valid.
    pub fn external_id(&self, number: usize) -> Result<ExternalId> {
        // Scattered, as ids that somebody else gives are; odd, so each number has its own.
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        ExternalId::new(format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The key of an entity that has no record, in a source of its own: what is new and waits there
    /// is in nobody's way.
    ///
    /// # Errors
    ///
    /// None in practice: the names are valid.
    pub fn new_key(&self, number: usize) -> Result<Key> {
        Key::new("new", self.entity_type.clone(), format!("{number:010}"))
    }

    /// Whether one of them is due.
    #[must_use]
    pub fn is_due(&self, number: usize) -> bool {
        number.is_multiple_of(DUE_EVERY)
    }

    /// The change that makes one of them, synced.
    ///
    /// # Errors
    ///
    /// None in practice: all parts are valid.
    pub fn synced(&self, number: usize) -> Result<Change> {
        let success =
            Success { external_id: Some(self.external_id(number)?), ..Success::default() };
        let success = success.replacing_metadata(Metadata::new(self.metadata(number))?);
        Ok(MarkSynced { success }.change())
    }

    /// The metadata of one of them.
    #[must_use]
    pub fn metadata(&self, number: usize) -> Value {
        json!({ "batch": number, "by": "nightly import", "checked": true })
    }

    /// One of them: synced at `now`, or changed since and due.
    ///
    /// # Errors
    ///
    /// None in practice: all parts are valid.
    pub fn record(&self, number: usize, now: Timestamp) -> Result<SyncRecord> {
        let key = self.key(number)?;
        let mut record = applied(self.synced(number)?.apply_to(&key, None, now))?;
        if self.is_due(number) {
            record = applied(rules::updated().apply_to(&key, Some(&record), now))?;
        }
        let recent: Vec<_> = (0..self.recent_changes).map(|_| ChangeId::random()).collect();
        record.recent_changes = RecentChanges::try_from(recent)?;
        Ok(record)
    }

    /// `count` numbers of records that are not due, scattered over all; others in each round.
    #[must_use]
    pub fn scattered(&self, round: usize, count: usize) -> Vec<usize> {
        (0..count).map(|step| self.not_due(round * count + step)).collect()
    }

    /// The number of the record that comes at this step of a walk over all that are not due.
    #[must_use]
    pub fn not_due(&self, step: usize) -> usize {
        // A prime, so that every number comes once before one comes again.
        const STRIDE: usize = 2_654_435_761;
        let not_due = self.size - self.size.div_ceil(DUE_EVERY);
        let at = step * STRIDE % not_due;
        at + 1 + at / (DUE_EVERY - 1)
    }
}

fn applied(outcome: Outcome) -> Result<SyncRecord> {
    match outcome {
        Outcome::Applied(applied) => Ok(applied.record),
        Outcome::Refused(refused) => {
            Err(Error::invalid("population", refused.reason.to_string(), "records as told"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_comes_by_every_record_that_is_not_due_once() {
        let population = Population::new(1_050, 1).unwrap();
        let mut numbers = population.scattered(0, 1_039);
        numbers.sort_unstable();
        let all: Vec<_> = (0..1_050).filter(|number| !population.is_due(*number)).collect();
        assert_eq!(numbers, all);
    }
}
