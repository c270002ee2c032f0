//! What a worker counts.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// What a worker counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Records that it was granted.
    pub claimed: u64,
    /// Pushes that worked, and the ledger knows.
    pub synced: u64,
    /// Pushes that failed, panics and throttled ones included.
    pub failed: u64,
    /// Records that became dead letters by its claims or its reports.
    pub dead_lettered: u64,
    /// Pushes that the remote asked to wait with.
    pub throttled: u64,
    /// Handlers that panicked.
    pub panicked: u64,
    /// Records that another worker took before the push was reported.
    pub leases_lost: u64,
    /// Calls of the store that failed for good. A push that could not be reported comes back when
    /// its lease runs out.
    pub errors: u64,
}

#[derive(Debug)]
pub(super) struct Tally {
    claimed: AtomicU64,
    synced: AtomicU64,
    failed: AtomicU64,
    dead_lettered: AtomicU64,
    throttled: AtomicU64,
    panicked: AtomicU64,
    leases_lost: AtomicU64,
    errors: AtomicU64,
    given_up: watch::Sender<bool>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            claimed: AtomicU64::default(),
            synced: AtomicU64::default(),
            failed: AtomicU64::default(),
            dead_lettered: AtomicU64::default(),
            throttled: AtomicU64::default(),
            panicked: AtomicU64::default(),
            leases_lost: AtomicU64::default(),
            errors: AtomicU64::default(),
            given_up: watch::Sender::new(false),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Tally {
    pub(super) fn claimed(&self, count: usize) {
        add(&self.claimed, count);
    }

    pub(super) fn synced(&self) {
        add(&self.synced, 1);
    }

    pub(super) fn failed(&self) {
        add(&self.failed, 1);
    }

    pub(super) fn dead_lettered(&self, count: usize) {
        add(&self.dead_lettered, count);
    }

    pub(super) fn throttled(&self) {
        add(&self.throttled, 1);
    }

    pub(super) fn panicked(&self) {
        add(&self.panicked, 1);
    }

    pub(super) fn lease_lost(&self) {
        add(&self.leases_lost, 1);
    }

    pub(super) fn errors(&self, count: usize) {
        add(&self.errors, count);
    }

    pub(super) fn counts(&self) -> WorkerCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkerCounts {
            claimed: read(&self.claimed),
            synced: read(&self.synced),
            failed: read(&self.failed),
            dead_lettered: read(&self.dead_lettered),
            throttled: read(&self.throttled),
            panicked: read(&self.panicked),
            leases_lost: read(&self.leases_lost),
            errors: read(&self.errors),
        }
    }

    /// The grace is over: handlers that run are not waited for.
    pub(super) fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// Ready once the grace is over.
    pub(super) async fn given_up(&self) {
        // The sender is here, so waiting does not fail.
        let _ = self.given_up.subscribe().wait_for(|over| *over).await;
    }
}
