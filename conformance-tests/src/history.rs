//! Histories of concurrent calls, and whether they can be explained one call after the other.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sync_tracker_core::{
    Change, Error, ErrorKind, Key, Outcome, Result, SyncRecord, SyncStore, Timestamp,
};

/// One call in a history: what was asked, what was answered, and when, in ticks of the recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    change: Change,
    /// The answer; none if the outcome is unknown.
    answer: Option<Outcome>,
    invoked: u64,
    /// Never, if the outcome is unknown: then the call may take effect at any later time, or never.
    returned: Option<u64>,
}

/// Records concurrent changes of a store, to be [checked](Self::check) afterwards.
///
/// ```
/// # use sync_tracker_conformance::HistoryRecorder;
/// # use sync_tracker_core::{Key, ManualClock, StoreClock, Timestamp, rules};
/// # use sync_tracker_memory::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = Timestamp::from_millis(1_700_000_000_000)?;
/// let store = MemoryStore::with_clock(StoreClock::Manual(ManualClock::new(now)?));
/// let history = HistoryRecorder::new(now);
/// let key = Key::new("shop", "product", 1)?;
/// let (created, updated) = (rules::created(), rules::updated());
/// let _ = tokio::join!(
///     history.apply(&store, &key, &created),
///     history.apply(&store, &key, &updated),
/// );
/// assert_eq!(history.check(), Ok(2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HistoryRecorder {
    now: Timestamp,
    ticks: AtomicU64,
    calls: Mutex<BTreeMap<Key, Vec<Call>>>,
}

/// A history of one key that no order of its calls explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLinearizable {
    /// The key.
    pub key: Key,
    /// Its calls, in the order in which they were invoked.
    pub calls: Vec<Call>,
}

impl HistoryRecorder {
    /// The most calls of one key that a history may have.
    pub const MAX_CALLS: usize = 128;

    /// A recorder for a store whose clock stands still at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now, ticks: AtomicU64::new(0), calls: Mutex::default() }
    }

    /// Applies a change and records it. An error that says that nothing was done is not recorded;
    /// any other is a call of unknown outcome.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn apply<S: SyncStore + ?Sized>(
        &self,
        store: &S,
        key: &Key,
        change: &Change,
    ) -> Result<Outcome> {
        let invoked = self.ticks.fetch_add(1, Ordering::SeqCst);
        let answer = store.apply(key, change).await;
        let returned = self.ticks.fetch_add(1, Ordering::SeqCst);
        let not_done =
            |error: &Error| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Invalid);
        if !answer.as_ref().is_err_and(not_done) {
            let known = answer.as_ref().ok().cloned();
            let call = Call {
                change: change.clone(),
                returned: known.is_some().then_some(returned),
                answer: known,
                invoked,
            };
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.entry(key.clone()).or_default().push(call);
        }
        answer
    }

    /// Looks, for each key apart, for an order of the calls that keeps to their times, and in which
    /// the reference gives every answer that the store gave. How many calls were explained.
    ///
    /// The search is that of Wing and Gong (1993) with the memory of Lowe (2017). It is quick for up
    /// to 8 callers, and may take long for many more or for many unknown outcomes.
    ///
    /// External ids are left aside: a history in which one was taken by another key cannot be
    /// explained by one key alone.
    ///
    /// # Errors
    ///
    /// The first key whose calls no order explains.
    ///
    /// # Panics
    ///
    /// If a key has more than [`MAX_CALLS`](Self::MAX_CALLS) calls.
    pub fn check(&self) -> std::result::Result<usize, NotLinearizable> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut explained = 0;
        for (key, mut calls) in calls {
            assert!(calls.len() <= Self::MAX_CALLS, "too many calls of {key}");
            calls.sort_by_key(|call| call.invoked);
            explained += calls.len();
            let mut search =
                Search { key: &key, now: self.now, calls: &calls, dead_ends: HashSet::new() };
            if !search.explains(0, None) {
                return Err(NotLinearizable { key, calls });
            }
        }
        Ok(explained)
    }
}

struct Search<'a> {
    key: &'a Key,
    now: Timestamp,
    calls: &'a [Call],
    /// Which calls had been placed, and what the record was then, where no way led on.
    dead_ends: HashSet<(u128, u64)>,
}

