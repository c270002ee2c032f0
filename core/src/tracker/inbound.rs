//! How many observations had which verdict.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Observed, Tracker};
use crate::observation::Verdict;

/// How many observations by a tracker and its clones had which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboundCounts {
    /// News to be taken over: changes, deletions, objects that reappeared.
    pub news: u64,
    /// Both sides agreed already.
    pub same: u64,
    /// Older than what was known.
    pub stale: u64,
    /// Own pushes that came back.
    pub echoes: u64,
    /// News while an own push was expected back. Many of them mean that the remote changes what it is
    /// sent, so that echoes are taken for edits.
    pub near_misses: u64,
    /// No telling without reading the object.
    pub unordered: u64,
    /// Conflicts, opened or still open.
    pub conflicts: u64,
    /// Ids that were merged into another one.
    pub merged: u64,
    /// Ids that no record has.
    pub untracked: u64,
}

#[derive(Debug, Default)]
pub(super) struct Inbound {
    news: AtomicU64,
    same: AtomicU64,
    stale: AtomicU64,
    echoes: AtomicU64,
    near_misses: AtomicU64,
    unordered: AtomicU64,
    conflicts: AtomicU64,
    merged: AtomicU64,
    untracked: AtomicU64,
}

impl Inbound {
    pub(super) fn add(&self, observed: &Observed) {
        let count = match observed.verdict {
            Verdict::Newer | Verdict::Deleted | Verdict::Reappeared => &self.news,
            Verdict::Same => &self.same,
            Verdict::Stale => &self.stale,
            Verdict::Echo => &self.echoes,
            Verdict::Unordered => &self.unordered,
            Verdict::Conflict(_) => &self.conflicts,
            Verdict::Merged => &self.merged,
            Verdict::Untracked => &self.untracked,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.near_misses.fetch_add(u64::from(observed.near_miss), Ordering::Relaxed);
    }
}

impl Tracker {
    /// How many observations this tracker and its clones made, by what they meant.
    #[must_use]
    pub fn inbound_counts(&self) -> InboundCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        InboundCounts {
            news: read(&self.inbound.news),
            same: read(&self.inbound.same),
            stale: read(&self.inbound.stale),
            echoes: read(&self.inbound.echoes),
            near_misses: read(&self.inbound.near_misses),
            unordered: read(&self.inbound.unordered),
            conflicts: read(&self.inbound.conflicts),
            merged: read(&self.inbound.merged),
            untracked: read(&self.inbound.untracked),
        }
    }
}
