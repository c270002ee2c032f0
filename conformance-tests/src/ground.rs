//! What a behaviour stands on: a fresh store, its clock, and short ways to say things.

use std::any::Any;
use std::future::Future;
use std::process;
use std::sync::Arc;

use sync_tracker_core::rules::{self, RetrySchedule};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, Claimed, Counts, EntityType, ExternalId, FailureNote, Filter,
    Key, ManualClock, Millis, Outcome, PageSize, Refusal, Source, StoreClock, SyncRecord,
    SyncStore, Timestamp,
};
use tokio::task::yield_now;

/// How a behaviour wants its store opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup {
    /// Where the store keeps its records: never used before, lower-case letters, digits and `_`,
    /// at most 40 bytes.
    pub namespace: String,
    /// The clock that the store decides by.
    pub clock: StoreClock,
}

/// What a factory may return: a store, or a store with a [guard](Guarded).
pub trait Fixture {
    /// The store, and what to keep until the behaviour is done.
    fn into_parts(self) -> (Arc<dyn SyncStore>, Box<dyn Any>);
}

impl<S: SyncStore> Fixture for S {
    fn into_parts(self) -> (Arc<dyn SyncStore>, Box<dyn Any>) {
        (Arc::new(self), Box::new(()))
    }
}

/// A store with a value that is dropped after the behaviour, and cleans up.
#[derive(Debug)]
pub struct Guarded<S, G> {
    /// The store.
    pub store: S,
    /// What is dropped.
    pub guard: G,
}

impl<S: SyncStore, G: 'static> Fixture for Guarded<S, G> {
    fn into_parts(self) -> (Arc<dyn SyncStore>, Box<dyn Any>) {
        (Arc::new(self.store), Box::new(self.guard))
    }
}

/// A fresh store, its clock, and short ways to say things.
#[derive(Debug)]
#[doc(hidden)]
pub struct Ground {
    pub(crate) store: Arc<dyn SyncStore>,
    pub(crate) clock: ManualClock,
    /// A store on a namespace of its own that decides by its server's clock.
    pub(crate) by_own_clock: Arc<dyn SyncStore>,
    _guards: [Box<dyn Any>; 2],
}

impl Ground {
    pub(crate) async fn open<S, O>(name: &str, open: S) -> Self
    where
        S: Fn(Setup) -> O,
        O: Future<Output: Fixture>,
    {
        let clock = ManualClock::new(at(1_700_000_000_000)).expect("within range");
        let setup = Setup { namespace: namespace(name), clock: StoreClock::Manual(clock.clone()) };
        let (store, guard) = open(setup).await.into_parts();
        let setup = Setup { namespace: namespace(name), clock: StoreClock::Server };
        let (by_own_clock, other) = open(setup).await.into_parts();
        Self { store, clock, by_own_clock, _guards: [guard, other] }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.clock.advance(span(millis));
    }

    pub(crate) async fn apply(&self, key: &Key, change: &Change) -> Outcome {
        self.store.apply(key, change).await.expect("the change is answered")
    }

    /// Applies a change that must be applied.
    pub(crate) async fn applied(&self, key: &Key, change: &Change) -> SyncRecord {
        match self.apply(key, change).await {
            Outcome::Applied(applied) => applied.record,
            Outcome::Refused(refused) => panic!("refused: {}", refused.reason),
        }
    }

    /// Applies a change that must be refused, and checks that it had no effect.
    pub(crate) async fn refused(&self, key: &Key, change: &Change) -> Refusal {
        let before = self.get(key).await;
        let Outcome::Refused(refused) = self.apply(key, change).await else {
            panic!("the change was applied");
        };
        assert_eq!(refused.record, before, "a refusal shows the record as it stands");
        assert_eq!(self.get(key).await, before, "a refused change has no effect");
        refused.reason
    }

    /// Applies a change, and checks that the store makes of it what the reference makes.
    pub(crate) async fn agrees(&self, key: &Key, change: &Change) {
        let before = self.get(key).await;
        let expected = change.apply_to(key, before.as_ref(), self.now());
        let outcome = self.apply(key, change).await;
        assert_eq!(outcome, expected, "of {change:#?}");
        assert_eq!(self.get(key).await.as_ref(), expected.record(), "stored of {change:#?}");
    }

