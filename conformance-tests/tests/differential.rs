//! Random sequences find what is wrong with a store: each of these has one fault, of the kind that
//! a statement for a server gets wrong, and is caught.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sync_tracker_conformance::{Differential, Divergence, Played, Setup};
use sync_tracker_core::{
    Arm, Change, ClaimRequest, Claimed, Cursor, EchoesOp, EntityType, ExternalId, Filter, Guard,
    Imported, Key, LeaseOp, Ledger, Metadata, MetadataOp, Outcome, Page, PageSize, Patch, Pause,
    PauseRequest, RemoteDemand, Removal, Renamed, Result, Source, Statistics, Status, StoreClock,
    SyncRecord, SyncStore, SyncedAtOp, Timestamp, VersionOrder, claim_order, first_found,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// None at all, so that it is the faults that are caught.
    None,
    DueIsBeforeNow,
    ClaimIsBeforeNow,
    EqualRemoteVersionIsNewer,
    UnorderedRemoteVersionIsNewer,
    ReplayIsAppliedTwice,
    RingOfFifteen,
    ReplayTellsTheArmAlways,
    TakenIdIsIgnored,
    TakenAliasIsIgnored,
    TakenIdIsIgnoredOnImport,
    TombstoneHoldsItsId,
    TombstoneIsFoundFirst,
    PagesIgnoreCase,
    CursorIsIncluded,
    PauseIsIgnored,
    PauseLastsAtItsEnd,
    ExpiredLeaseIsTakenWithOthers,
    RepeatedClaimTakesMore,
    ClaimIsOrderedByKey,
    AttemptsAbove,
    ExpiredLeaseIsNotRenewed,
    PendingSinceTheLastEdit,
    SyncedAtGoesBack,
    FifthEchoIsKept,
    MetadataIsMergedDeep,
    BatchReadsFirst,
    LookupsAreSorted,
    RenameKeepsTheVersion,
    InvalidIsStored,
    SourceIsForgotten,
    NextDueIsNow,
}

const FAULTS: [Fault; 31] = [
    Fault::DueIsBeforeNow,
    Fault::ClaimIsBeforeNow,
    Fault::EqualRemoteVersionIsNewer,
    Fault::UnorderedRemoteVersionIsNewer,
    Fault::ReplayIsAppliedTwice,
    Fault::RingOfFifteen,
    Fault::ReplayTellsTheArmAlways,
    Fault::TakenIdIsIgnored,
    Fault::TakenAliasIsIgnored,
    Fault::TakenIdIsIgnoredOnImport,
    Fault::TombstoneHoldsItsId,
    Fault::TombstoneIsFoundFirst,
    Fault::PagesIgnoreCase,
    Fault::CursorIsIncluded,
    Fault::PauseIsIgnored,
    Fault::PauseLastsAtItsEnd,
    Fault::ExpiredLeaseIsTakenWithOthers,
    Fault::RepeatedClaimTakesMore,
    Fault::ClaimIsOrderedByKey,
    Fault::AttemptsAbove,
    Fault::ExpiredLeaseIsNotRenewed,
    Fault::PendingSinceTheLastEdit,
    Fault::SyncedAtGoesBack,
    Fault::FifthEchoIsKept,
    Fault::MetadataIsMergedDeep,
    Fault::BatchReadsFirst,
    Fault::LookupsAreSorted,
    Fault::RenameKeepsTheVersion,
    Fault::InvalidIsStored,
    Fault::SourceIsForgotten,
    Fault::NextDueIsNow,
];

/// A store that would be correct but for its fault.
#[derive(Debug)]
struct Wrong {
    fault: Fault,
    records: Mutex<BTreeMap<Key, SyncRecord>>,
    pauses: Mutex<BTreeMap<Source, Pause>>,
    clock: StoreClock,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn before(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis() - 1).unwrap()
}

impl Wrong {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn instant(&self) -> Timestamp {
        self.clock.explicit_now().unwrap_or_else(Timestamp::now)
    }

    /// The instant that due times are compared with.
    fn due_by(&self, fault: Fault) -> Timestamp {
        if self.is(fault) { before(self.instant()) } else { self.instant() }
    }

