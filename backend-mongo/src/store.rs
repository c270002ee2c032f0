//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::error::Error as DriverError;
use mongodb::options::WriteConcern;
use mongodb::{Client, Collection, Database};
use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Cursor, Discrepancy, Durability, EntityRef, EntityType, Error,
    ExternalId, Filter, Guard, Imported, Key, Outcome, Page, PageSize, Pause, PauseRequest,
    Removal, Renamed, Result, Source, Statistics, StoreClock, SyncRecord, SyncStore, Timestamp,
};
use tokio::sync::Semaphore;

use crate::error::{Effect, STORE, unexpected};
use crate::list::{by_source, of_entity};
use crate::server::{self, Failed, SentAgain};

/// A store in a MongoDB replica set. Clones share its connections.
///
/// A record is a document, and a change of it is one `findAndModify` on the primary, acknowledged
/// by the majority of servers with their journals.
///
/// Of a call that is dropped, the server carries out what it was sent.
#[derive(Clone)]
pub struct MongoStore {
    pub(crate) client: Client,
    pub(crate) database: Database,
    pub(crate) records: Collection<RawDocumentBuf>,
    pub(crate) inbox: Collection<Document>,
    pub(crate) checkpoints: Collection<Document>,
    pub(crate) pauses: Collection<Document>,
    pub(crate) deadline: Duration,
    pub(crate) write_concern: WriteConcern,
    pub(crate) clock: StoreClock,
    pub(crate) sent_again: SentAgain,
    /// As many as there are connections.
    pub(crate) turns: Arc<Semaphore>,
}

/// Names what was asked in an error.
pub(crate) fn named(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.in_operation(operation).in_store(STORE)
}

impl MongoStore {
    /// The client that the store works with. A transaction of the application's that changes
    /// records needs a session of this very client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        effect: Effect,
        command: impl Future<Output = Result<T, DriverError>> + Send + 'static,
    ) -> Result<T, Failed> {
        let answer = server::run(&self.turns, self.deadline, effect, command).await;
        answer.map_err(|failed| failed.after(self.sent_again, effect))
    }

    pub(crate) async fn server_time(&self) -> Result<Timestamp> {
        if let Some(now) = self.clock.explicit_now() {
            return Ok(now);
        }
        let database = self.client.database("admin");
        let hello = async move { database.run_command(doc! { "hello": 1 }).await };
        let answer = self.run(Effect::None, hello).await;
        let answer = answer.map_err(|failed| failed.into_error(Effect::None))?;
        let now = answer.get_datetime("localTime").map_err(|_| unexpected())?;
        Timestamp::from_millis(now.timestamp_millis())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SyncStore for MongoStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        let applied = self.apply_one(key, change).await;
        applied.map_err(|error| named("apply")(error).for_key(key))
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        let found = self.read_many(std::slice::from_ref(key)).await;
        let found = found.map_err(|error| named("get")(error).for_key(key))?;
        Ok(found.into_iter().next().flatten())
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
        self.page(filter, after, size).await.map_err(named("list"))
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        let stored = self.import(record).await;
        stored.map_err(|error| named("put")(error).for_key(&record.key))
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        let removed = self.remove_if(key, guard).await;
        removed.map_err(|error| named("remove")(error).for_key(key))
    }

    async fn apply_many(&self, items: &[(Key, Change)]) -> Vec<Result<Outcome>> {
        self.apply_batch(items).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        self.read_many(keys).await.map_err(named("get many"))
    }

    async fn by_external_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        self.find_by_ids(source, entity_type, ids).await.map_err(named("by external id"))
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed> {
        self.claim_due(request).await.map_err(named("claim"))
    }

    async fn pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        self.begin_pause(source, request).await.map_err(named("pause"))
    }

    async fn resume(&self, source: &Source) -> Result<()> {
        self.end_pause(source).await.map_err(named("resume"))
    }

    async fn paused(&self, source: &Source) -> Result<Option<Pause>> {
        self.lasting_pause(source).await.map_err(named("paused"))
    }

    async fn now(&self) -> Result<Timestamp> {
        self.server_time().await.map_err(named("now"))
    }

    async fn statistics(&self, source: &Source) -> Result<Statistics> {
        self.count(source).await.map_err(named("statistics"))
    }

    async fn rename(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let moved = self.move_record(from, to).await;
        moved.map_err(|error| named("rename")(error).for_key(from))
    }

    async fn sources(&self) -> Result<Vec<Source>> {
        self.distinct_sources().await.map_err(named("sources"))
    }

    async fn records_of(&self, entity: &EntityRef) -> Result<Vec<SyncRecord>> {
        let found = self.find(of_entity(entity), by_source(), None).await;
        found.map_err(named("records of"))
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>> {
        // The server's own indexes are all there are.
        sync_tracker_core::verify(self).await
    }

    async fn durability(&self) -> Result<Durability> {
        self.survival().await.map_err(named("durability"))
    }
}

/// Without what the client knows of its user.
impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, deadline, write_concern, clock, .. } = self;
        f.debug_struct("MongoStore")
            .field("records", &records.namespace().to_string())
            .field("deadline", deadline)
            .field("write_concern", write_concern)
            .field("clock", clock)
            .finish()
    }
}
