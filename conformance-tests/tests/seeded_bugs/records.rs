//! The store's records, in the plainest form: what it would be but for the bug is the ledger of the
//! core.

use std::collections::{BTreeMap, BTreeSet};

use sync_tracker_core::{
    AliasesOp, Applied, Arm, Change, ChangeId, EntityRef, ExternalId, Guard, Imported, Key,
    Outcome, Pause, Refusal, Refused, Removal, Renamed, Result, Source, SyncRecord, Timestamp,
    Version, rules,
};

use crate::bug::Bug;
use crate::change::rewritten;
use crate::effect::{remembering, spoiled};
use crate::fast;
use crate::key::slot;
use crate::stored::stored;

#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    pub(crate) bug: Option<Bug>,
    pub(crate) by_slot: BTreeMap<String, SyncRecord>,
    pub(crate) pauses: BTreeMap<Source, Pause>,
    /// What indexes know though it is not there any more, or not yet.
    pub(crate) ghosts: Vec<SyncRecord>,
    /// Ids that were let go and still lead somewhere.
    pub(crate) left: Vec<(Key, ExternalId)>,
    /// What is counted besides the records.
    pub(crate) drift: Vec<SyncRecord>,
    /// Refusals, by the change that was refused.
    pub(crate) refusals: BTreeMap<(Key, ChangeId), Refused>,
    /// Who was told to hold an id, whoever asked first.
    pub(crate) told: BTreeMap<ExternalId, Option<EntityRef>>,
    /// What was imported and not written since.
    pub(crate) imported: BTreeSet<Key>,
    /// How many records come before the page that begins after a key.
    pub(crate) offsets: BTreeMap<Key, usize>,
}

impl Records {
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&SyncRecord> {
        self.by_slot.get(&slot(self.bug, key))
    }

    pub(crate) fn apply(&mut self, key: &Key, change: &Change, now: Timestamp) -> Outcome {
        let before = self.get(key).cloned();
        if let Some(refused) = self.refusals.get(&(key.clone(), change.id())) {
            return Outcome::Refused(refused.clone());
        }
        let mut outcome = self.apply_to(before.as_ref(), key, change, now);
        if let Outcome::Refused(refused) = &mut outcome
            && let Refusal::ExternalIdTaken { id, by } = &mut refused.reason
            && self.has(Bug::HoldersToldAgain)
        {
            by.clone_from(self.told.entry(id.clone()).or_insert_with(|| by.clone()));
        }
        if let Outcome::Refused(refused) = &outcome
            && self.has(Bug::RefusalsCached)
        {
            self.refusals.insert((key.clone(), change.id()), refused.clone());
        }
        outcome
    }

    /// Applies a change to the record as it was `before`.
    pub(crate) fn apply_to(
        &mut self,
        before: Option<&SyncRecord>,
        key: &Key,
        change: &Change,
        now: Timestamp,
    ) -> Outcome {
        let (outcome, written) = self.settle(key, change, before, now);
        written.into_iter().for_each(|record| self.write(record));
        outcome
    }

