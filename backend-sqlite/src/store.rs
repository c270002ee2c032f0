//! The store: the trait, by its writer and its readers.

use async_trait::async_trait;
use sqlx::SqlitePool;
use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, Discrepancy, Durability, EntityRef, EntityType,
    ExternalId, Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause, PauseRequest,
    Removal, Renamed, Result, Source, Statistics, StoreClock, Survival, SyncRecord, SyncStore,
    Timestamp,
};

use crate::config::{AllConnections, SqliteOptions};
use crate::connections::Lent;
use crate::error::before_commit;
use crate::migrations::pragma;
use crate::writer::Writer;
use crate::writes::{Apply, ApplyMany, Claim, Put, Remove, Rename, SetPause};
use crate::{claim, list, records};

/// A store in a SQLite file or in memory, with an inbox and checkpoints besides the records. Clones
/// share all of them.
///
/// Every call that writes is one step of one short transaction, and is on disk when it is answered.
/// Calls that wait at the same time share a transaction, so many callers wait for the disk once.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pub(crate) writer: Writer,
    connections: AllConnections,
    clock: StoreClock,
}

impl SqliteStore {
    /// Opens the store that a URL names, such as `sqlite:shop.db` or `sqlite::memory:`, with what
    /// [`SqliteOptions`] has by default.
    ///
    /// ```
    /// use sync_tracker_core::{EntityRef, Tracker};
    /// use sync_tracker_sqlite::SqliteStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sync_tracker_core::Error> {
    /// let tracker = Tracker::new(SqliteStore::open("sqlite::memory:").await?);
    /// let customer = EntityRef::new("customer", 1)?;
    /// let _ = tracker.mark_synced(&customer, "crm").await?;
    /// assert!(tracker.is_synced(&customer, "crm").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`SqliteOptions::from_url`] and [`SqliteOptions::open`].
    pub async fn open(url: &str) -> Result<Self> {
        SqliteOptions::from_url(url)?.open().await
    }

    pub(crate) fn new(writer: Writer, connections: AllConnections, clock: StoreClock) -> Self {
        Self { writer, connections, clock }
    }

    /// Connections for statements of your own that join the view `sync_state`, opened when they are
    /// used.
    ///
    /// They are for reading only: write with connections of your own. A store in memory has no other
    /// connection than this one, so there it serves for everything.
    #[must_use]
    pub fn reading(&self) -> &SqlitePool {
        &self.connections.pool
    }

    /// Closes every connection, once those who use them are done. SQLite then moves what it has
    /// written beside the file into it. Calls of this store or its clones are
    /// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable) afterwards.
    ///
    /// A store that is dropped instead loses nothing; the next to open the file finds it as it was.
    pub async fn close(&self) {
        let AllConnections { writing, reading, pool, in_memory: _ } = &self.connections;
        pool.close().await;
        reading.close().await;
        writing.close().await;
    }

    pub(crate) fn time(&self) -> Timestamp {
        self.clock.explicit_now().unwrap_or_else(Timestamp::now)
    }

    pub(crate) async fn reader(&self) -> Result<Lent> {
        self.connections.reading.lend().await.map_err(before_commit)
    }
}

/// How many changes of a batch share a transaction, so that others get their turn in between.
const BATCH: usize = 1_000;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SyncStore for SqliteStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        self.writer.write(Apply { key: key.clone(), change: change.clone() }).await
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        let mut reader = self.reader().await?;
        let read = records::get(&mut reader, key).await;
        reader.with(read)
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        let found = self.by_external_ids(source, entity_type, std::slice::from_ref(id)).await?;
        Ok(found.into_iter().next().flatten())
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        let now = self.time();
        let mut reader = self.reader().await?;
        let read = list::list(&mut reader, filter, after, size, now).await;
        reader.with(read)
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        record.validate()?;
        self.writer.write(Put(record.clone())).await
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        self.writer.write(Remove { key: key.clone(), guard: guard.clone() }).await
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        self.writer.write(Rename { from: from.clone(), to: to.clone() }).await
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        let mut outcomes = Vec::with_capacity(items.len());
        for items in items.chunks(BATCH) {
            match self.writer.write(ApplyMany(items.to_vec())).await {
                Ok(of_items) => outcomes.extend(of_items.into_iter().map(Ok)),
                // Something is wrong with an item, or with everything: each finds out by itself.
                Err(_) => {
                    for (key, change) in items {
                        outcomes.push(self.apply(key, change).await);
                    }
                }
            }
        }
        outcomes
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        let mut reader = self.reader().await?;
        let read = records::get_many(&mut reader, keys).await;
        reader.with(read)
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        self.writer.write(Claim(request.clone())).await
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut reader = self.reader().await?;
        let read = records::by_external_ids(&mut reader, source, entity_type, ids).await;
        reader.with(read)
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        let pause = Some(request.clone());
        self.writer.write(SetPause { source: source.clone(), pause }).await
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        self.writer.write(SetPause { source: source.clone(), pause: None }).await
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        let now = self.time();
        let mut reader = self.reader().await?;
        let read = claim::paused(&mut reader, source, now).await;
        reader.with(read)
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.time())
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        let now = self.time();
        let mut reader = self.reader().await?;
        let read = claim::statistics(&mut reader, source, now).await;
        reader.with(read)
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        let mut reader = self.reader().await?;
        let read = list::sources(&mut reader).await;
        reader.with(read)
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        let mut reader = self.reader().await?;
        let read = list::records_of(&mut reader, entity).await;
        reader.with(read)
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        sync_tracker_core::verify(self).await
    }

    async fn durability(&self) -> Result<Durability> {
        let lost = Survival::MayBeLost;
        if self.connections.in_memory {
            return Ok(Durability { process_crash: lost, power_loss: lost, failover: lost });
        }
        // All connections are opened with the same settings.
        let mut reader = self.reader().await?;
        let synchronous: Result<i64> = pragma(&mut reader, "synchronous").await;
        let journal: Result<String> = pragma(&mut reader, "journal_mode").await;
        let (synchronous, journal) = (synchronous?, reader.with(journal)?);
        // 2 is FULL, 3 is EXTRA.
        let waits = synchronous >= 2 && journal == "wal";
        let power_loss = if waits { Survival::Kept } else { lost };
        Ok(Durability { process_crash: Survival::Kept, power_loss, failover: lost })
    }
}
