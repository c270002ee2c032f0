//! Calls that are made at the same time travel together.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::change::{Change, Guard, Outcome};
use crate::claim::{ClaimRequest, Claimed};
use crate::durability::Durability;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{EntityRef, EntityType, ExternalId, Key, Source};
use crate::ledger::{Imported, Removal};
use crate::page::{Cursor, Filter, Page, PageSize};
use crate::pause::{Pause, PauseRequest};
use crate::record::SyncRecord;
use crate::rename::Renamed;
use crate::statistics::Statistics;
use crate::store::SyncStore;
use crate::time::Timestamp;
use crate::verify::Discrepancy;

/// A store that sends single changes together, and single reads, if many callers make them at the
/// same time: for a service with many requests and a store to which each trip is dear.
///
/// While fewer than `at_once` are on their way, a call goes out at once and alone, as without this
/// layer. Further ones wait until one of those is answered, and then go out as one call of
/// [`apply_many`](SyncStore::apply_many) or [`get_many`](SyncStore::get_many). Nothing waits for
/// company. [Group commit][gray] in databases is the same idea.
///
/// # What it costs
///
/// Those who travel together wait for each other. Where an application holds a record in a
/// transaction of its own for long, a change of that record keeps its whole group waiting, and each
/// of them is answered what the group is answered. Give such a store no such layer.
///
/// # Cancellation
///
/// A call that is dropped while it waits is not made. Once it is under way with others it is
/// carried out. Put a [`Deadline`](super::Deadline) around this layer to bound both.
///
/// Outside a tokio runtime every call goes out alone.
///
/// ```
/// use sync_tracker_core::Tracker;
/// use sync_tracker_core::layers::Grouped;
/// use sync_tracker_memory::MemoryStore;
///
/// let tracker = Tracker::new(Grouped::new(MemoryStore::new(), 2));
/// ```
///
/// [gray]: https://dl.acm.org/doi/10.1145/602259.602261
pub struct Grouped<S> {
    store: Arc<S>,
    changes: Arc<Gate<S, Changes>>,
    reads: Arc<Gate<S, Reads>>,
}

impl<S> Clone for Grouped<S> {
    fn clone(&self) -> Self {
        let Self { store, changes, reads } = self;
        let (store, changes) = (Arc::clone(store), Arc::clone(changes));
        Self { store, changes, reads: Arc::clone(reads) }
    }
}

impl<S: SyncStore> Grouped<S> {
    /// Lets so many calls of a kind be on their way at once, at least one: best fewer than the
    /// store has connections. The fewer there are, the larger the groups.
    pub fn new(store: S, at_once: usize) -> Self {
        let store = Arc::new(store);
        let changes = Arc::new(Gate::new(&store, at_once));
        let reads = Arc::new(Gate::new(&store, at_once));
        Self { store, changes, reads }
    }
}

impl<S: fmt::Debug> fmt::Debug for Grouped<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, changes, reads: _ } = self;
        let mut debug = f.debug_struct("Grouped");
        debug.field("store", store).field("at_once", &changes.at_once).finish()
    }
}

/// How many calls travel together at most.
const LARGEST: usize = 256;

/// What can be sent together.
trait Kind: Send + 'static {
    type Item: Send + 'static;
    type Answer: Send + 'static;

    /// One answer for each item, in their order.
    fn send<S: SyncStore>(
        store: &S,
        items: Vec<Self::Item>,
    ) -> impl Future<Output = Vec<Result<Self::Answer>>> + Send;
}

enum Changes {}

impl Kind for Changes {
    type Item = (Key, Change);
    type Answer = Outcome;

    async fn send<S: SyncStore>(store: &S, items: Vec<Self::Item>) -> Vec<Result<Outcome>> {
        store.apply_many(&items).await
    }
}

enum Reads {}

impl Kind for Reads {
    type Item = Key;
    type Answer = Option<SyncRecord>;