    /// The change that this store carries out instead.
    fn misread(&self, change: &Change, record: Option<&SyncRecord>) -> Change {
        let id = change.id();
        let arms = change.arms().iter().map(|arm| self.misread_arm(arm, record));
        let mut misread = Change::new(arms.collect::<Vec<_>>()).unwrap().with_id(id);
        let recent: Vec<_> = record.into_iter().flat_map(|r| r.recent_changes.iter()).collect();
        let forgotten = recent.len() == 16 && recent.first() == Some(&id);
        if self.is(Fault::ReplayIsAppliedTwice) && recent.contains(&id)
            || self.is(Fault::RingOfFifteen) && forgotten
        {
            misread = Change::new(change.arms()).unwrap();
        }
        misread
    }

    fn misread_arm(&self, arm: &Arm, record: Option<&SyncRecord>) -> Arm {
        let Arm { mut when, mut then } = arm.clone();
        if let Some(RemoteDemand::NewerThanAccepted(version)) = &when.remote
            && let Some(accepted) = record.and_then(|record| record.remote_version.as_ref())
        {
            let ignored = match version.order(accepted) {
                VersionOrder::Equal => self.is(Fault::EqualRemoteVersionIsNewer),
                VersionOrder::Unordered => self.is(Fault::UnorderedRemoteVersionIsNewer),
                VersionOrder::Older | VersionOrder::Newer => false,
            };
            if ignored {
                when.remote = None;
            }
        }
        if self.is(Fault::AttemptsAbove) {
            when.attempts_at_least = when.attempts_at_least.map(|least| least.saturating_add(1));
        }
        if self.is(Fault::DueIsBeforeNow)
            && record.is_some_and(|record| record.due_at() == Some(self.instant()))
        {
            when.due = when.due.map(|wanted| !wanted);
        }
        let lease = record.and_then(|record| record.lease.as_ref());
        if self.is(Fault::ExpiredLeaseIsNotRenewed)
            && matches!(then.lease, LeaseOp::Renew { .. })
            && lease.is_some_and(|lease| lease.until <= self.instant())
        {
            then = Patch { lease: LeaseOp::Keep, ..then };
        }
        Arm { when, then }
    }

    /// The record that this store keeps instead.
    fn misdo(&self, change: &Change, before: Option<&SyncRecord>, next: &mut SyncRecord) {
        let now = self.instant();
        let then = &change.arms()[usize::from(next.last_arm)].then;
        if self.is(Fault::PendingSinceTheLastEdit)
            && next.is_dirty()
            && before.is_some_and(|before| before.revision < next.revision)
        {
            next.pending_since = Some(now);
        }
        if self.is(Fault::SyncedAtGoesBack) && then.synced_at == SyncedAtOp::Now {
            next.synced_at = Some(now);
        }
        if self.is(Fault::FifthEchoIsKept)
            && let (Some(before), EchoesOp::Push(_)) = (before, &then.echoes)
            && before.incarnation == next.incarnation
            && before.echoes.len() == SyncRecord::MAX_ECHOES
        {
            next.echoes.insert(0, before.echoes[0].clone());
        }
        if self.is(Fault::MetadataIsMergedDeep)
            && let (Some(before), MetadataOp::Merge(merge)) = (before, &then.metadata)
        {
            let mut map = next.metadata.as_map().clone();
            for (key, _) in merge.set().iter() {
                let old = before.metadata.get(key).and_then(|value| value.as_object());
                if let (Some(old), Some(new)) =
                    (old, map.get_mut(key).and_then(|value| value.as_object_mut()))
                {
                    old.iter().for_each(|(key, value)| {
                        new.entry(key.clone()).or_insert_with(|| value.clone());
                    });
                }
            }
            next.metadata = Metadata::accumulated(map.into()).unwrap();
        }
    }

    fn apply_to(
        &self,
        records: &mut BTreeMap<Key, SyncRecord>,
        key: &Key,
        change: &Change,
    ) -> Outcome {
        let record = records.get(key).cloned();
        let change = self.misread(change, record.as_ref());
        let now = self.instant();
        let entity = &key.entity;
        let mut outcome = change.settle(key, record.as_ref(), now, |id| {
            let candidates = records.values().filter(|other| {
                other.key.source == key.source
                    && other.key.entity.entity_type == entity.entity_type
                    && other.external_ids().any(|known| known == id)
            });
            let found = first_found(candidates)?;
            let held = found.holds_external_ids() || self.is(Fault::TombstoneHoldsItsId);
            let ignored = self.is(Fault::TakenIdIsIgnored)
                || self.is(Fault::TakenAliasIsIgnored) && found.external_id.as_ref() != Some(id);
            (held && !ignored).then(|| found.key.entity.clone())
        });
        if let Outcome::Applied(applied) = &mut outcome {
            if !applied.replayed {
                self.misdo(&change, record.as_ref(), &mut applied.record);
                records.insert(key.clone(), applied.record.clone());
            } else if self.is(Fault::ReplayTellsTheArmAlways) {
                applied.arm = Some(applied.record.last_arm);
            }
        }
        outcome
    }
}

