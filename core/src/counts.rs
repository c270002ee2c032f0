//! How many records there are.

use std::collections::BTreeMap;

use crate::key::EntityType;
use crate::record::SyncRecord;
use crate::status::Status;

/// How many records of one source there are, by entity type and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(EntityType, Status), u64>);

impl Counts {
    /// How many there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many are in a status.
    #[must_use]
    pub fn in_status(&self, status: Status) -> u64 {
        self.0.iter().filter(|((_, of), _)| *of == status).map(|(_, count)| count).sum()
    }

    /// How many entities of a type are in a status.
    #[must_use]
    pub fn of(&self, entity_type: &EntityType, status: Status) -> u64 {
        self.0.get(&(entity_type.clone(), status)).copied().unwrap_or(0)
    }

    /// Each type and status that occurs, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&EntityType, Status, u64)> {
        self.0.iter().map(|((entity_type, status), count)| (entity_type, *status, *count))
    }

    /// Counts one record more.
    pub fn add(&mut self, record: &SyncRecord) {
        let of = (record.key.entity.entity_type.clone(), record.status());
        *self.0.entry(of).or_default() += 1;
    }
}

impl FromIterator<(EntityType, Status, u64)> for Counts {
    fn from_iter<I: IntoIterator<Item = (EntityType, Status, u64)>>(counts: I) -> Self {
        let nonzero = counts.into_iter().filter(|(_, _, count)| *count > 0);
        Self(nonzero.map(|(of, status, count)| ((of, status), count)).collect())
    }
}
