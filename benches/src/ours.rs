//! A store of sync-tracker as a contestant.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sync_tracker_core::layers::Grouped;
use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, Filter, Key, Millis, Outcome, PageSize, SyncStore,
};

use crate::Failure;
use crate::contest::{Contestant, Done};
use crate::population::Population;
use crate::workload::{Operation, Workload};

/// How many records one call has when a store is filled.
const FILL: usize = 1_000;

/// A store, called as an application's tracker calls it. Making the changes counts.
#[derive(Debug)]
pub struct Ours {
    store: Arc<dyn SyncStore>,
    population: Population,
}

impl Ours {
    /// Of a store that was [filled](fill) with the population.
    #[must_use]
    pub fn new(store: Arc<dyn SyncStore>, population: Population) -> Self {
        Self { store, population }
    }

    /// The same with its single calls [grouped], if so many may be on their way at once.
    ///
    /// [grouped]: sync_tracker_core::layers::Grouped
    #[must_use]
    pub fn grouped(self, at_once: Option<usize>) -> Self {
        match at_once {
            Some(at_once) => Self { store: Arc::new(Grouped::new(self.store, at_once)), ..self },
            None => self,
        }
    }

    async fn claim(&self, limit: usize) -> Result<Done, Failure> {
        let lease = Millis::try_from(Duration::from_secs(3_600))?;
        let source = self.population.source().clone();
        let request = ClaimRequest::new(source, ClaimId::random(), limit, lease, 1_000)?;
        let claimed = self.store.claim(&request).await?;
        let begun = Instant::now();
        let back = claimed.leased.iter().map(|it| (it.key.clone(), rules::release(it.token)));
        let records = apply(&*self.store, &back.collect::<Vec<_>>()).await?;
        Ok(Done { records, apart: begun.elapsed() })
    }
}

#[async_trait]
impl Contestant for Ours {
    async fn call(
        &self,
        _caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let (store, population) = (&self.store, &self.population);
        let records = match workload.operation {
            Operation::Get => {
                let keys = numbers.iter().map(|number| population.key(*number));
                let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
                let records = match keys.as_slice() {
                    [key] => vec![store.get(key).await?],
                    keys => store.get_many(keys).await?,
                };
                records.iter().flatten().count()
            }
            Operation::ByExternalId => {
                let (source, entity_type) = (population.source(), population.entity_type());
                let ids = numbers.iter().map(|number| population.external_id(*number));
                let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
                let records = match ids.as_slice() {
                    [id] => vec![store.by_external_id(source, entity_type, id).await?],
                    ids => store.by_external_ids(source, entity_type, ids).await?,
                };
                records.iter().flatten().count()
            }
            Operation::Create => {
                let keys = numbers.iter().map(|number| population.new_key(*number));
                apply(store, &changes(keys, |_| Ok(rules::created()))?).await?
            }
            Operation::Update => {
                let keys = numbers.iter().map(|number| population.key(*number));
                apply(store, &changes(keys, |_| Ok(rules::updated()))?).await?
            }
            Operation::MarkSynced => {
                let keys = numbers.iter().map(|number| population.key(*number));
                let synced = |at: usize| {
                    let external_id = Some(population.external_id(numbers[at])?);
                    let success = Success { external_id, ..Success::default() };
                    Ok(MarkSynced { success }.change())
                };
                apply(store, &changes(keys, synced)?).await?
            }
            Operation::Claim => return self.claim(workload.batch).await,
            Operation::NeedsSync => {
                let source = Some(population.source().clone());
                let filter = Filter { source, due: Some(true), ..Filter::default() };
                let size = PageSize::new(workload.batch)?;
                return Ok(Done::records(store.list(&filter, None, size).await?.records.len()));
            }
            Operation::Statistics => {
                let statistics = store.statistics(population.source()).await?;
                usize::from(statistics.counts.total() > 0)
            }
        };
        if records < numbers.len() {
            return Err(format!("{workload}: {records} of {} records", numbers.len()).into());
        }
        Ok(Done::records(records))
    }
}

fn changes(
    keys: impl Iterator<Item = sync_tracker_core::Result<Key>>,
    change: impl Fn(usize) -> sync_tracker_core::Result<Change>,
) -> sync_tracker_core::Result<Vec<(Key, Change)>> {
    keys.enumerate().map(|(at, key)| Ok((key?, change(at)?))).collect()
}

/// How many of the changes were applied.
async fn apply<S: SyncStore + ?Sized>(
    store: &S,
    items: &[(Key, Change)],
) -> sync_tracker_core::Result<usize> {
    let outcomes = match items {
        [(key, change)] => vec![store.apply(key, change).await],
        items => store.apply_many(items).await,
    };
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count())
}

/// Fills an empty store with a population, by changes: each record is marked as synced, as often
/// as it is to remember changes, and what is due is updated.
///
/// # Errors
///
/// If the store fails.
pub async fn fill<S: SyncStore + ?Sized>(
    store: &S,
    population: &Population,
) -> Result<(), Failure> {
    for first in (0..population.size()).step_by(FILL) {
        let numbers = first..population.size().min(first + FILL);
        let synced = |number| {
            let change = population.synced(number)?;
            Ok::<_, sync_tracker_core::Error>((population.key(number)?, change))
        };
        for _ in 0..population.recent_changes().max(1) {
            apply(store, &numbers.clone().map(synced).collect::<Result<Vec<_>, _>>()?).await?;
        }
        let due = numbers.filter(|number| population.is_due(*number));
        let due = due.map(|number| Ok((population.key(number)?, rules::updated())));
        apply(store, &due.collect::<sync_tracker_core::Result<Vec<_>>>()?).await?;
    }
    Ok(())
}
