//! What is measured, and on which records.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::population::Population;

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Operation {
    /// Read records by their keys.
    Get,
    /// Find records by their external ids.
    ByExternalId,
    /// Begin to track entities, in a source of their own.
    Create,
    /// Note local changes of records that are synced.
    Update,
    /// Mark records as synced that were changed, naming their external ids.
    MarkSynced,
    /// Claim what is due. Giving it back does not count.
    Claim,
    /// Read the first page of what is due.
    NeedsSync,
    /// Count all records by status.
    Statistics,
}

impl Operation {
    /// All of them, reads first.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::ByExternalId,
        Self::NeedsSync,
        Self::Statistics,
        Self::Claim,
        Self::Create,
        Self::Update,
        Self::MarkSynced,
    ];
}

/// An operation, on how many records at once, by how many callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What is done.
    pub operation: Operation,
    /// How many records one call concerns; 1 is the call for single ones.
    pub batch: usize,
    /// How many callers do it at the same time.
    pub callers: usize,
}

/// The name and the batch. The callers are told apart.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.operation {
            Operation::Get => "get",
            Operation::ByExternalId => "by external id",
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::MarkSynced => "mark synced",
            Operation::Claim => "claim",
            Operation::NeedsSync => "needs sync",
            Operation::Statistics => "statistics",
        };
        match self.batch {
            1 => f.write_str(name),
            batch => write!(f, "{name}, {batch} a call"),
        }
    }
}

/// How many records a claim and a page of what is due have.
pub const PAGE: usize = 100;

/// Every workload that a store is compared at: single calls by so many callers, pages, and batches.
#[must_use]
pub fn workloads(callers: &[usize], batch: usize, claimers: usize) -> Vec<Workload> {
    use Operation::{ByExternalId, Claim, Create, Get, MarkSynced, Update};
    let single = callers.iter().flat_map(|callers| {
        [Get, ByExternalId, Create, Update, MarkSynced].map(|operation| Workload {
            operation,
            batch: 1,
            callers: *callers,
        })
    });
    let batches = [Get, ByExternalId, Create, Update, MarkSynced].map(|operation| Workload {
        operation,
        batch,
        callers: 1,
    });
    let claims = [1, claimers].map(|callers| Workload { operation: Claim, batch: PAGE, callers });
    single.chain(claims).chain(of_one_source()).chain(batches).collect()
}

/// The workloads that an index must keep from growing with the number of records.
#[must_use]
pub fn growing() -> Vec<Workload> {
    let lookups = [Operation::Get, Operation::ByExternalId].map(|operation| Workload {
        operation,
        batch: 1,
        callers: 1,
    });
    let claim = Workload { operation: Operation::Claim, batch: PAGE, callers: 1 };
    lookups.into_iter().chain([claim]).chain(of_one_source()).collect()
}

fn of_one_source() -> [Workload; 2] {
    [
        Workload { operation: Operation::NeedsSync, batch: PAGE, callers: 1 },
        Workload { operation: Operation::Statistics, batch: 1, callers: 1 },
    ]
}

/// Deals out the numbers of the records that calls are about, scattered over a population.
#[derive(Debug)]
pub struct Numbers {
    population: Population,
    created: AtomicUsize,
    read: AtomicUsize,
    updated: AtomicUsize,
    /// What was updated and not marked as synced since.
    dirty: Mutex<VecDeque<usize>>,
}

impl Numbers {
    /// Of a population that nothing was done to yet.
    #[must_use]
    pub fn new(population: Population) -> Self {
        let [created, read, updated] = [const { AtomicUsize::new(0) }; 3];
        Self { population, created, read, updated, dirty: Mutex::default() }
    }

    /// The next records for a workload; `None` if there are not enough, which is so only of those
    /// to mark as synced.
    #[must_use]
    pub fn next(&self, workload: Workload) -> Option<Vec<usize>> {
        let count = workload.batch;
        match workload.operation {
            Operation::Claim | Operation::NeedsSync | Operation::Statistics => Some(Vec::new()),
            Operation::Create => {
                let first = self.created.fetch_add(count, Ordering::Relaxed);
                Some((first..first + count).collect())
            }
            Operation::Get | Operation::ByExternalId => Some(self.walk(&self.read, count)),
            Operation::Update => {
                let numbers = self.walk(&self.updated, count);
                self.dirty.lock().unwrap_or_else(PoisonError::into_inner).extend(&numbers);
                Some(numbers)
            }
            Operation::MarkSynced => {
                let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
                (dirty.len() >= count).then(|| dirty.drain(..count).collect())
            }
        }
    }

    /// How many records wait to be marked as synced.
    #[must_use]
    pub fn dirty(&self) -> usize {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn walk(&self, at: &AtomicUsize, count: usize) -> Vec<usize> {
        let first = at.fetch_add(count, Ordering::Relaxed);
        (first..first + count).map(|step| self.population.not_due(step)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Numbers {
        Numbers::new(Population::new(1_000, 1).unwrap())
    }

    fn of(operation: Operation, batch: usize) -> Workload {
        Workload { operation, batch, callers: 1 }
    }

    #[test]
    fn what_was_updated_is_marked_as_synced_once() {
        let numbers = numbers();
        assert_eq!(numbers.next(of(Operation::MarkSynced, 1)), None);
        let updated = numbers.next(of(Operation::Update, 3));
        assert_eq!(numbers.next(of(Operation::MarkSynced, 4)), None);
        assert_eq!(numbers.next(of(Operation::MarkSynced, 3)), updated);
        assert_eq!(numbers.next(of(Operation::MarkSynced, 1)), None);
    }

    #[test]
    fn every_number_is_new_to_a_creation() {
        let numbers = numbers();
        assert_eq!(numbers.next(of(Operation::Create, 2)), Some(vec![0, 1]));
        assert_eq!(numbers.next(of(Operation::Create, 1)), Some(vec![2]));
    }
}
