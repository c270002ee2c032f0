//! The catalogue, the ledger, and the worker between them and the shop.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sync_tracker::rules::RetrySchedule;
use sync_tracker::{
    AnyStore, Counts, EntityRef, Job, PushResult, Status, Tracker, Worker, WorkerCounts,
};

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
    lease: Duration,
    catalog: Arc<RwLock<Catalog>>,
    retried: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Catalog {
    products: HashMap<EntityRef, Product>,
    order: Vec<EntityRef>,
}

/// What the ledger knew of the products before this run.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// Not known: to be created in the shop.
    pub(crate) new: usize,
    /// In the shop with other content: to be updated.
    pub(crate) changed: usize,
    /// Given up, and tried once more.
    pub(crate) given_up: usize,
    /// Known, be it in the shop or on its way there.
    pub(crate) known: usize,
}

impl CatalogSync {
    /// An empty catalogue over this ledger, with so many pushes at a time. What a process that was
    /// killed was pushing rests for the length of a lease.
    pub(crate) fn new(
        store: Arc<dyn AnyStore>,
        pusher: Pusher,
        workers: u16,
        lease: Duration,
    ) -> Result<Self, Failure> {
        let [initial, maximum] = [50, 2_000].map(Duration::from_millis);
        let schedule = RetrySchedule::exponential(initial, 2.0, maximum, 12)?.with_jitter(0.25)?;
        let tracker = Tracker::new(store)
            .with_retry_schedule(schedule)
            .with_sources(ENTITY_TYPE, [SOURCE])?;
        let (catalog, retried) = Default::default();
        Ok(Self { tracker, pusher, workers: workers.into(), lease, catalog, retried })
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

    /// Puts products into the catalogue, and compares them with what the ledger knows from earlier
    /// runs, however these ended.
    pub(crate) async fn take_in(&self, products: Vec<Product>) -> Result<Before, Failure> {
        let mut before = Before::default();
        for product in products {
            let entity = push::entity(&product.handle)?;
            let content = push::fingerprint(&product)?;
            self.put(&entity, product);
            match self.tracker.record(&entity, SOURCE).await? {
                None => {
                    before.new += 1;
                    self.tracker.created(&entity).await?;
                }
                Some(record) if record.held.is_some() => {
                    before.given_up += 1;
                    let _ = self.tracker.redrive(&entity, SOURCE).await?;
                }
                // What is dirty is pushed as it is now, whatever it was.
                Some(record) if !record.is_dirty() && record.base.as_ref() != Some(&content) => {
                    before.changed += 1;
                    self.tracker.updated(&entity).await?;
                }
                Some(_) => before.known += 1,
            }
        }
        Ok(before)
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
            .lease(self.lease)
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
