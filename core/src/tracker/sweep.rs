//! Sweeps: what a full listing of a source does not show was deleted there.

use serde::{Deserialize, Serialize};

use super::Tracker;
use crate::change::Change;
use crate::error::{Error, Result};
use crate::events::Transition;
use crate::key::{EntityType, ExternalId, Key, Source};
use crate::page::{Filter, PageSize};
use crate::record::SyncRecord;
use crate::rules;
use crate::time::Timestamp;

/// A sweep under way: of the entities of one type in one source.
///
/// It is three values, which an application can keep as JSON beside its position in the listing; so
/// a sweep goes on after a crash, in another process too. What was seen is in the records.
///
/// ```
/// # use sync_tracker_core::{EntityRef, Swept, Tracker};
/// # use sync_tracker_memory::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = Tracker::new(MemoryStore::new());
/// # for id in ["a", "b"] {
/// #     let product = EntityRef::new("product", id)?;
/// #     tracker.mark_synced(&product, "shopify").external_id(format!("P-{id}")).await?;
/// # }
/// # tokio::time::sleep(std::time::Duration::from_millis(2)).await;
/// let sweep = tracker.begin_sweep("shopify", "product").await?;
/// // … for each page of the full listing …
/// tracker.saw(&sweep, ["P-a"]).await?;
/// // … and only if there was a last page:
/// let Swept::Done(report) = tracker.finish_sweep(&sweep, Default::default()).await? else {
///     return Err("too much is missing to believe it".into());
/// };
/// assert_eq!(report.missing[0].key.entity.entity_id.as_str(), "b");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The source.
    pub source: Source,
    /// The type of the entities.
    pub entity_type: EntityType,
    /// When it began, by the store's clock. What is seen from then on, by whatever way, is there.
    pub began_at: Timestamp,
}

/// How much may be missing before a sweep is not believed: it is refused if **both** are exceeded.
///
/// By default 10 % and 10 records. A sweep that saw nothing at all is refused in any case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plausible {
    /// The largest share that may be missing, from 0 to 1.
    pub share: f64,
    /// How many may be missing whatever their share.
    pub records: u64,
}

impl Default for Plausible {
    fn default() -> Self {
        Self { share: 0.1, records: 10 }
    }
}

impl Plausible {
    #[allow(clippy::cast_precision_loss)] // a share of more than 2^52 records is near enough
    fn allows(&self, missing: u64, seen: u64) -> bool {
        let share = missing as f64 / (missing + seen) as f64;
        missing == 0 || (seen > 0 && (missing <= self.records || share <= self.share))
    }
}

/// What became of a sweep that was to be finished.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a sweep that is not believed marked nothing"]
pub enum Swept {
    /// What was not seen is marked.
    Done(SweepReport),
    /// Too much is missing, so nothing is marked. The listing was probably not complete.
    Implausible {
        /// How many were seen.
        seen: u64,
        /// How many were not.
        missing: u64,
    },
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// How many were seen.
    pub seen: u64,
    /// The records that were not, ordered by key, as they stand now: *remote deleted at* is set. Those
    /// with local changes have a conflict; the others are as if a deletion had been observed, and wait
    /// to be [accepted](Tracker::accept_missing), best after a look at each.
    pub missing: Vec<SyncRecord>,
}