    /// The answer to a change of the record `before`, and the record to write.
    pub(crate) fn settle(
        &self,
        key: &Key,
        change: &Change,
        before: Option<&SyncRecord>,
        now: Timestamp,
    ) -> (Outcome, Option<SyncRecord>) {
        let mut change = rewritten(self.bug, change, before, now);
        let applied = |before: &SyncRecord| before.recent_changes.contains(change.id());
        let again = self.has(Bug::ReplaysCounted)
            || self.has(Bug::RenewedAgain) && fast::is_renewal(&change);
        if again && before.is_some_and(applied) {
            change = change.with_id(ChangeId::random());
        }
        let adds = |arm: &Arm| arm.then.aliases != AliasesOp::Keep;
        let unasked = self.has(Bug::AliasesUnasked) && change.arms().iter().any(adds);
        let holder = |id: &_| self.holder(key, before, id).filter(|_| !unasked);
        match change.settle(key, before, now, holder) {
            Outcome::Applied(applied) if applied.replayed => {
                let known = Some(applied.record.last_arm);
                let arm = match self.bug {
                    Some(Bug::ReplaysByLastArm) => known,
                    Some(Bug::ReplaysByFirstArm) => applied.arm.and(Some(0)),
                    _ => applied.arm,
                };
                let replayed = !self.has(Bug::ReplaysNotTold);
                (Outcome::Applied(Applied { arm, replayed, ..applied }), None)
            }
            Outcome::Applied(applied) => {
                let arm = &change.arms()[usize::from(applied.record.last_arm)];
                let mut spoiled = spoiled(self.bug, &arm.then, before, now, applied.record);
                if self.has(Bug::LeasesOutliveRemoval)
                    && before.is_none()
                    && let Some(removed) = self.ghosts.iter().find(|ghost| ghost.key == *key)
                {
                    spoiled.lease.clone_from(&removed.lease);
                    spoiled.token = removed.token;
                }
                if let Some(bug) = self.bug {
                    fast::spoiled(bug, &change, &arm.then, before, now, &mut spoiled);
                }
                let record = stored(self.bug, spoiled);
                let written = Some(record.clone());
                let arm = if self.has(Bug::ArmsUntold) { Some(0) } else { applied.arm };
                (Outcome::Applied(Applied { record, arm, ..applied }), written)
            }
            Outcome::Refused(refused) => self.refuse(key, &change, before, now, refused),
        }
    }

    fn refuse(
        &self,
        key: &Key,
        change: &Change,
        before: Option<&SyncRecord>,
        now: Timestamp,
        mut refused: Refused,
    ) -> (Outcome, Option<SyncRecord>) {
        let mut written = None;
        if self.has(Bug::RefusalsRemembered) {
            written = before.map(|before| remembering(before, change.id()));
        }
        if refused.reason == Refusal::TooManyAliases
            && self.has(Bug::AliasesOverflow)
            && let Some(before) = before
        {
            let record = before.clone();
            return (Outcome::Applied(Applied { record, arm: Some(0), replayed: false }), None);
        }
        if let Refusal::ExternalIdTaken { by, .. } = &mut refused.reason {
            let asserted = fast::is_assertion(change);
            if self.has(Bug::HolderUntold)
                || self.has(Bug::SuccessHolderUntold) && asserted && before.is_some()
            {
                *by = None;
            }
            if self.has(Bug::SuccessLeavesRecord) && asserted && before.is_none() {
                written = rules::created().apply_to(key, None, now).record().cloned();
            }
            if self.has(Bug::RefusalsHalfDone)
                && let Outcome::Applied(applied) = change.apply_to(key, before, now)
            {
                let external_id = before.and_then(|before| before.external_id.clone());
                let aliases = before.map(|before| before.aliases.clone()).unwrap_or_default();
                written = Some(SyncRecord { external_id, aliases, ..applied.record });
            }
        }
        (Outcome::Refused(refused), written)
    }

    pub(crate) fn write(&mut self, record: SyncRecord) {
        if self.has(Bug::OldIdStillLeads)
            && let Some(before) = self.get(&record.key)
        {
            let is_kept = |id: &&ExternalId| record.external_ids().any(|kept| kept == *id);
            let let_go = before.external_ids().filter(|id| !is_kept(id));
            let left: Vec<_> = let_go.map(|id| (record.key.clone(), id.clone())).collect();
            self.left.extend(left);
        }
        self.imported.remove(&record.key);
        self.by_slot.insert(slot(self.bug, &record.key), record);
    }