    pub(crate) async fn get(&self, key: &Key) -> Option<SyncRecord> {
        self.store.get(key).await.expect("the record is read")
    }

    /// The record of a key that must have one.
    pub(crate) async fn record(&self, key: &Key) -> SyncRecord {
        self.get(key).await.expect("there is a record")
    }

    pub(crate) async fn find(&self, key: &Key, id: &str) -> Option<Key> {
        let (source, entity_type) = (&key.source, &key.entity.entity_type);
        let found = self.store.by_external_id(source, entity_type, &external_id(id)).await;
        found.expect("the lookup is answered").map(|record| record.key)
    }

    pub(crate) async fn claim(&self, request: &ClaimRequest) -> Claimed {
        self.store.claim(request).await.expect("the claim is answered")
    }

    /// Claims one record, which must be that of `key`.
    pub(crate) async fn lease(&self, key: &Key) -> SyncRecord {
        let claimed = self.claim(&request(1)).await;
        let [record] = claimed.leased.as_slice() else { panic!("one lease of {claimed:?}") };
        assert_eq!(record.key, *key);
        record.clone()
    }

    /// How many products and others there are in the shop.
    pub(crate) async fn counts(&self) -> Counts {
        self.store.statistics(&shop()).await.expect("the source is counted").counts
    }

    /// The keys of every page of a walk.
    pub(crate) async fn walk(&self, filter: &Filter, size: usize) -> Vec<Key> {
        walk(&*self.store, filter, size).await
    }

    /// Checks that every index agrees with the records.
    pub(crate) async fn is_sound(&self) {
        assert_eq!(self.store.verify().await.expect("the store is verified"), []);
    }
}

/// The keys of every page of a walk. Others get their turn between pages.
pub(crate) async fn walk(store: &dyn SyncStore, filter: &Filter, size: usize) -> Vec<Key> {
    let size = PageSize::new(size).expect("within range");
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(filter, after.as_ref(), size).await.expect("a page");
        assert!(page.records.len() <= size.get(), "no page is larger than asked for");
        keys.extend(page.records.into_iter().map(|record| record.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
        yield_now().await;
    }
}

pub(crate) fn namespace(name: &str) -> String {
    let name = &name[..name.len().min(15)];
    format!("{name}_{:x}_{:x}", process::id(), rand::random::<u32>())
        .to_lowercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

pub(crate) const LEASE: u64 = 60_000;
pub(crate) const MAX_ATTEMPTS: u32 = 3;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("within range")
}

pub(crate) fn span(millis: u64) -> Millis {
    Millis::new(millis).expect("within range")
}

pub(crate) fn shop() -> Source {
    Source::new("shop").expect("a name")
}

/// The key of a product in the shop.
pub(crate) fn product(id: &str) -> Key {
    Key::new("shop", "product", id).expect("a key")
}

pub(crate) fn entity_type(name: &str) -> EntityType {
    EntityType::new(name).expect("a name")
}

pub(crate) fn external_id(id: &str) -> ExternalId {
    ExternalId::new(id).expect("an id")
}

/// A claim of up to `limit` records of the shop, under a new id.
pub(crate) fn request(limit: usize) -> ClaimRequest {
    request_as(ClaimId::random(), limit)
}

pub(crate) fn request_as(claim: ClaimId, limit: usize) -> ClaimRequest {
    claim_of(&shop(), claim, limit)
}

pub(crate) fn claim_of(source: &Source, claim: ClaimId, limit: usize) -> ClaimRequest {
    let request = ClaimRequest::new(source.clone(), claim, limit, span(LEASE), MAX_ATTEMPTS);
    request.expect("a request")
}

/// Waits of 1 s and 10 s, so three attempts.
pub(crate) fn schedule() -> RetrySchedule {
    let waits = [span(1_000), span(10_000)].map(Millis::to_duration);
    RetrySchedule::steps(waits).expect("a schedule")
}

/// A leased push of this record failed for the time being.
pub(crate) fn fail(record: &SyncRecord, note: &FailureNote) -> Change {
    rules::fail(record.token, note, &schedule(), None)
}
