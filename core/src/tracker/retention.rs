//! Erasing records.

use std::future::IntoFuture;
use std::time::Duration;

use super::{Call, Tracker};
use crate::change::Guard;
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::Event;
use crate::key::Source;
use crate::ledger::Removal;
use crate::page::{Filter, PageSize};
use crate::record::{HeldKind, SyncRecord};
use crate::status::Status;
use crate::time::{Millis, Timestamp};

impl Tracker {
    /// Erases an entity: its records in all sources, whatever state they are in. How many there
    /// were.
    ///
    /// Repeating it after an error erases what is left. Leases that run are lost to their holders.
    ///
    /// # Errors
    ///
    /// As the store's [`remove`](crate::SyncStore::remove), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn forget(&self, entity: impl IntoEntity) -> Result<u64> {
        let entity = entity.into_entity();
        let mut erased = 0;
        for record in self.store.records_of(&entity?).await? {
            erased += u64::from(self.remove(record, Guard::default()).await?);
        }
        Ok(erased)
    }

    /// Erases old records of the source that are of no use any more.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sync_tracker_core::Tracker;
    /// # use sync_tracker_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::new(MemoryStore::new());
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// let erased = tracker.purge("shopify").tombstones(30 * DAY).dead_letters(90 * DAY).await?;
    /// assert_eq!(erased, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn purge(&self, source: impl TryInto<Source, Error: Into<Error>>) -> Purge {
        let source = source.try_into().map_err(Into::into);
        Purge { tracker: self.clone(), source, tombstones: None, dead_letters: None }
    }

    /// Removes a record if the guard still holds. Whether it did.
    async fn remove(&self, record: SyncRecord, guard: Guard) -> Result<bool> {
        let removed = self.store.remove(&record.key, &guard).await? == Removal::Removed;
        if removed {
            self.events.tell(|| Event::Removed(record.key));
        }
        Ok(removed)
    }
}

/// A purge to be made: by default of nothing. How many records it erased is the answer.
///
/// Ages are by the store's clock. A record that changes meanwhile is kept. Once a tombstone is
/// gone, its external ids lead nowhere, and a late event about it finds an untracked entity; so
/// keep tombstones for longer than the remote may take to deliver.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct Purge {
    tracker: Tracker,
    source: Result<Source>,
    tombstones: Option<Duration>,
    dead_letters: Option<Duration>,
}

impl Purge {
    /// Erases entities that were deleted longer ago than this, and whose deletion is in the remote
    /// or was never needed there.
    pub fn tombstones(self, older_than: Duration) -> Self {
        Self { tombstones: Some(older_than), ..self }
    }

    /// Erases dead letters that have been so for longer than this.
    pub fn dead_letters(self, older_than: Duration) -> Self {
        Self { dead_letters: Some(older_than), ..self }
    }

    async fn run(self) -> Result<u64> {
        let Self { tracker, source, tombstones, dead_letters } = self;
        let source = source?;
        let deleted_at = |record: &SyncRecord| record.deleted_at;
        let dead_since = |record: &SyncRecord| {
            record.held.filter(|held| held.kind == HeldKind::Dead).map(|held| held.since)
        };
        let mut erased = 0;
        if let Some(age) = tombstones {
            erased += erase(&tracker, &source, Status::Deleted, age, deleted_at).await?;
        }
        if let Some(age) = dead_letters {
            erased += erase(&tracker, &source, Status::DeadLetter, age, dead_since).await?;
        }
        Ok(erased)
    }
}

/// Erases the records in a status that have been in it for longer than `age`.
async fn erase(
    tracker: &Tracker,
    source: &Source,
    status: Status,
    age: Duration,
    since: impl Fn(&SyncRecord) -> Option<Timestamp>,
) -> Result<u64> {
    let age = Millis::try_from(age)?;
    let now = tracker.store.now().await?;
    let filter = Filter { source: Some(source.clone()), status: Some(status), ..Filter::default() };
    let (mut erased, mut after) = (0, None);
    loop {
        let page = tracker.store.list(&filter, after.as_ref(), PageSize::MAX).await?;
        for record in page.records {
            if since(&record).is_some_and(|since| since.plus(age) < now) {
                let guard = Guard { version: Some(record.version), ..Guard::default() };
                erased += u64::from(tracker.remove(record, guard).await?);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(erased);
        }
    }
}

impl IntoFuture for Purge {
    type Output = Result<u64>;
    type IntoFuture = Call<'static, u64>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
