//! A store around a store that fails, for tests of what calls stores.

use std::collections::VecDeque;
use std::future::{self, Future};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_core::{
    Change, Cursor, EntityType, Error, ErrorKind, ExternalId, Filter, Guard, Imported, Key,
    Outcome, Page, PageSize, Removal, Result, Source, SyncRecord, SyncStore, Timestamp,
};

/// What goes wrong with one call of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    None,
    /// The call is not carried out, and fails with an error of this kind.
    NotDone(ErrorKind),
    /// The call is carried out, and its reply is lost: it fails with an error of this kind.
    Done(ErrorKind),
    /// The call is carried out, and answered this late.
    Late(Duration),
    /// The call is carried out, and never answered.
    Hangs,
}

/// How often each fault happens, as shares of all calls, which add up to 1 at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultRates {
    /// Not carried out, and known not to be: [`ErrorKind::Unavailable`].
    pub unavailable: f64,
    /// Not carried out, and not known: [`ErrorKind::Unknown`].
    pub unknown_before: f64,
    /// Carried out, and not known: [`ErrorKind::Unknown`].
    pub unknown_after: f64,
    /// Carried out, and answered late by up to [`delay`](Self::delay).
    pub late: f64,
    /// The longest delay.
    pub delay: Duration,
    /// Carried out, and never answered: whatever calls it needs a deadline.
    pub hangs: f64,
}

/// A store that fails as it is told, around one that works.
///
/// Use it to test that your own code comes through lost replies: give it to a
/// [`Tracker`](sync_tracker_core::Tracker) in place of the store. Whatever is more than one of the
/// six required methods of a store (a claim, a batch, a renaming) is carried out by these one by
/// one, so a fault may come between any two of them. Around an
/// [`InboxStore`](sync_tracker_core::InboxStore) or a
/// [`CheckpointStore`](sync_tracker_core::CheckpointStore) it is one too, and each call is one.
///
/// ```
/// # use std::time::Duration;
/// use sync_tracker_conformance::{FaultRates, FaultyStore};
/// use sync_tracker_core::{EntityRef, Tracker};
/// use sync_tracker_memory::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rates = FaultRates { unknown_after: 0.3, ..FaultRates::default() };
/// let tracker = Tracker::new(FaultyStore::seeded(MemoryStore::new(), 42, rates));
/// let product = EntityRef::new("product", 1)?;
/// for _ in 0..20 {
///     let _ = tracker.mark_synced(&product, "shop").await;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyStore<S> {
    store: S,
    faults: Mutex<Faults>,
}

#[derive(Debug)]
enum Faults {
    Planned(VecDeque<Fault>),
    Seeded(Box<StdRng>, FaultRates),
}

impl<S> FaultyStore<S> {
    /// Has these faults, one a call, and none after them.
    pub fn planned(store: S, plan: impl IntoIterator<Item = Fault>) -> Self {
        let faults = Mutex::new(Faults::Planned(plan.into_iter().collect()));
        Self { store, faults }
    }

    /// Has faults at these rates. The same seed has the same faults in the same calls.
    pub fn seeded(store: S, seed: u64, rates: FaultRates) -> Self {
        let faults = Faults::Seeded(Box::new(StdRng::seed_from_u64(seed)), rates);
        Self { store, faults: Mutex::new(faults) }
    }

    /// Has these faults from now on, in place of what it had.
    pub fn plan(&self, plan: impl IntoIterator<Item = Fault>) {
        *self.faults() = Faults::Planned(plan.into_iter().collect());
    }

    /// The store that works.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn call<T>(&self, done: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let fault = self.faults().next();
        match fault {
            Fault::None => done.await,
            Fault::NotDone(kind) => Err(Error::new(kind, "a fault: the call was not carried out")),
            Fault::Done(kind) => {
                done.await?;
                Err(Error::new(kind, "a fault: the reply was lost"))
            }
            Fault::Late(delay) => {
                let answer = done.await;
                tokio::time::sleep(delay).await;
                answer
            }
            Fault::Hangs => {
                done.await?;
                future::pending().await
            }
        }
    }
}

impl Faults {
    fn next(&mut self) -> Fault {
        match self {
            Self::Planned(plan) => plan.pop_front().unwrap_or(Fault::None),
            Self::Seeded(random, rates) => rates.fault(random),
        }
    }
}

impl FaultRates {
    fn fault(&self, random: &mut StdRng) -> Fault {
        let Self { unavailable, unknown_before, unknown_after, late, delay, hangs } = *self;
        let mut left: f64 = random.random();
        // Drawn in any case, so that what one call meets does not depend on the rates of others.
        let delay = delay.mul_f64(random.random());
        for (rate, fault) in [
            (unavailable, Fault::NotDone(ErrorKind::Unavailable)),
            (unknown_before, Fault::NotDone(ErrorKind::Unknown)),
            (unknown_after, Fault::Done(ErrorKind::Unknown)),
            (late, Fault::Late(delay)),
            (hangs, Fault::Hangs),
        ] {
            if left < rate {
                return fault;
            }
            left -= rate;
        }
        Fault::None
    }
}

#[async_trait::async_trait]
impl<S: SyncStore> SyncStore for FaultyStore<S> {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        self.call(self.store.apply(key, change)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        self.call(self.store.get(key)).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        self.call(self.store.by_external_id(source, entity_type, id)).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        self.call(self.store.list(filter, after, size)).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.call(self.store.put(record)).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        self.call(self.store.remove(key, guard)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }
}
