//! The records of one source, with their indexes.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_set};
use std::iter::{self, Peekable};
use std::ops::Bound;

use sync_tracker_core::{
    Applied, Change, ClaimId, ClaimRequest, Claimed, EntityRef, EntityType, ExternalId, Filter,
    Guard, Imported, Key, Outcome, Pause, Removal, Statistics, Status, SyncRecord, Timestamp,
    claim_order, first_found,
};

/// The records of one source. Every write goes through [`replace`](Self::replace), so that no
/// index can fall behind.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    records: HashMap<EntityRef, SyncRecord>,
    /// All entities, in the order of pages.
    order: BTreeSet<EntityRef>,
    /// Who carries an external id, as its own or as an alias: the holder and tombstones.
    carriers: HashMap<ExternalId, Vec<EntityRef>>,
    /// What has a due time, oldest first.
    due: BTreeSet<(Timestamp, EntityRef)>,
    /// All entities by status, in the order of pages.
    by_status: BTreeMap<Status, BTreeSet<EntityRef>>,
    /// Who is leased to a claim, in the order of pages.
    by_claim: HashMap<ClaimId, BTreeSet<EntityRef>>,
    counts: BTreeMap<(EntityType, Status), u64>,
    pause: Option<Pause>,
}

impl Partition {
    pub(crate) fn get(&self, entity: &EntityRef) -> Option<&SyncRecord> {
        self.records.get(entity)
    }

    pub(crate) fn by_external_id(
        &self,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Option<&SyncRecord> {
        let carriers = self.carriers.get(id)?;
        let of_type = carriers.iter().filter(|carrier| carrier.entity_type == *entity_type);
        first_found(of_type.filter_map(|carrier| self.records.get(carrier)))
    }

    fn holder(&self, entity_type: &EntityType, id: &ExternalId) -> Option<EntityRef> {
        let found = self.by_external_id(entity_type, id)?;
        found.holds_external_ids().then(|| found.key.entity.clone())
    }

    pub(crate) fn apply(&mut self, key: &Key, change: &Change, now: Timestamp) -> Outcome {
        let outcome = change
            .settle(key, self.get(&key.entity), now, |id| self.holder(&key.entity.entity_type, id));
        if let Outcome::Applied(Applied { record, replayed: false, .. }) = &outcome {
            self.replace(&key.entity, Some(record.clone()));
        }
        outcome
    }

    pub(crate) fn put(&mut self, record: &SyncRecord) -> Imported {
        let entity = &record.key.entity;
        let before = self.get(entity);
        let taken = record.taken_external_id(before, |id| self.holder(&entity.entity_type, id));
        match taken {
            Some(refusal) => Imported::Refused(refusal),
            None => {
                self.replace(entity, Some(record.clone()));
                Imported::Stored
            }
        }
    }

    pub(crate) fn remove(&mut self, entity: &EntityRef, guard: &Guard, now: Timestamp) -> Removal {
        let Some(record) = self.get(entity) else {
            return Removal::Absent;
        };
        if let Some(refusal) = guard.refusal(Some(record), now) {
            return Removal::Refused(refusal);
        }
        self.replace(entity, None);
        Removal::Removed
    }

    /// The records that pass the filter, after an entity, in order, by the narrowest index.
    pub(crate) fn walk<'a>(
        &'a self,
        filter: &'a Filter,
        after: Option<&EntityRef>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a SyncRecord> {
        let sets: Vec<_> = match filter {
            Filter { claim_id: Some(claim), .. } => self.by_claim.get(claim).into_iter().collect(),
            Filter { status: Some(status), .. } => self.by_status.get(status).into_iter().collect(),
            Filter { due: Some(true), .. } => {
                let may_be_due = [Status::InProgress, Status::Failed, Status::Pending];
                may_be_due.iter().filter_map(|status| self.by_status.get(status)).collect()
            }
            _ => vec![&self.order],
        };
        in_order(sets, after)
            .filter_map(|entity| self.records.get(entity))
            .filter(move |record| filter.matches(record, now))
    }

    pub(crate) fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Claimed {
        let mut claimed = Claimed::default();
        self.walk(&request.granted(), None, now).cloned().for_each(|record| claimed.push(record));
        claimed.leased.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
        claimed.leased.truncate(request.limit());

        let open = self.paused(now).is_none();
        let due = self.due.iter().take_while(|(due_at, _)| open && *due_at <= now);
        let due = due.filter_map(|(_, entity)| self.records.get(entity));
        let selected = request.select(claimed.leased.len(), due);
        let keys: Vec<Key> = selected.into_iter().map(|record| record.key.clone()).collect();
        let change = request.change();
        for key in keys {
            if let Outcome::Applied(applied) = self.apply(&key, &change, now) {
                claimed.push(applied.record);
            }
        }
        claimed
    }

    pub(crate) fn pause(&mut self, pause: Option<Pause>) {
        self.pause = pause;
    }

    pub(crate) fn paused(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.lasts(now))
    }