    pub(crate) fn put(&mut self, record: &SyncRecord) -> Result<Imported> {
        if !self.has(Bug::PutUnvalidated) {
            record.validate()?;
        }
        let before = self.get(&record.key).cloned();
        let own = |id: &ExternalId| record.external_id.as_ref() == Some(id);
        let holder = |id: &ExternalId| {
            let by = self.holder(&record.key, before.as_ref(), id)?;
            let is_alias = |other: &SyncRecord| other.aliases.contains(id);
            let unchecked = self.has(Bug::AliasesUncheckedByPut)
                && (!own(id) || self.by_slot.values().any(is_alias));
            (!unchecked).then_some(by)
        };
        if let Some(refusal) = record.taken_external_id(before.as_ref(), holder)
            && !self.has(Bug::PutUnchecked)
        {
            return Ok(Imported::Refused(refusal));
        }
        if self.has(Bug::TombstonesNotImported)
            && let Some(refusal) = self.rival(record)
        {
            return Ok(Imported::Refused(refusal));
        }
        let mut record = stored(self.bug, record.clone());
        if self.has(Bug::PutCountsVersion) {
            record.version = next(record.version);
        }
        if self.has(Bug::PutMerges)
            && let Some(before) = &before
        {
            record.external_id = record.external_id.or_else(|| before.external_id.clone());
        }
        if self.has(Bug::ReplacedCountedTwice) {
            self.drift.extend(before);
        }
        let key = record.key.clone();
        self.write(record);
        self.imported.insert(key);
        Ok(Imported::Stored)
    }

    pub(crate) fn remove(&mut self, key: &Key, guard: &Guard, now: Timestamp) -> Removal {
        let Some(record) = self.get(key).cloned() else {
            let refused = self.has(Bug::AbsentNotRemoved);
            return if refused { Removal::Refused(Refusal::Absent) } else { Removal::Absent };
        };
        let mut guard = guard.clone();
        if self.has(Bug::PurgesPending) {
            guard.dirty = None;
        }
        if self.has(Bug::PurgesLive) {
            guard.deleted = None;
        }
        if let Some(refusal) = guard.refusal(Some(&record), now)
            && !self.has(Bug::RemoveUnguarded)
        {
            return Removal::Refused(refusal);
        }
        self.by_slot.remove(&slot(self.bug, key));
        match self.bug {
            Some(Bug::RemovedStillLeads | Bug::RemovedStillClaimed) => self.ghosts.push(record),
            Some(Bug::LeasesOutliveRemoval) if record.lease.is_some() => self.ghosts.push(record),
            Some(Bug::RemovedStillCounted) => self.drift.push(record),
            _ => {}
        }
        Removal::Removed
    }

    pub(crate) fn rename(&mut self, from: &Key, to: &Key, now: Timestamp) -> Renamed {
        let Some(record) = self.get(from).cloned() else {
            return Renamed::Absent;
        };
        if from == to {
            if self.has(Bug::RenamedToItself) {
                return Renamed::Refused(Refusal::AlreadyExists);
            }
            return Renamed::Moved;
        }
        if let Some(refusal) = record.rename_refusal(now)
            && !(self.has(Bug::RenameUnderLease) && record.lease.is_some())
        {
            return Renamed::Refused(refusal);
        }
        if self.get(to).is_some() && !self.has(Bug::RenameOverwrites) {
            return Renamed::Refused(Refusal::AlreadyExists);
        }
        let mut moved = record.renamed(to);
        let same = to.source == from.source && to.entity.entity_type == from.entity.entity_type;
        let before = same.then_some(&record);
        if let Some(refusal) = moved.taken_external_id(before, |id| self.holder(to, before, id))
            && !self.has(Bug::RenameTakesIds)
        {
            return Renamed::Refused(refusal);
        }
        if self.has(Bug::TombstonesNotRenamed)
            && let Some(refusal) = self.rival(&record)
        {
            return Renamed::Refused(refusal);
        }
        match self.bug {
            Some(Bug::RenameLosesAliases) => moved.aliases.clear(),
            Some(Bug::RenameUncounted) => moved.version = record.version,
            _ => {}
        }
        if !self.has(Bug::RenameCopies) {
            self.by_slot.remove(&slot(self.bug, from));
        }
        self.write(moved);
        Renamed::Moved
    }
}

impl Records {
    /// The refusal if somebody holds an id of the record, even if the record itself holds nothing.
    fn rival(&self, record: &SyncRecord) -> Option<Refusal> {
        record.external_ids().find_map(|id| {
            let by = self.holder(&record.key, None, id)?;
            Some(Refusal::ExternalIdTaken { id: id.clone(), by: Some(by) })
        })
    }
}

fn next(version: Version) -> Version {
    Version::new(version.get() + 1).expect("within range")
}
