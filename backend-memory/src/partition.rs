//! The records of one source, with their indexes.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_set};
use std::iter::{self, Peekable};
use std::mem;
use std::ops::Bound;

use sync_tracker_core::{
    Applied, Change, ClaimId, ClaimRequest, Claimed, EntityRef, EntityType, ExternalId, Filter,
    Guard, Imported, Key, Outcome, Pause, Removal, Source, Statistics, Status, SyncRecord,
    Timestamp, claim_order, first_found,
};

/// The records of one source. Every write goes through [`store`](Self::store) or
/// [`forget`](Self::forget), so that no index can fall behind.
#[derive(Debug)]
pub(crate) struct Partition {
    source: Source,
    /// Boxed, since half of the places of a map are empty.
    records: HashMap<EntityRef, Box<SyncRecord>>,
    /// All types, so that the records of one type share its text.
    types: BTreeSet<EntityType>,
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
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            records: HashMap::new(),
            types: BTreeSet::new(),
            order: BTreeSet::new(),
            carriers: HashMap::new(),
            due: BTreeSet::new(),
            by_status: BTreeMap::new(),
            by_claim: HashMap::new(),
            counts: BTreeMap::new(),
            pause: None,
        }
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn get(&self, entity: &EntityRef) -> Option<&SyncRecord> {
        self.records.get(entity).map(Box::as_ref)
    }

    pub(crate) fn by_external_id(
        &self,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Option<&SyncRecord> {
        let carriers = self.carriers.get(id)?;
        let of_type = carriers.iter().filter(|carrier| carrier.entity_type == *entity_type);
        first_found(of_type.filter_map(|carrier| self.get(carrier)))
    }

    fn holder(&self, entity_type: &EntityType, id: &ExternalId) -> Option<EntityRef> {
        let found = self.by_external_id(entity_type, id)?;
        found.holds_external_ids().then(|| found.key.entity.clone())
    }

    pub(crate) fn apply(&mut self, key: &Key, change: &Change, now: Timestamp) -> Outcome {
        let outcome = change
            .settle(key, self.get(&key.entity), now, |id| self.holder(&key.entity.entity_type, id));
        if let Outcome::Applied(Applied { record, replayed: false, .. }) = &outcome {
            self.store(record.clone());
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
                self.store(record.clone());
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
        self.forget(entity);
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
            .filter_map(|entity| self.get(entity))
            .filter(move |record| filter.matches(record, now))
    }

    pub(crate) fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Claimed {
        let mut claimed = Claimed::default();
        self.walk(&request.granted(), None, now).cloned().for_each(|record| claimed.push(record));
        claimed.leased.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
        claimed.leased.truncate(request.limit());

        let open = self.paused(now).is_none();
        let due = self.due.iter().take_while(|(due_at, _)| open && *due_at <= now);
        let due = due.filter_map(|(_, entity)| self.get(entity));
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
        let counts = self.counts.iter().filter(|((of, _), _)| !of.is_reserved());
        let due_now = self.due.iter().take_while(|(due_at, _)| *due_at <= now).count();
        // Pending records are due since they are pending, so the oldest comes first.
        let status = |entity| self.get(entity).map(SyncRecord::status);
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

    /// Stores a record, in the map and in every index.
    fn store(&mut self, mut next: SyncRecord) {
        let stored = self.records.remove(&next.key.entity);
        next.key = stored.as_ref().map_or_else(|| self.shared(&next.key), |it| it.key.clone());
        let next = match stored {
            Some(mut place) => {
                let before = mem::replace(&mut *place, next);
                self.index(&place.key.entity, Some(&before), Some(&place));
                place
            }
            None => {
                let place = Box::new(next);
                self.index(&place.key.entity, None, Some(&place));
                place
            }
        };
        self.records.insert(next.key.entity.clone(), next);
    }

    /// Removes a record, from the map and from every index.
    fn forget(&mut self, entity: &EntityRef) {
        if let Some(before) = self.records.remove(entity) {
            self.index(entity, Some(&before), None);
        }
    }

    /// The same key, sharing the text that records have in common.
    fn shared(&mut self, key: &Key) -> Key {
        let EntityRef { entity_type, entity_id } = key.entity.clone();
        let entity_type = match self.types.get(&entity_type) {
            Some(known) => known.clone(),
            None => {
                self.types.insert(entity_type.clone());
                entity_type
            }
        };
        Key { source: self.source.clone(), entity: EntityRef { entity_type, entity_id } }
    }

    fn index(
        &mut self,
        entity: &EntityRef,
        before: Option<&SyncRecord>,
        next: Option<&SyncRecord>,
    ) {
        self.index_order(entity, before.is_some(), next.is_some());
        self.index_due(entity, before, next);
        self.index_status(entity, before, next);
        self.index_claim(entity, before, next);
        self.index_external_ids(entity, before, next);
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
        // What is reserved is never claimed, and not counted as due.
        let seen = |record: &&SyncRecord| !record.key.entity.entity_type.is_reserved();
        let due_at = |record: Option<&SyncRecord>| record.filter(seen)?.due_at();
        let [before, next] = [before, next].map(due_at);
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

    fn index_claim<'a>(
        &mut self,
        entity: &EntityRef,
        before: Option<&'a SyncRecord>,
        next: Option<&'a SyncRecord>,
    ) {
        let claim = |record: &'a SyncRecord| record.lease.as_ref().map(|lease| &lease.claim_id);
        let [before, next] = [before, next].map(|record| record.and_then(claim));
        if before == next {
            return;
        }
        if let Some(claim) = before
            && let Some(leased) = self.by_claim.get_mut(claim)
        {
            leased.remove(entity);
            if leased.is_empty() {
                self.by_claim.remove(claim);
            }
        }
        if let Some(claim) = next {
            self.by_claim.entry(claim.clone()).or_default().insert(entity.clone());
        }
    }

    fn index_external_ids<'a>(
        &mut self,
        entity: &EntityRef,
        before: Option<&'a SyncRecord>,
        next: Option<&'a SyncRecord>,
    ) {
        let ids =
            |record: Option<&'a SyncRecord>| record.into_iter().flat_map(SyncRecord::external_ids);
        if ids(before).eq(ids(next)) {
            return;
        }
        for id in ids(before).filter(|id| ids(next).all(|kept| kept != *id)) {
            if let Some(carriers) = self.carriers.get_mut(id) {
                carriers.retain(|carrier| carrier != entity);
                if carriers.is_empty() {
                    self.carriers.remove(id);
                }
            }
        }
        for id in ids(next).filter(|id| ids(before).all(|known| known != *id)) {
            // Nearly every id has one carrier only.
            let carriers = self.carriers.entry(id.clone());
            carriers.or_insert_with(|| Vec::with_capacity(1)).push(entity.clone());
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
