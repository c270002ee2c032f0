//! A step with its values, and the one way to take it: on a store, and on the reference.

use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, EntityRef, EntityType, ExternalId, Filter, Guard,
    Imported, Key, Ledger, Outcome, PageSize, Pause, PauseRequest, Removal, Renamed, Result,
    Source, Statistics, SyncRecord, SyncStore, Timestamp,
};

/// A step with its values.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Clock(Timestamp),
    Apply(Key, Change),
    ApplyMany(Vec<(Key, Change)>),
    Claim(ClaimRequest),
    Put(Box<SyncRecord>),
    Remove(Key, Box<Guard>),
    Rename(Key, Key),
    Pause(Source, PauseRequest),
    Resume(Source),
    Get(Key),
    GetMany(Vec<Key>),
    ByExternalId(Source, EntityType, ExternalId),
    ByExternalIds(Source, EntityType, Vec<ExternalId>),
    RecordsOf(EntityRef),
    Walk(Filter, Option<Cursor>, PageSize),
    Statistics(Source),
    Paused(Source),
    Now,
}

/// What a store or the reference says to an action.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Outcomes(Vec<Outcome>),
    Claimed(Claimed),
    Imported(Imported),
    Removal(Removal),
    Renamed(Renamed),
    Records(Vec<Option<SyncRecord>>),
    /// The records of all pages. How they were spread over pages is free, within their size.
    Walked(Vec<SyncRecord>),
    Statistics(Statistics),
    Paused(Option<Pause>),
    Now(Timestamp),
}

impl Action {
    /// Takes the step on a store.
    pub(crate) async fn on_store(&self, store: &dyn SyncStore) -> Result<Answer> {
        Ok(match self {
            Self::Clock(_) => Answer::Done,
            Self::Apply(key, change) => Answer::Outcomes(vec![store.apply(key, change).await?]),
            Self::ApplyMany(items) => {
                let outcomes = store.apply_many(items).await;
                Answer::Outcomes(outcomes.into_iter().collect::<Result<_>>()?)
            }
            Self::Claim(request) => Answer::Claimed(store.claim(request).await?),
            Self::Put(record) => Answer::Imported(store.put(record).await?),
            Self::Remove(key, guard) => Answer::Removal(store.remove(key, guard).await?),
            Self::Rename(from, to) => Answer::Renamed(store.rename(from, to).await?),
            Self::Pause(source, request) => {
                store.pause(source, request).await?;
                Answer::Done
            }
            Self::Resume(source) => {
                store.resume(source).await?;
                Answer::Done
            }
            Self::Get(key) => Answer::Records(vec![store.get(key).await?]),
            Self::GetMany(keys) => Answer::Records(store.get_many(keys).await?),
            Self::ByExternalId(source, entity_type, id) => {
                Answer::Records(vec![store.by_external_id(source, entity_type, id).await?])
            }
            Self::ByExternalIds(source, entity_type, ids) => {
                Answer::Records(store.by_external_ids(source, entity_type, ids).await?)
            }
            Self::RecordsOf(entity) => {
                let records = store.records_of(entity).await?;
                Answer::Records(records.into_iter().map(Some).collect())
            }
            Self::Walk(filter, after, size) => {
                Answer::Walked(walk(store, filter, after.as_ref(), *size).await?)
            }
            Self::Statistics(source) => Answer::Statistics(store.statistics(source).await?),
            Self::Paused(source) => Answer::Paused(store.paused(source).await?),
            Self::Now => Answer::Now(store.now().await?),
        })
    }

    /// Takes the step on the reference.
    pub(crate) fn on_ledger(&self, ledger: &mut Ledger, now: Timestamp) -> Result<Answer> {
        let found = |record: Option<&SyncRecord>| record.cloned();
        Ok(match self {
            Self::Clock(_) => Answer::Done,
            Self::Apply(key, change) => Answer::Outcomes(vec![ledger.apply(key, change, now)]),
            Self::ApplyMany(items) => Answer::Outcomes(
                items.iter().map(|(key, change)| ledger.apply(key, change, now)).collect(),
            ),
            Self::Claim(request) => Answer::Claimed(ledger.claim(request, now)),
            Self::Put(record) => Answer::Imported(ledger.put(record)?),
            Self::Remove(key, guard) => Answer::Removal(ledger.remove(key, guard, now)),
            Self::Rename(from, to) => Answer::Renamed(ledger.rename(from, to, now)),
            Self::Pause(source, request) => {
                ledger.pause(source, request, now);
                Answer::Done
            }
            Self::Resume(source) => {
                ledger.resume(source);
                Answer::Done
            }
            Self::Get(key) => Answer::Records(vec![found(ledger.get(key))]),
            Self::GetMany(keys) => {
                Answer::Records(keys.iter().map(|key| found(ledger.get(key))).collect())
            }
            Self::ByExternalId(source, entity_type, id) => {
                Answer::Records(vec![found(ledger.by_external_id(source, entity_type, id))])
            }
            Self::ByExternalIds(source, entity_type, ids) => Answer::Records(
                ids.iter()
                    .map(|id| found(ledger.by_external_id(source, entity_type, id)))
                    .collect(),
            ),
            Self::RecordsOf(entity) => {
                Answer::Records(ledger.records_of(entity).into_iter().map(Some).collect())
            }
            Self::Walk(filter, after, _) => {
                let page = ledger.list(filter, after.as_ref(), PageSize::MAX, now);
                Answer::Walked(page.records)
            }
            Self::Statistics(source) => Answer::Statistics(ledger.statistics(source, now)),
            Self::Paused(source) => Answer::Paused(ledger.paused(source, now).cloned()),
            Self::Now => Answer::Now(now),
        })
    }
}

/// All pages of a walk; no more of them than there can be if each brings it on.
async fn walk(
    store: &dyn SyncStore,
    filter: &Filter,
    after: Option<&Cursor>,
    size: PageSize,
) -> Result<Vec<SyncRecord>> {
    const MOST: usize = 100;
    let (mut records, mut after) = (Vec::new(), after.cloned());
    for _ in 0..MOST {
        let page = store.list(filter, after.as_ref(), size).await?;
        assert!(page.records.len() <= size.get(), "a page is larger than {}", size.get());
        records.extend(page.records);
        let Some(next) = page.next else {
            return Ok(records);
        };
        after = Some(next);
    }
    panic!("a walk over a few records does not end: {filter:?} by {}", size.get())
}