    pub(crate) fn statistics(&self, now: Timestamp) -> Statistics {
        let counts = self.counts.iter();
        let due_now = self.due.iter().take_while(|(due_at, _)| *due_at <= now).count();
        // Pending records are due since they are pending, so the oldest comes first.
        let status = |entity| self.records.get(entity).map(SyncRecord::status);
        let oldest = self.due.iter().find(|(_, entity)| status(entity) == Some(Status::Pending));
        Statistics {
            now,
            counts: counts
                .map(|((entity_type, status), count)| (entity_type.clone(), *status, *count))
                .collect(),
            due_now: due_now.try_into().unwrap_or(u64::MAX),
            next_due: self.due.iter().nth(due_now).map(|(due_at, _)| *due_at),
            oldest_pending: oldest.map(|(since, _)| *since),
        }
    }

    /// Makes `next` the record of the entity, in the map and in every index.
    fn replace(&mut self, entity: &EntityRef, next: Option<SyncRecord>) {
        let before = self.records.remove(entity);
        self.index_order(entity, before.is_some(), next.is_some());
        self.index_due(entity, before.as_ref(), next.as_ref());
        self.index_status(entity, before.as_ref(), next.as_ref());
        self.index_claim(entity, before.as_ref(), next.as_ref());
        self.index_external_ids(entity, before.as_ref(), next.as_ref());
        if let Some(next) = next {
            self.records.insert(entity.clone(), next);
        }
    }

    fn index_order(&mut self, entity: &EntityRef, was_there: bool, is_there: bool) {
        match (was_there, is_there) {
            (false, true) => drop(self.order.insert(entity.clone())),
            (true, false) => drop(self.order.remove(entity)),
            (false, false) | (true, true) => {}
        }
    }

    fn index_due(
        &mut self,
        entity: &EntityRef,
        before: Option<&SyncRecord>,
        next: Option<&SyncRecord>,
    ) {
        let [before, next] = [before, next].map(|record| record.and_then(SyncRecord::due_at));
        if before == next {
            return;
        }
        if let Some(due_at) = before {
            self.due.remove(&(due_at, entity.clone()));
        }
        if let Some(due_at) = next {
            self.due.insert((due_at, entity.clone()));
        }
    }

    fn index_status(
        &mut self,
        entity: &EntityRef,
        before: Option<&SyncRecord>,
        next: Option<&SyncRecord>,
    ) {
        let [before, next] = [before, next].map(|record| record.map(SyncRecord::status));
        if before == next {
            return;
        }
        if let Some(status) = before {
            if let Some(members) = self.by_status.get_mut(&status) {
                members.remove(entity);
            }
            if let Some(count) = self.counts.get_mut(&(entity.entity_type.clone(), status)) {
                *count -= 1;
            }
        }
        if let Some(status) = next {
            self.by_status.entry(status).or_default().insert(entity.clone());
            *self.counts.entry((entity.entity_type.clone(), status)).or_default() += 1;
        }
    }

    fn index_claim(
        &mut self,
        entity: &EntityRef,
        before: Option<&SyncRecord>,
        next: Option<&SyncRecord>,
    ) {
        let claim = |record: &SyncRecord| record.lease.as_ref().map(|lease| lease.claim_id.clone());
        let [before, next] = [before, next].map(|record| record.and_then(claim));
        if before == next {
            return;
        }
        if let Some(claim) = before
            && let Some(leased) = self.by_claim.get_mut(&claim)
        {
            leased.remove(entity);
            if leased.is_empty() {
                self.by_claim.remove(&claim);
            }
        }
        if let Some(claim) = next {
            self.by_claim.entry(claim).or_default().insert(entity.clone());
        }
    }

    fn index_external_ids(
        &mut self,
        entity: &EntityRef,
        before: Option<&SyncRecord>,
        next: Option<&SyncRecord>,
    ) {
        let ids = |record: Option<&'_ SyncRecord>| -> Vec<ExternalId> {
            record.into_iter().flat_map(SyncRecord::external_ids).cloned().collect()
        };
        let (before, next) = (ids(before), ids(next));
        for id in before.iter().filter(|id| !next.contains(id)) {
            if let Some(carriers) = self.carriers.get_mut(id) {
                carriers.retain(|carrier| carrier != entity);
                if carriers.is_empty() {
                    self.carriers.remove(id);
                }
            }
        }
        for id in next.into_iter().filter(|id| !before.contains(id)) {
            self.carriers.entry(id).or_default().push(entity.clone());
        }
    }
}

/// The members of sets that have none in common, after one, in order.
fn in_order<'a>(
    sets: Vec<&'a BTreeSet<EntityRef>>,
    after: Option<&EntityRef>,
) -> impl Iterator<Item = &'a EntityRef> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut ranges: Vec<Peekable<btree_set::Range<'a, EntityRef>>> = sets
        .into_iter()
        .map(|set| set.range::<EntityRef, _>((from, Bound::Unbounded)).peekable())
        .collect();
    iter::from_fn(move || {
        let heads = ranges.iter_mut().filter_map(|range| {
            let head = *range.peek()?;
            Some((head, range))
        });
        heads.min_by_key(|(head, _)| *head).and_then(|(_, range)| range.next())
    })
}
