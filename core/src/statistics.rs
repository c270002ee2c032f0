//! How a source is doing, in numbers.

use crate::counts::Counts;
use crate::record::SyncRecord;
use crate::status::Status;
use crate::time::Timestamp;

/// How one source is doing at an instant of the store's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The store's time.
    pub now: Timestamp,
    /// How many records there are, by entity type and status.
    pub counts: Counts,
    /// How many may be claimed, were the source not paused.
    pub due_now: u64,
    /// When the next record becomes due that is not due yet.
    pub next_due: Option<Timestamp>,
    /// Since when the oldest pending record waits.
    pub oldest_pending: Option<Timestamp>,
}

impl Statistics {
    /// Of no records.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now, counts: Counts::default(), due_now: 0, next_due: None, oldest_pending: None }
    }

    /// Counts one record more.
    pub fn add(&mut self, record: &SyncRecord) {
        self.counts.add(record);
        match record.due_at() {
            Some(due) if due <= self.now => self.due_now += 1,
            Some(due) => self.next_due = earlier(self.next_due, due),
            None => {}
        }
        if record.status() == Status::Pending
            && let Some(since) = record.pending_since
        {
            self.oldest_pending = earlier(self.oldest_pending, since);
        }
    }
}

fn earlier(one: Option<Timestamp>, other: Timestamp) -> Option<Timestamp> {
    Some(one.map_or(other, |one| one.min(other)))
}
