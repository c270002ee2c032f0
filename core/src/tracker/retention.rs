//! Erasing records, and moving them.

use std::future::IntoFuture;
use std::time::Duration;

use super::{Call, Tracker};
use crate::change::{Guard, Refusal};
use crate::checkpoint::Checkpoints;
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::Event;
use crate::key::{Key, Source};
use crate::ledger::Removal;
use crate::page::{Filter, PageSize};
use crate::record::{HeldKind, SyncRecord};
use crate::rename::Renamed;
use crate::status::Status;
use crate::time::Timestamp;

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
        let tracker = self.clone();
        Purge { tracker, source, tombstones: None, dead_letters: None, recording: None }
    }

    /// Gives an entity another id or type: its records in all sources move along. What became of
    /// each, by source; nothing for sources that have none.
    ///
    /// Repeating it after an error moves what is left. Records that a worker holds, whose create is
    /// in doubt, or whose new key has a record already are refused; see
    /// [`SyncStore::rename`](crate::SyncStore::rename).
    ///
    /// # Errors
    ///
    /// As the store's [`rename`](crate::SyncStore::rename), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn rename(
        &self,
        from: impl IntoEntity,
        to: impl IntoEntity,
    ) -> Result<Vec<(Source, Renamed)>> {
        let (from, to) = (from.into_entity(), to.into_entity());
        let (from, to) = (from?, to?);
        let mut outcomes = Vec::new();
        for source in self.store.sources().await? {
            let keys = (from.in_source(&source), to.in_source(&source));
            match self.store.rename(&keys.0, &keys.1).await? {
                Renamed::Absent => {}
                outcome => {
                    self.tell_renamed(&keys.0, &keys.1, &outcome);
                    outcomes.push((source, outcome));
                }
            }
        }
        Ok(outcomes)
    }

    /// Gives a source another name: its records move along. The keys that could not be moved, and
    /// why; see [`SyncStore::rename`](crate::SyncStore::rename).
    ///
    /// Records come and go while it runs: stop the workers of the source, and repeat it until
    /// nothing is left. The old name may stay among the [sources](crate::SyncStore::sources).
    ///
    /// # Errors
    ///
    /// As the store's [`rename`](crate::SyncStore::rename), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn rename_source(
        &self,
        from: impl TryInto<Source, Error: Into<Error>>,
        to: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Vec<(Key, Refusal)>> {
        let (from, to) = (from.try_into().map_err(Into::into), to.try_into().map_err(Into::into));
        let (from, to) = (from?, to?);
        let filter = Filter { source: Some(from), ..Filter::default() };
        let (mut left, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.list(&filter, after.as_ref(), PageSize::MAX).await?;
            for record in page.records {
                let moved = record.key.entity.in_source(&to);
                let outcome = self.store.rename(&record.key, &moved).await?;
                self.tell_renamed(&record.key, &moved, &outcome);
                if let Renamed::Refused(refusal) = outcome {
                    left.push((record.key, refusal));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(left);
            }
        }
    }

    fn tell_renamed(&self, from: &Key, to: &Key, outcome: &Renamed) {
        if *outcome == Renamed::Moved {
            self.events.tell(|| Event::Renamed { from: from.clone(), to: to.clone() });
        }
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
    recording: Option<Checkpoints>,
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

    /// Records, before any tombstone is erased, up to when they are gone: the next run of a pull
    /// whose checkpoint is older reads everything. The checkpoints and the tracker have to be in
    /// stores with the same clock.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sync_tracker_core::{Checkpoints, Tracker};
    /// # use sync_tracker_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// let store = MemoryStore::new();
    /// let (tracker, checkpoints) = (Tracker::new(store.clone()), Checkpoints::new(store));
    /// tracker.purge("shopify").tombstones(30 * DAY).recording(&checkpoints).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn recording(self, checkpoints: &Checkpoints) -> Self {
        Self { recording: Some(checkpoints.clone()), ..self }
    }

    async fn run(self) -> Result<u64> {
        let Self { tracker, source, tombstones, dead_letters, recording } = self;
        let source = source?;
        let now = tracker.store.now().await?;
        let deleted_at = |record: &SyncRecord| record.deleted_at;
        let dead_since = |record: &SyncRecord| {
            record.held.filter(|held| held.kind == HeldKind::Dead).map(|held| held.since)
        };
        let mut erased = 0;
        if let Some(age) = tombstones {
            let horizon = now.minus(age.try_into()?);
            if let Some(checkpoints) = recording {
                checkpoints.store().raise_horizon(&source, horizon).await?;
            }
            erased += erase(&tracker, &source, Status::Deleted, horizon, deleted_at).await?;
        }
        if let Some(age) = dead_letters {
            let horizon = now.minus(age.try_into()?);
            erased += erase(&tracker, &source, Status::DeadLetter, horizon, dead_since).await?;
        }
        Ok(erased)
    }
}

/// Erases the records in a status that have been in it since before `horizon`.
async fn erase(
    tracker: &Tracker,
    source: &Source,
    status: Status,
    horizon: Timestamp,
    since: impl Fn(&SyncRecord) -> Option<Timestamp>,
) -> Result<u64> {
    let filter = Filter { source: Some(source.clone()), status: Some(status), ..Filter::default() };
    let (mut erased, mut after) = (0, None);
    loop {
        let page = tracker.store.list(&filter, after.as_ref(), PageSize::MAX).await?;
        for record in page.records {
            if since(&record).is_some_and(|since| since < horizon) {
                let guard = Guard::unwritten_since(&record);
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
