//! What one caller waits for, on a store of one size.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sync_tracker_benches::harness::Samples;
use sync_tracker_benches::population::Population;
use sync_tracker_benches::resident::resident_bytes;
use sync_tracker_core::rules::{self, Completion, MarkSynced, Success};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, Key, Millis, Result, SyncRecord, SyncStore, Timestamp,
};
use sync_tracker_memory::MemoryStore;

use crate::Failure;
use crate::plain::PlainMap;

/// How many operations one round of a case has.
const OPERATIONS: usize = 1_000;
/// How many records are claimed one by one in a round: half of what is due of 10^4 records.
const PAIRS: usize = 50;
/// How many records one large claim asks for.
pub(crate) const LARGE_CLAIM: usize = 100;

/// The memory store and the plain map with the same records.
pub(crate) struct Subject {
    population: Population,
    store: MemoryStore,
    plain: PlainMap,
    round: usize,
    pub(crate) bytes_per_record: f64,
    pub(crate) samples: Samples,
}

impl Subject {
    /// Fills a store, and notes how much memory it took.
    pub(crate) async fn new(population: Population) -> Result<Self, Failure> {
        let before = resident_bytes()?;
        let store = filled(&population).await?;
        let taken = resident_bytes()?.saturating_sub(before);
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let bytes_per_record = taken as f64 / population.size() as f64;
        Ok(Self {
            population,
            store,
            plain: PlainMap::default(),
            round: 0,
            bytes_per_record,
            samples: Samples::default(),
        })
    }

    /// Fills the plain map. Later, so that its memory does not count.
    pub(crate) fn fill_plain_map(&mut self) -> Result<()> {
        let now = Timestamp::now();
        (0..self.population.size()).try_for_each(|number| {
            let record = self.population.record(number, now)?;
            self.plain.insert(&record.key, &record);
            Ok(())
        })
    }

    /// Runs every case once. Afterwards the same records are due as before.
    pub(crate) async fn round(&mut self) -> Result<()> {
        let numbers = self.population.scattered(self.round, OPERATIONS);
        self.round += 1;
        let keys = numbers.iter().map(|number| self.population.key(*number));
        let keys: Vec<_> = keys.collect::<Result<_>>()?;
        self.lookups(&keys, &numbers).await?;
        self.changes(&keys, &numbers).await?;
        self.pairs().await?;
        self.large_claim().await?;
        self.plain(&keys);
        Ok(())
    }

    async fn lookups(&mut self, keys: &[Key], numbers: &[usize]) -> Result<()> {
        let begun = Instant::now();
        for key in keys {
            black_box(self.store.get(key).await?);
        }
        self.samples.add("get", begun.elapsed(), keys.len());

        let ids = numbers.iter().map(|number| self.population.external_id(*number));
        let ids: Vec<_> = ids.collect::<Result<_>>()?;
        let (source, entity_type) = (self.population.source(), self.population.entity_type());
        let begun = Instant::now();
        for id in &ids {
            black_box(self.store.by_external_id(source, entity_type, id).await?);
        }
        self.samples.add("by_external_id", begun.elapsed(), ids.len());
        Ok(())
    }

    /// Touches synced records and marks them as synced again.
    async fn changes(&mut self, keys: &[Key], numbers: &[usize]) -> Result<()> {
        self.apply("apply: updated", keys, |_| Ok(rules::updated())).await?;
        let population = self.population.clone();
        self.apply("apply: mark synced", keys, |at| {
            let external_id = Some(population.external_id(numbers[at])?);
            let success = Success { external_id, ..Success::default() };
            Ok(MarkSynced { success }.change())
        })
        .await?;

        let begun = Instant::now();
        keys.iter().for_each(|_| drop(black_box(rules::updated())));
        self.samples.add("making the change: updated", begun.elapsed(), keys.len());
        Ok(())
    }

    /// Applies a change to each key. The changes are made some at a time, so that they are where
    /// a caller has them who just made one.
    async fn apply(
        &mut self,
        case: &'static str,
        keys: &[Key],
        change: impl Fn(usize) -> Result<Change>,
    ) -> Result<()> {
        const AT_A_TIME: usize = 20;
        let mut elapsed = Duration::ZERO;
        for (part, keys) in keys.chunks(AT_A_TIME).enumerate() {
            let changes = (0..keys.len()).map(|at| change(part * AT_A_TIME + at));
            let changes: Vec<_> = changes.collect::<Result<_>>()?;
            let begun = Instant::now();
            for (key, change) in keys.iter().zip(&changes) {
                let outcome = black_box(self.store.apply(key, change).await?);
                debug_assert!(outcome.is_applied());
            }
            elapsed += begun.elapsed();
        }
        self.samples.add(case, elapsed, keys.len());
        Ok(())
    }

    /// Claims records one by one and completes each.
    async fn pairs(&mut self) -> Result<()> {
        let requests: Vec<_> = (0..PAIRS).map(|_| self.request(1)).collect::<Result<_>>()?;
        let mut done = Vec::with_capacity(PAIRS);
        let begun = Instant::now();
        for request in &requests {
            for record in self.store.claim(request).await?.leased {
                let completion = Completion {
                    token: record.token,
                    operation: record.operation(),
                    revision: record.revision,
                    seen: record.remote_seen,
                    success: Success::default(),
                };
                let change = completion.change();
                let _ = black_box(self.store.apply(&record.key, &change).await?);
                done.push(record.key);
            }
        }
        self.samples.add("claim(1) and complete", begun.elapsed(), done.len());
        for key in &done {
            let _ = self.store.apply(key, &rules::updated()).await?;
        }
        Ok(())
    }

    async fn large_claim(&mut self) -> Result<()> {
        let request = self.request(LARGE_CLAIM)?;
        let begun = Instant::now();
        let claimed = black_box(self.store.claim(&request).await?);
        self.samples.add("claim(100)", begun.elapsed(), 1);
        for record in &claimed.leased {
            let _ = self.store.apply(&record.key, &rules::release(record.token)).await?;
        }
        debug_assert_eq!(claimed.leased.len(), LARGE_CLAIM);
        Ok(())
    }

    fn request(&self, limit: usize) -> Result<ClaimRequest> {
        let lease = Millis::try_from(Duration::from_secs(3_600))?;
        let source = self.population.source().clone();
        ClaimRequest::new(source, ClaimId::random(), limit, lease, 1_000)
    }

    fn plain(&mut self, keys: &[Key]) {
        let begun = Instant::now();
        let records: Vec<Option<SyncRecord>> = keys.iter().map(|key| self.plain.get(key)).collect();
        self.samples.add("plain get", begun.elapsed(), keys.len());

        let records: Vec<_> = records.into_iter().flatten().collect();
        let begun = Instant::now();
        for record in &records {
            self.plain.insert(&record.key, record);
        }
        self.samples.add("plain insert", begun.elapsed(), records.len());
    }
}

/// A store with the records of a population.
pub(crate) async fn filled(population: &Population) -> Result<MemoryStore> {
    let store = MemoryStore::new();
    for number in 0..population.size() {
        let record = population.record(number, Timestamp::now())?;
        let _ = store.put(&record).await?;
    }
    Ok(store)
}
