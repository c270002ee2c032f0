//! Bugs that only a race shows: one step that is two, and others come between.

use sync_tracker_core::{
    Applied, Change, ChangeId, ExternalIdDemand, Key, Outcome, Page, RecentChanges, Refusal,
    SyncRecord,
};
use tokio::task::yield_now;

use crate::effect::remembering;
use crate::store::Store;

/// Whether a change puts one external id in the place of another.
pub(crate) fn rebinds(change: &Change) -> bool {
    let demands = change.arms().iter().filter_map(|arm| arm.when.external_id.as_ref());
    demands.into_iter().any(|demand| matches!(demand, ExternalIdDemand::Is(_)))
}

impl Store {
    /// Tells the holder that it knew of before the write.
    pub(crate) async fn apply_and_tell(&self, key: &Key, change: &Change) -> Outcome {
        let (before, _) = {
            let records = self.records();
            records.settle(key, change, records.get(key), self.now())
        };
        yield_now().await;
        let mut outcome = self.records().apply(key, change, self.now());
        if let Outcome::Refused(refused) = &mut outcome
            && let Refusal::ExternalIdTaken { by, .. } = &mut refused.reason
        {
            *by = match before.refusal() {
                Some(Refusal::ExternalIdTaken { by, .. }) => by.clone(),
                _ => None,
            };
        }
        outcome
    }

    /// Lets go of the old id, and takes the new one later, or the old one again.
    pub(crate) async fn rebind_in_two(&self, key: &Key, change: &Change) -> Outcome {
        let Some(before) = self.records().get(key).cloned() else {
            return self.records().apply(key, change, self.now());
        };
        if !change.apply_to(key, Some(&before), self.now()).is_applied() {
            return self.records().apply(key, change, self.now());
        }
        self.records().write(SyncRecord { external_id: None, ..before.clone() });
        yield_now().await;
        let mut records = self.records();
        if let Some(record) = records.get(key).cloned().filter(|now| now.external_id.is_none()) {
            records.write(SyncRecord { external_id: before.external_id, ..record });
        }
        records.apply(key, change, self.now())
    }

    /// Looks whether the change was applied before it applies it.
    pub(crate) async fn apply_unless_known(&self, key: &Key, change: &Change) -> Outcome {
        let is_known = |record: &SyncRecord| record.recent_changes.contains(change.id());
        let known = self.records().get(key).is_some_and(is_known);
        yield_now().await;
        let mut records = self.records();
        if known || !records.get(key).is_some_and(is_known) {
            return records.apply(key, change, self.now());
        }
        let ring = records.get(key).map(|record| record.recent_changes.clone());
        let anew = change.clone().with_id(ChangeId::random());
        let outcome = records.apply(key, &anew, self.now());
        remembered(outcome, &ring.unwrap_or_default(), change.id(), |record| records.write(record))
    }

    /// Writes the changes to remember as it read them, and this one.
    pub(crate) async fn apply_and_remember(&self, key: &Key, change: &Change) -> Outcome {
        let ring = self.records().get(key).map(|record| record.recent_changes.clone());
        yield_now().await;
        let mut records = self.records();
        let outcome = records.apply(key, change, self.now());
        remembered(outcome, &ring.unwrap_or_default(), change.id(), |record| records.write(record))
    }

    /// Reads the records of a page, which may be fewer by now; and takes fewer for the end.
    pub(crate) async fn read_again(&self, page: Page) -> Page {
        yield_now().await;
        let records = self.records();
        let there = page.records.iter().filter_map(|record| records.get(&record.key).cloned());
        let there: Vec<_> = there.collect();
        let next = page.next.filter(|_| there.len() == page.records.len());
        Page { records: there, next }
    }
}

/// The outcome of a change that was applied just now, with these changes remembered.
fn remembered(
    mut outcome: Outcome,
    ring: &RecentChanges,
    id: ChangeId,
    write: impl FnOnce(SyncRecord),
) -> Outcome {
    if let Outcome::Applied(Applied { record, replayed: false, .. }) = &mut outcome {
        *record = remembering(&SyncRecord { recent_changes: ring.clone(), ..record.clone() }, id);
        write(record.clone());
    }
    outcome
}