impl Search<'_> {
    /// Whether the calls that are not placed yet can follow on `record`.
    fn explains(&mut self, placed: u128, record: Option<&SyncRecord>) -> bool {
        let open = |at: usize| placed & (1 << at) == 0;
        let waiting = (0..self.calls.len()).filter(|at| open(*at));
        // The next call was invoked before any that waits has returned.
        let Some(deadline) = waiting.clone().filter_map(|at| self.calls[at].returned).min() else {
            return true; // Only unknown outcomes are left, which may never happen.
        };
        if self.dead_ends.contains(&(placed, fingerprint(record))) {
            return false;
        }
        for at in waiting.collect::<Vec<_>>() {
            let call = &self.calls[at];
            if call.invoked > deadline {
                break;
            }
            let outcome = call.change.apply_to(self.key, record, self.now);
            if call.answer.as_ref().is_some_and(|answer| *answer != outcome) {
                continue;
            }
            let next = match &outcome {
                Outcome::Applied(applied) => Some(&applied.record),
                Outcome::Refused(_) => record,
            };
            if self.explains(placed | 1 << at, next) {
                return true;
            }
        }
        self.dead_ends.insert((placed, fingerprint(record)));
        false
    }
}

fn fingerprint(record: Option<&SyncRecord>) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(&record).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use sync_tracker_core::{
        Cursor, EntityType, ExternalId, Filter, Guard, Imported, Ledger, Page, PageSize, Removal,
        Source, rules,
    };
    use tokio::task::JoinSet;

    use super::*;
    use crate::{FaultRates, FaultyStore};

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).unwrap()
    }

    /// A store that reads, lets others go first, and then writes.
    #[derive(Debug, Default)]
    struct Racy {
        ledger: Mutex<Ledger>,
        races: bool,
    }

    #[async_trait]
    impl SyncStore for Racy {
        async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
            if !self.races {
                return Ok(self.ledger.lock().unwrap().apply(key, change, now()));
            }
            let record = self.ledger.lock().unwrap().get(key).cloned();
            tokio::task::yield_now().await;
            let outcome = change.apply_to(key, record.as_ref(), now());
            if let Outcome::Applied(applied) = &outcome {
                self.ledger.lock().unwrap().restore(key, Some(applied.record.clone()));
            }
            Ok(outcome)
        }

        async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
            Ok(self.ledger.lock().unwrap().get(key).cloned())
        }

        async fn by_external_id(
            &self,
            _: &Source,
            _: &EntityType,
            _: &ExternalId,
        ) -> Result<Option<SyncRecord>> {
            Ok(None)
        }

        async fn list(&self, _: &Filter, _: Option<&Cursor>, _: PageSize) -> Result<Page> {
            Ok(Page::default())
        }

        async fn put(&self, _: &SyncRecord) -> Result<Imported> {
            Ok(Imported::Stored)
        }

        async fn remove(&self, _: &Key, _: &Guard) -> Result<Removal> {
            Ok(Removal::Absent)
        }
    }

    /// What 8 clients do with 4 keys.
    async fn history_of(store: Arc<dyn SyncStore>) -> Arc<HistoryRecorder> {
        let history = Arc::new(HistoryRecorder::new(now()));
        let mut clients = JoinSet::new();
        for client in 0..8_usize {
            let (history, store) = (Arc::clone(&history), Arc::clone(&store));
            clients.spawn(async move {
                for step in 0..40 {
                    let key = Key::new("shop", "product", (client + step) % 4).unwrap();
                    let change = match (client * 7 + step) % 5 {
                        0 => rules::created(),
                        1 => rules::deleted(),
                        2 => rules::MarkSynced::default().change(),
                        _ => rules::updated(),
                    };
                    for _ in 0..3 {
                        if history.apply(&*store, &key, &change).await.is_ok() {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        clients.join_all().await;
        history
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_right_store_does_is_explained() {
        let history = history_of(Arc::new(Racy::default())).await;
        assert_eq!(history.check(), Ok(320));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_racy_store_does_is_not() {
        let store = Racy { races: true, ..Racy::default() };
        assert!(history_of(Arc::new(store)).await.check().is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn lost_replies_and_repeats_are_explained() {
        let rates =
            FaultRates { unknown_before: 0.02, unknown_after: 0.03, ..FaultRates::default() };
        for seed in 0..5 {
            let store = FaultyStore::seeded(Racy::default(), seed, rates);
            let history = history_of(Arc::new(store)).await;
            assert!(history.check().is_ok(), "seed {seed}");
        }
    }
}