#[async_trait::async_trait]
impl SyncStore for Wrong {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        Ok(self.apply_to(&mut locked(&self.records), key, change))
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let mut records = locked(&self.records);
        if !self.is(Fault::BatchReadsFirst) {
            return items
                .iter()
                .map(|(key, change)| Ok(self.apply_to(&mut records, key, change)))
                .collect();
        }
        let read = records.clone();
        let mut outcomes = Vec::new();
        for (key, change) in items {
            let mut of_now = read.clone();
            outcomes.push(Ok(self.apply_to(&mut of_now, key, change)));
            if let Some(record) = of_now.remove(key) {
                records.insert(key.clone(), record);
            }
        }
        outcomes
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        Ok(locked(&self.records).get(key).cloned())
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        let records = locked(&self.records);
        let mut candidates = records.values().filter(|record| {
            record.key.source == *source
                && record.key.entity.entity_type == *entity_type
                && record.external_ids().any(|known| known == id)
        });
        Ok(if self.is(Fault::TombstoneIsFoundFirst) {
            candidates.max_by_key(|record| record.is_tombstone()).cloned()
        } else {
            first_found(&mut candidates).cloned()
        })
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut ids = ids.to_vec();
        if self.is(Fault::LookupsAreSorted) {
            ids.sort();
        }
        let mut records = Vec::new();
        for id in &ids {
            records.push(self.by_external_id(source, entity_type, id).await?);
        }
        Ok(records)
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        let records = locked(&self.records);
        let now = self.due_by(Fault::DueIsBeforeNow);
        let included = after.filter(|_| self.is(Fault::CursorIsIncluded)).and_then(Cursor::key);
        let from_a_name = |record: &SyncRecord| {
            Some(&record.key) == included && filter.entity_type.is_some() && size.get() > 2
        };
        let mut passing: Vec<_> = records
            .values()
            .filter(|record| {
                filter.matches(record, now)
                    && after.is_none_or(|after| after.precedes(&record.key) || from_a_name(record))
            })
            .cloned()
            .collect();
        if self.is(Fault::PagesIgnoreCase) {
            passing.sort_by_key(|record| record.key.to_string().to_lowercase());
        }
        Ok(Page::of(passing, size))
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        if !self.is(Fault::InvalidIsStored) {
            record.validate()?;
        }
        let mut records = locked(&self.records);
        let Key { source, entity } = &record.key;
        let before = records.get(&record.key);
        let taken = record.taken_external_id(before, |id| {
            let holder = records.values().find(|other| {
                other.key.source == *source
                    && other.key.entity.entity_type == entity.entity_type
                    && other.holds_external_ids()
                    && other.external_ids().any(|known| known == id)
            });
            holder.map(|holder| holder.key.entity.clone())
        });
        if let Some(refusal) = taken.filter(|_| !self.is(Fault::TakenIdIsIgnoredOnImport)) {
            return Ok(Imported::Refused(refusal));
        }
        records.insert(record.key.clone(), record.clone());
        Ok(Imported::Stored)
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.instant())
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let mut records = locked(&self.records);
        let Some(record) = records.get(key) else {
            return Ok(Removal::Absent);
        };
        if let Some(refusal) = guard.refusal(Some(record), self.instant()) {
            return Ok(Removal::Refused(refusal));
        }
        records.remove(key);
        Ok(Removal::Removed)
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let mut ledger = Ledger::default();
        let mut records = locked(&self.records);
        for record in records.values() {
            let _ = ledger.put(record)?;
        }
        let renamed = ledger.rename(from, to, self.instant());
        if renamed == Renamed::Moved
            && from != to
            && let Some(old) = records.remove(from)
        {
            let mut moved = old.renamed(to);
            if self.is(Fault::RenameKeepsTheVersion) {
                moved.version = old.version;
            }
            records.insert(to.clone(), moved);
        }
        Ok(renamed)
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        let mut records = locked(&self.records);
        let now = self.instant();
        let due_by = self.due_by(Fault::ClaimIsBeforeNow);
        let of = |filter: Filter, by: Timestamp| {
            let passing = records.values().filter(|record| filter.matches(record, by));
            let mut found: Vec<_> = passing.cloned().collect();
            if !self.is(Fault::ClaimIsOrderedByKey) {
                found.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
            }
            found
        };
        let granted = of(request.granted(), now);
        let mut due = of(request.due(), due_by);
        let paused = locked(&self.pauses).get(request.source()).is_some_and(|pause| {
            pause.lasts(now) || self.is(Fault::PauseLastsAtItsEnd) && pause.until == Some(now)
        });
        if paused && !self.is(Fault::PauseIsIgnored) {
            due.clear();
        }
        let counted = if self.is(Fault::RepeatedClaimTakesMore) { 0 } else { granted.len() };
        let selected: Vec<_> = if self.is(Fault::ExpiredLeaseIsTakenWithOthers) {
            let new =
                due.iter().filter(|r| !r.recent_changes.contains(request.claim_id().change_id()));
            new.take(request.limit().saturating_sub(counted)).cloned().collect()
        } else {
            request.select(counted, &due).into_iter().cloned().collect()
        };
        let mut claimed = Claimed::default();
        granted.into_iter().take(request.limit()).for_each(|record| claimed.push(record));
        for candidate in selected {
            let outcome = self.apply_to(&mut records, &candidate.key, &request.change());
            if let Outcome::Applied(applied) = outcome {
                claimed.push(applied.record);
            }
        }
        Ok(claimed)
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        locked(&self.pauses).insert(source.clone(), Pause::begin(request, self.instant()));
        Ok(())
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        locked(&self.pauses).remove(source);
        Ok(())
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        let now = self.instant();
        Ok(locked(&self.pauses).get(source).filter(|pause| pause.lasts(now)).cloned())
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        let mut statistics = Statistics::new(self.instant());
        let records = locked(&self.records);
        records
            .values()
            .filter(|record| record.key.source == *source)
            .for_each(|record| statistics.add(record));
        if self.is(Fault::NextDueIsNow)
            && records.values().any(|record| {
                record.key.source == *source
                    && record.status() == Status::Failed
                    && record.due_at() == Some(statistics.now)
            })
        {
            statistics.next_due = Some(statistics.now);
        }
        Ok(statistics)
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        let records = locked(&self.records);
        let mut sources: Vec<_> = records
            .values()
            .filter(|record| !self.is(Fault::SourceIsForgotten) || !record.is_tombstone())
            .map(|record| record.key.source.clone())
            .collect();
        sources.dedup();
        Ok(sources)
    }
}