    async fn send<S: SyncStore>(store: &S, keys: Vec<Key>) -> Vec<Result<Option<SyncRecord>>> {
        let error = match store.get_many(&keys).await {
            Ok(records) => return records.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        let mut answers = Vec::with_capacity(keys.len());
        for key in &keys {
            // One of them may have spoilt it for the others.
            answers.push(match error.is_retryable() {
                true => Err(Error::new(error.kind(), error.to_string())),
                false => store.get(key).await,
            });
        }
        answers
    }
}

/// Lets some calls through and has the others wait.
struct Gate<S, K: Kind> {
    store: Arc<S>,
    at_once: usize,
    state: Mutex<State<K::Item, K::Answer>>,
}

struct State<I, A> {
    /// How many calls, or groups of them, are on their way.
    sent: usize,
    waiting: Vec<Waiting<I, A>>,
}

struct Waiting<I, A> {
    item: I,
    reply: oneshot::Sender<Result<A>>,
    runtime: Handle,
}

enum Turn<S: SyncStore, K: Kind> {
    Now(Pass<S, K>),
    Later(oneshot::Receiver<Result<K::Answer>>),
}

/// That a call may be on its way. When it ends, those that wait follow.
struct Pass<S: SyncStore, K: Kind>(Arc<Gate<S, K>>);

impl<S: SyncStore, K: Kind> Gate<S, K> {
    fn new(store: &Arc<S>, at_once: usize) -> Self {
        let state = Mutex::new(State { sent: 0, waiting: Vec::new() });
        Self { store: Arc::clone(store), at_once: at_once.max(1), state }
    }

    fn state(&self) -> MutexGuard<'_, State<K::Item, K::Answer>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, item: impl FnOnce() -> K::Item) -> Turn<S, K> {
        let mut state = self.state();
        match Handle::try_current() {
            Ok(runtime) if state.sent >= self.at_once => {
                let (reply, answer) = oneshot::channel();
                state.waiting.push(Waiting { item: item(), reply, runtime });
                Turn::Later(answer)
            }
            // Without a runtime nobody could carry it with others.
            _ => {
                state.sent += 1;
                Turn::Now(Pass(Arc::clone(self)))
            }
        }
    }

    /// Makes a call alone or with others.
    async fn call(
        self: &Arc<Self>,
        item: impl FnOnce() -> K::Item,
        alone: impl Future<Output = Result<K::Answer>> + Send,
    ) -> Result<K::Answer> {
        match self.enter(item) {
            Turn::Now(pass) => {
                let answer = alone.await;
                drop(pass);
                answer
            }
            Turn::Later(answer) => answer.await.unwrap_or_else(|_| {
                let message = "the task that carried it out with others is gone";
                Err(Error::new(ErrorKind::Unknown, message))
            }),
        }
    }
}

impl<S: SyncStore, K: Kind> Drop for Pass<S, K> {
    fn drop(&mut self) {
        let Self(gate) = self;
        let group = {
            let mut state = gate.state();
            // Nobody waits for the answer of a call that was dropped.
            state.waiting.retain(|call| !call.reply.is_closed());
            if state.waiting.is_empty() {
                state.sent -= 1;
                return;
            }
            let size = state.waiting.len().min(LARGEST);
            state.waiting.drain(..size).collect::<Vec<_>>()
        };
        let Some(runtime) = group.first().map(|first| first.runtime.clone()) else { return };
        let pass = Self(Arc::clone(gate));
        runtime.spawn(pass.carry(group));
    }
}

impl<S: SyncStore, K: Kind> Pass<S, K> {
    async fn carry(self, group: Vec<Waiting<K::Item, K::Answer>>) {
        let (items, replies): (Vec<_>, Vec<_>) =
            group.into_iter().map(|Waiting { item, reply, .. }| (item, reply)).unzip();
        let answers = K::send(&self.0.store, items).await;
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Nobody waiting any more is no fault.
            let _ = reply.send(answer);
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: SyncStore> SyncStore for Grouped<S> {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let item = || (key.clone(), change.clone());
        self.changes.call(item, self.store.apply(key, change)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        self.reads.call(|| key.clone(), self.store.get(key)).await
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        self.store.by_external_id(source, entity_type, id).await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        self.store.list(filter, after, size).await
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.store.put(record).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        self.store.remove(key, guard).await
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        self.store.rename(from, to).await
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        self.store.apply_many(items).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        self.store.get_many(keys).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        self.store.claim(request).await
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        self.store.by_external_ids(source, entity_type, ids).await
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        self.store.pause(source, request).await
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        self.store.resume(source).await
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        self.store.paused(source).await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        self.store.statistics(source).await
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        self.store.sources().await
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        self.store.records_of(entity).await
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        self.store.verify().await
    }

    async fn durability(&self) -> Result<Durability> {
        self.store.durability().await
    }
}
