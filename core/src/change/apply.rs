//! What a change means.

use super::outcome::{Applied, Outcome, Refusal, Refused};
use super::{Arm, Change};
use crate::key::{EntityRef, ExternalId, Key};
use crate::record::SyncRecord;
use crate::time::Timestamp;

impl Change {
    /// What this change makes of one record at `now`, other records left aside.
    ///
    /// This *is* the meaning of a change: the reference that every store agrees with.
    ///
    /// 1. A change found among the record's recent ones was applied before: the answer says so.
    /// 2. The first arm whose guard holds is carried out; if none holds, the change is refused.
    /// 3. A record that would have more than [`MAX_ALIASES`](SyncRecord::MAX_ALIASES) aliases is
    ///    refused.
    /// 4. Derived in the same step: *pending since*, the version, recent changes, last arm.
    ///
    /// A store also refuses an external id that another record holds: see
    /// [`settle`](Self::settle).
    pub fn apply_to(&self, key: &Key, record: Option<&SyncRecord>, now: Timestamp) -> Outcome {
        self.settle(key, record, now, |_| None)
    }

    /// What this change makes of a record among others: as [`apply_to`](Self::apply_to), and an
    /// external id that the record would newly hold must be free. `holder` names the other
    /// entity that holds an id of this source and entity type.
    ///
    /// `holder` and the write have to be one atomic step.
    pub fn settle(
        &self,
        key: &Key,
        record: Option<&SyncRecord>,
        now: Timestamp,
        holder: impl FnMut(&ExternalId) -> Option<EntityRef>,
    ) -> Outcome {
        if let Some(record) = record.filter(|record| record.recent_changes.contains(self.id)) {
            return Outcome::Applied(self.replayed(record.clone()));
        }
        let Some((arm, then)) = self.first_that_holds(record, now) else {
            let reason = self.explain(key, record, now);
            return Outcome::Refused(Refused { reason, record: record.cloned() });
        };
        let next = self.next(key, record, arm, &then.then, now);
        let too_many = has_too_many_aliases(&next).then_some(Refusal::TooManyAliases);
        if let Some(reason) = too_many.or_else(|| next.taken_external_id(record, holder)) {
            return Outcome::Refused(Refused { reason, record: record.cloned() });
        }
        Outcome::Applied(Applied { record: next, arm: Some(arm), replayed: false })
    }

    /// Says why a store refused this change, from the record that it sent back and its time.
    ///
    /// The reason is the first demand of the **last** arm that does not hold. If an arm holds, the
    /// record would have too many aliases, or an external id was taken: the first that it would newly
    /// hold, unless the store knows which. Who holds it, the store has to ask. If that explains nothing either, the record was written between the refusal and the
    /// reading.
    #[must_use]
    pub fn explain(&self, key: &Key, record: Option<&SyncRecord>, now: Timestamp) -> Refusal {
        if let Some((arm, then)) = self.first_that_holds(record, now) {
            let next = self.next(key, record, arm, &then.then, now);
            if has_too_many_aliases(&next) {
                return Refusal::TooManyAliases;
            }
            if let Some(id) = next.newly_held(record).next() {
                return Refusal::ExternalIdTaken { id: id.clone(), by: None };
            }
        }
        self.arms
            .last()
            .and_then(|arm| arm.when.refusal(record, now))
            .unwrap_or(Refusal::VersionMismatch)
    }

    /// Says what a store's answer to a change that it had applied before is: the record as it
    /// stands, and the arm if it can still be told.
    #[must_use]
    pub fn replayed(&self, record: SyncRecord) -> Applied {
        let arm = (record.recent_changes.last() == Some(self.id)).then_some(record.last_arm);
        Applied { record, arm, replayed: true }
    }

    fn first_that_holds(&self, record: Option<&SyncRecord>, now: Timestamp) -> Option<(u8, &Arm)> {
        (0..).zip(&self.arms).find(|(_, arm)| arm.when.holds(record, now))
    }

    fn next(
        &self,
        key: &Key,
        record: Option<&SyncRecord>,
        arm: u8,
        then: &super::Patch,
        now: Timestamp,
    ) -> SyncRecord {
        let mut next = record.cloned().unwrap_or_else(|| SyncRecord::unborn(key, now));
        then.carry_out(&mut next, now);
        next.pending_since = match record {
            _ if !next.is_dirty() => None,
            Some(before) if before.is_dirty() && before.synced_revision == next.synced_revision => {
                before.pending_since
            }
            _ => Some(now),
        };
        next.version = next.version.next();
        next.recent_changes.push(self.id);
        next.last_arm = arm;
        next
    }
}

/// Whether a change would leave more aliases than a record may have.
fn has_too_many_aliases(next: &SyncRecord) -> bool {
    next.aliases.len() > SyncRecord::MAX_ALIASES
}