impl Tracker {
    /// Begins a sweep: a full listing of the objects of one type in a source, after which what was
    /// not seen counts as deleted there.
    ///
    /// # Errors
    ///
    /// As the store's [`now`](crate::SyncStore::now), or [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn begin_sweep(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        entity_type: impl TryInto<EntityType, Error: Into<Error>>,
    ) -> Result<Sweep> {
        let source = source.try_into().map_err(Into::into);
        let entity_type = entity_type.try_into().map_err(Into::into);
        let (source, entity_type) = (source?, entity_type?);
        Ok(Sweep { source, entity_type, began_at: self.store.now().await? })
    }

    /// The listing showed these objects. How many of them have a record.
    ///
    /// Whatever else shows that an object is there, such as an event or a push, counts as well.
    ///
    /// # Errors
    ///
    /// As the store's [`apply_many`](crate::SyncStore::apply_many), or
    /// [`Invalid`](crate::ErrorKind::Invalid). Repeat it then: what was not noted would be missed.
    pub async fn saw<X: TryInto<ExternalId, Error: Into<Error>>>(
        &self,
        sweep: &Sweep,
        external_ids: impl IntoIterator<Item = X>,
    ) -> Result<u64> {
        let ids = external_ids.into_iter().map(|id| id.try_into().map_err(Into::into));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let Sweep { source, entity_type, began_at } = sweep;
        let found = self.store.by_external_ids(source, entity_type, &ids).await?;
        let found: Vec<_> = found.into_iter().flatten().collect();
        let unseen = found.iter().filter(|record| !was_seen(record, *began_at));
        let items: Vec<(Key, Change)> =
            unseen.map(|record| (record.key.clone(), rules::sighted())).collect();
        for outcome in self.store.apply_many(&items).await {
            let _ = outcome?;
        }
        Ok(found.len().try_into().unwrap_or(u64::MAX))
    }

    /// Ends a sweep whose listing was **complete**: marks what was not seen since it began, unless
    /// that is more than is plausible. Records that were made since are left alone, and so is what
    /// changes meanwhile.
    ///
    /// A sweep whose listing broke off is not finished: drop it, and nothing has happened. Repeating
    /// this, after an error too, comes to the same.
    ///
    /// # Errors
    ///
    /// As the store's [`apply`](crate::SyncStore::apply); some may be marked then. Or
    /// [`Invalid`](crate::ErrorKind::Invalid), if the plausible share is not from 0 to 1.
    pub async fn finish_sweep(&self, sweep: &Sweep, plausible: Plausible) -> Result<Swept> {
        if !(0.0..=1.0).contains(&plausible.share) {
            let problem = format!("is {}", plausible.share);
            return Err(Error::invalid("plausible share", problem, "0 to 1"));
        }
        let (mut seen, mut missing) = (0, 0);
        self.each_swept(sweep, |record| match was_seen(record, sweep.began_at) {
            true => seen += 1,
            false => missing += 1,
        })
        .await?;
        if !plausible.allows(missing, seen) {
            return Ok(Swept::Implausible { seen, missing });
        }
        let mut unseen = Vec::new();
        self.each_swept(sweep, |record| {
            if !was_seen(record, sweep.began_at) {
                unseen.push(record.clone());
            }
        })
        .await?;
        let mut report = SweepReport { seen, missing: Vec::with_capacity(unseen.len()) };
        for record in unseen {
            let change = rules::missed(&record);
            let event = match (record.remote_deleted_at, record.is_dirty()) {
                (Some(_), _) => None,
                (None, true) => Some(Transition::ConflictOpened),
                (None, false) => Some(Transition::RemoteDeleted),
            };
            if let Ok(applied) = self.apply(&record.key, &change, event).await?.into_result() {
                report.missing.push(applied.record);
            }
        }
        Ok(Swept::Done(report))
    }

    /// Calls for each record that the listing should show.
    async fn each_swept(&self, sweep: &Sweep, mut each: impl FnMut(&SyncRecord)) -> Result<()> {
        let filter = Filter {
            source: Some(sweep.source.clone()),
            entity_type: Some(sweep.entity_type.clone()),
            ..Filter::default()
        };
        let mut after = None;
        loop {
            let page = self.store.list(&filter, after.as_ref(), PageSize::MAX).await?;
            page.records.iter().filter(|record| is_expected(record, sweep)).for_each(&mut each);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// Whether the listing should show the object of the record.
fn is_expected(record: &SyncRecord, sweep: &Sweep) -> bool {
    record.external_id.is_some() && !record.is_deleted() && record.created_at < sweep.began_at
}

fn was_seen(record: &SyncRecord, since: Timestamp) -> bool {
    record.sighted_at.is_some_and(|sighted| sighted >= since)
}