/// Opens a store with this fault.
fn opening(fault: Fault) -> impl Fn(Setup) -> Ready<Wrong> {
    move |setup| {
        let (records, pauses) = (Mutex::default(), Mutex::default());
        ready(Wrong { fault, records, pauses, clock: setup.clock })
    }
}

/// Plays the default number of cases of the default size.
fn play(fault: Fault) -> Result<Played, Divergence> {
    Differential::new(opening(fault)).seed(1).shrinking(0).play()
}

#[test]
fn a_store_without_fault_is_not_blamed() {
    let played = play(Fault::None).unwrap();
    assert_eq!(played.cases, 100);
    assert!(played.steps > 5_000);
}

#[test]
fn each_fault_is_caught() {
    let mut missed = Vec::new();
    for fault in FAULTS {
        match play(fault) {
            Ok(_) => missed.push(fault),
            Err(Divergence { case, step, .. }) => println!("{fault:?}: case {case}, step {step}"),
        }
    }
    assert_eq!(missed, []);
}

#[test]
fn a_difference_is_shrunk_and_its_seed_repeats_it() {
    let wrong = Differential::new(opening(Fault::RenameKeepsTheVersion)).seed(1);
    let first = wrong.play().unwrap_err();
    assert!(first.actions.len() < 6, "{first}");
    assert!(first.actions.last().is_some_and(|action| action.contains("Rename")), "{first}");
    let wrong = Differential::new(opening(Fault::RenameKeepsTheVersion));
    let again = wrong.seed(first.seed).cases(1).play().unwrap_err();
    assert_eq!(
        (again.step, &again.actions, &again.found),
        (first.step, &first.actions, &first.found)
    );
    let told = first.to_string();
    assert!(told.contains(&format!("SYNC_TRACKER_SEED={:x}", first.seed)), "{told}");
    println!("{told}");
}

#[test]
fn a_panic_is_a_difference() {
    let open = |_: Setup| -> Ready<Wrong> { panic!("there is no server") };
    let divergence = Differential::new(open).shrinking(0).play().unwrap_err();
    assert_eq!(divergence.found, "panicked: there is no server");
}
