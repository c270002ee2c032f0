//! A tracker over a store in memory, with one product that is in the shop.

use serde_json::{Value, json};
use sync_tracker_core::{
    EntityRef, Fingerprint, ManualClock, Millis, Observed, RemoteVersion, StoreClock, SyncRecord,
    Timestamp, Tracker,
};
use sync_tracker_memory::MemoryStore;

pub(crate) const SHOP: &str = "shop";
pub(crate) const ID: &str = "P-1";

pub(crate) struct Scene {
    pub(crate) tracker: Tracker,
    pub(crate) clock: ManualClock,
    pub(crate) product: EntityRef,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_700_000_000_000).unwrap()).unwrap();
        let store = MemoryStore::with_clock(StoreClock::Manual(clock.clone()));
        let product = EntityRef::new("product", "1").unwrap();
        Self { tracker: Tracker::new(store), clock, product }
    }

    /// Both sides hold content 1 at version 10.
    pub(crate) async fn in_step() -> Self {
        let scene = Self::new();
        scene
            .tracker
            .mark_synced(&scene.product, SHOP)
            .external_id(ID)
            .remote_version(version(10))
            .fingerprint(content(1))
            .await
            .unwrap()
            .into_result()
            .unwrap();
        scene
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.clock.advance(Millis::new(millis).unwrap());
    }

    pub(crate) async fn record(&self) -> SyncRecord {
        self.tracker.record(&self.product, SHOP).await.unwrap().unwrap()
    }

    pub(crate) async fn updated(&self) {
        let outcomes = self.tracker.updated(&self.product).await.unwrap();
        assert!(outcomes.iter().all(|one| one.outcome.is_applied()), "{outcomes:?}");
    }

    pub(crate) async fn deleted(&self) {
        let outcomes = self.tracker.deleted(&self.product).await.unwrap();
        assert!(outcomes.iter().all(|one| one.outcome.is_applied()), "{outcomes:?}");
    }

    /// The deletion is pushed.
    pub(crate) async fn deleted_there_too(&self) {
        self.deleted().await;
        let claimed = self.tracker.claim(SHOP).await.unwrap();
        let [push] = claimed.pushes.as_slice() else { panic!("{claimed:?}") };
        push.synced().await.unwrap().into_result().unwrap();
    }

    /// Something is seen, with a version or without.
    pub(crate) async fn observe(
        &self,
        version: Option<RemoteVersion>,
        seen: Option<i64>,
    ) -> Observed {
        let mut observe = self.tracker.observe(SHOP, "product", ID);
        if let Some(version) = version {
            observe = observe.version(version);
        }
        match seen {
            Some(number) => observe.content(&value(number)).await.unwrap(),
            None => observe.deleted().await.unwrap(),
        }
    }
}

pub(crate) fn version(number: i64) -> RemoteVersion {
    RemoteVersion::Sequence(number)
}

pub(crate) fn etag(number: i64) -> RemoteVersion {
    RemoteVersion::opaque(format!("\"{number}\"")).unwrap()
}

pub(crate) fn value(number: i64) -> Value {
    json!({ "content": number })
}

pub(crate) fn content(number: i64) -> Fingerprint {
    Fingerprint::of(&value(number)).unwrap()
}

/// Runs one case of a property.
pub(crate) fn run<F: Future>(case: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(case)
}
