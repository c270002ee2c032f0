//! The catalogue, the ledger, and the workers between them and the shop.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sync_tracker_core::rules::RetrySchedule;
use sync_tracker_core::{Counts, EntityRef, Push, Source, Status, SyncStore, Tracker};
use sync_tracker_memory::MemoryStore;
use tokio::task::JoinSet;

use crate::Failure;
use crate::progress::Progress;
use crate::push::{self, ENTITY_TYPE, Pusher};
use sync_tracker_examples::catalog::Product;

/// The name of the shop in the ledger.
pub(crate) const SOURCE: &str = "shop";

/// How long a worker rests when nothing is due.
const IDLE: Duration = Duration::from_millis(20);

/// The application: a catalogue whose products are kept in step with a shop.
#[derive(Clone, Debug)]
pub(crate) struct CatalogSync {
    tracker: Tracker,
    pusher: Pusher,
    workers: u16,
    catalog: Arc<RwLock<Catalog>>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Catalog {
    products: HashMap<EntityRef, Product>,
    order: Vec<EntityRef>,
}

/// What the workers counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    failed: AtomicU64,
    retried: AtomicU64,
}

impl Tally {
    /// Attempts that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Attempts that followed a failed one.
    pub(crate) fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }
}

impl CatalogSync {
    /// An empty catalogue, kept in step by this many workers.
    pub(crate) fn new(pusher: Pusher, workers: u16) -> Result<Self, Failure> {
        let [initial, maximum] = [50, 2_000].map(Duration::from_millis);
        let schedule = RetrySchedule::exponential(initial, 2.0, maximum, 12)?.with_jitter(0.25)?;
        let tracker = Tracker::new(MemoryStore::new())
            .with_retry_schedule(schedule)
            .with_sources(ENTITY_TYPE, [SOURCE])?;
        let (catalog, tally) = Default::default();
        Ok(Self { tracker, pusher, workers, catalog, tally })
    }

    /// The ledger.
    pub(crate) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// What the workers counted.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The products, in the order of the catalogue.
    pub(crate) fn products(&self) -> Vec<Product> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        catalog.order.iter().map(|entity| catalog.products[entity].clone()).collect()
    }

    /// Puts new products into the catalogue: they are to be created in the shop.
    pub(crate) async fn created(&self, products: Vec<Product>) -> Result<(), Failure> {
        for product in products {
            let entity = push::entity(&product.handle)?;
            self.put(&entity, product);
            self.tracker.created(&entity).await?;
        }
        Ok(())
    }

    /// Changes a product of the catalogue: it is to be updated in the shop.
    pub(crate) async fn updated(&self, product: Product) -> Result<(), Failure> {
        let entity = push::entity(&product.handle)?;
        self.put(&entity, product);
        self.tracker.updated(&entity).await?;
        Ok(())
    }

    fn put(&self, entity: &EntityRef, product: Product) {
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        if catalog.products.insert(entity.clone(), product).is_none() {
            catalog.order.push(entity.clone());
        }
    }

    fn product(&self, entity: &EntityRef) -> Option<Product> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        catalog.products.get(entity).cloned()
    }

    /// How many products there are in each status.
    pub(crate) async fn counts(&self) -> Result<Counts, Failure> {
        Ok(self.tracker.store().statistics(&Source::new(SOURCE)?).await?.counts)
    }

    /// Pushes until every product is in the shop or given up.
    pub(crate) async fn run(&self, progress: &Progress) -> Result<(), Failure> {
        let mut workers = JoinSet::new();
        for number in 1..=self.workers {
            let (sync, progress) = (self.clone(), progress.clone());
            workers.spawn(async move { sync.work(&format!("worker-{number}"), &progress).await });
        }
        while let Some(worker) = workers.join_next().await {
            worker??;
        }
        progress.finish();
        Ok(())
    }

    async fn work(&self, name: &str, progress: &Progress) -> Result<(), Failure> {
        loop {
            let claimed = self.tracker.claim(SOURCE).worker(name).await?;
            for push in &claimed.pushes {
                self.push(push).await?;
            }
            let counts = self.counts().await?;
            let left: u64 = [Status::Pending, Status::Failed, Status::InProgress]
                .iter()
                .map(|status| counts.in_status(*status))
                .sum();
            progress.show(counts.total() - left, counts.total());
            if left == 0 {
                return Ok(());
            }
            if claimed.is_empty() {
                tokio::time::sleep(IDLE).await;
            }
        }
    }

    async fn push(&self, push: &Push) -> Result<(), Failure> {
        if push.record().failure.is_some() {
            self.tally.retried.fetch_add(1, Ordering::Relaxed);
        }
        let product = self.product(push.entity());
        if !self.pusher.push(&self.tracker, push, product.as_ref()).await? {
            self.tally.failed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
