//! The records that benchmarks run on: entities of type *order* with ids of 10 characters, external
//! ids of 16, metadata of about 50 bytes of JSON, in one source. One in a hundred is due.

use serde_json::json;
use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{
    ChangeId, EntityRef, EntityType, Error, ExternalId, Key, Metadata, Outcome, RecentChanges,
    Result, Source, SyncRecord, Timestamp,
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

    /// Whether one of them is due.
    #[must_use]
    pub fn is_due(&self, number: usize) -> bool {
        number.is_multiple_of(DUE_EVERY)
    }

    /// One of them: synced at `now`, or changed since and due.
    ///
    /// # Errors
    ///
    /// None in practice: all parts are valid.
    pub fn record(&self, number: usize, now: Timestamp) -> Result<SyncRecord> {
        let key = self.key(number)?;
        let metadata = json!({ "batch": number, "by": "nightly import", "checked": true });
        let success =
            Success { external_id: Some(self.external_id(number)?), ..Success::default() }
                .replacing_metadata(Metadata::new(metadata)?);
        let mut record = applied(MarkSynced { success }.change().apply_to(&key, None, now))?;
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
        // A prime, so that every number comes once before one comes again.
        const STRIDE: usize = 2_654_435_761;
        (0..)
            .map(|step: usize| (round * count + step) * STRIDE % self.size)
            .filter(|number| !self.is_due(*number))
            .take(count)
            .collect()
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
