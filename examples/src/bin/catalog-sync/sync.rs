//! The catalogue, the ledger, and the worker between them and the shop.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sync_tracker_core::rules::RetrySchedule;
use sync_tracker_core::{
    Counts, EntityRef, Job, PushResult, Status, Tracker, Worker, WorkerCounts,
};
use sync_tracker_memory::MemoryStore;

use crate::Failure;
use crate::push::{self, ENTITY_TYPE, Pusher};
use sync_tracker_examples::catalog::Product;
use sync_tracker_examples::progress::Progress;

/// The name of the shop in the ledger.
pub(crate) const SOURCE: &str = "shop";

/// How often progress is shown, and the longest that the worker rests.
const GLANCE: Duration = Duration::from_millis(50);

/// The application: a catalogue whose products are kept in step with a shop.
#[derive(Clone, Debug)]
pub(crate) struct CatalogSync {
    tracker: Tracker,
    pusher: Pusher,
    workers: usize,
    catalog: Arc<RwLock<Catalog>>,
    retried: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Catalog {
    products: HashMap<EntityRef, Product>,
    order: Vec<EntityRef>,
}

impl CatalogSync {
    /// An empty catalogue, with so many pushes at a time.
    pub(crate) fn new(pusher: Pusher, workers: u16) -> Result<Self, Failure> {
        let [initial, maximum] = [50, 2_000].map(Duration::from_millis);
        let schedule = RetrySchedule::exponential(initial, 2.0, maximum, 12)?.with_jitter(0.25)?;
        let tracker = Tracker::new(MemoryStore::new())
            .with_retry_schedule(schedule)
            .with_sources(ENTITY_TYPE, [SOURCE])?;
        let (catalog, retried) = Default::default();
        Ok(Self { tracker, pusher, workers: workers.into(), catalog, retried })
    }

    /// The ledger.
    pub(crate) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// How many attempts followed a failed one.
    pub(crate) fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
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
        Ok(self.tracker.statistics(SOURCE).await?.counts)
    }

    /// Pushes until every product is in the shop or given up.
    pub(crate) async fn run(&self, progress: &Progress) -> Result<WorkerCounts, Failure> {
        let sync = self.clone();
        let push = move |job: Job| {
            let sync = sync.clone();
            async move { sync.push(&job).await }
        };
        // This shop throttles by counting requests and not by time, so pausing the source would
        // only take long.
        let worker = Worker::new(&self.tracker, SOURCE, push)?
            .name("catalog-sync")
            .concurrency(self.workers)
            .idle(GLANCE / 10, GLANCE)
            .without_pausing();
        let mut run = std::pin::pin!(worker.run_until_idle());
        let counts = loop {
            tokio::select! {
                counts = &mut run => break counts,
                () = tokio::time::sleep(GLANCE) => self.show(progress).await?,
            }
        };
        self.show(progress).await?;
        progress.finish();
        Ok(counts)
    }

    async fn show(&self, progress: &Progress) -> Result<(), Failure> {
        let counts = self.counts().await?;
        let waiting = [Status::Pending, Status::Failed, Status::InProgress];
        let left: u64 = waiting.iter().map(|status| counts.in_status(*status)).sum();
        progress.show(counts.total() - left, counts.total());
        Ok(())
    }

    async fn push(&self, job: &Job) -> PushResult {
        if job.record().failure.is_some() {
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
        let product = self.product(job.entity());
        self.pusher.push(&self.tracker, job, product.as_ref()).await
    }
}
