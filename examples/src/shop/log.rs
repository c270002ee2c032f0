//! What a shop has done, in its own words.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::FaultCounts;

/// A snapshot of everything a shop has accepted and of the faults it has made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShopLog {
    entries: Vec<Accepted>,
    pub(super) requests: u64,
    pub(super) faults: FaultCounts,
}

/// A change that was done, whether or not the client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its number: 1, 2, 3, … over all changes of the shop.
    pub seq: u64,
    /// What was done.
    pub kind: Kind,
    /// The product's id in the shop.
    pub id: String,
    /// The product's handle after the change; for a deletion, before it.
    pub handle: String,
    /// Whether the answer was sent: false while it is due, and for ever if the reply was lost or
    /// the client had hung up. A client that hangs up at that very moment may still miss it. Of a
    /// change from before the shop was opened again it is not known, and false.
    pub delivered: bool,
}

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A product was made.
    Create,
    /// A product was replaced.
    Update,
    /// A product was removed.
    Delete,
}

impl ShopLog {
    /// All changes, in order.
    #[must_use]
    pub fn entries(&self) -> &[Accepted] {
        &self.entries
    }

    /// The changes after the one numbered `seq`; all of them after 0.
    #[must_use]
    pub fn since(&self, seq: u64) -> &[Accepted] {
        &self.entries[self.entries.partition_point(|entry| entry.seq <= seq)..]
    }

    /// The number of the latest change, 0 if there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.seq)
    }

    /// How many products were made.
    #[must_use]
    pub fn creates(&self) -> usize {
        self.count(Kind::Create)
    }

    /// How many times a product was replaced.
    #[must_use]
    pub fn updates(&self) -> usize {
        self.count(Kind::Update)
    }

    /// How many products were removed.
    #[must_use]
    pub fn deletes(&self) -> usize {
        self.count(Kind::Delete)
    }

    /// How many products were made whose handle had been made before, even if the earlier one is
    /// gone by now.
    #[must_use]
    pub fn duplicates(&self) -> usize {
        let creates = self.entries.iter().filter(|entry| entry.kind == Kind::Create);
        self.creates() - creates.map(|entry| &entry.handle).collect::<HashSet<_>>().len()
    }

    /// How many requests came in, answered or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The faults so far.
    #[must_use]
    pub fn faults(&self) -> FaultCounts {
        self.faults
    }

    fn count(&self, kind: Kind) -> usize {
        self.entries.iter().filter(|entry| entry.kind == kind).count()
    }

    /// Adds a change and gives its number.
    pub(super) fn accept(&mut self, kind: Kind, id: &str, handle: &str) -> u64 {
        let seq = self.last_seq() + 1;
        let (id, handle) = (id.to_owned(), handle.to_owned());
        self.entries.push(Accepted { seq, kind, id, handle, delivered: false });
        seq
    }

    /// Notes that the answer to a change was sent.
    pub(super) fn delivered(&mut self, seq: u64) {
        if let Ok(at) = self.entries.binary_search_by_key(&seq, |entry| entry.seq) {
            self.entries[at].delivered = true;
        }
    }
}
