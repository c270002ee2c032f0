//! Changes in a transaction of the caller.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use sync_tracker_core::{
    AliasesOp, Change, ChangeId, EntityRef, EntityType, ExternalId, ExternalIdOp, Key, Outcome,
    Result, Source, SyncRecord, TransactionalStore,
};

use crate::answer::{self, with_time};
use crate::apply::holders_among;
use crate::compose::{Composed, Write, compose};
use crate::error::in_transaction;
use crate::list::{by_source, carriers, of_entity};
use crate::rename::Stopped;
use crate::store::{MongoStore, named};
use crate::value;

/// A transaction is a session of [the store's client](MongoStore::client) on which a transaction was
/// started. Without one, what a call does is done at once.
///
/// ```no_run
/// # use mongodb::{bson::doc, Client};
/// # use sync_tracker_core::{EntityRef, Tracker};
/// # use sync_tracker_mongo::MongoOptions;
/// # async fn place(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let options = MongoOptions::from_url("mongodb://db.example/shop?replicaSet=rs0").await?;
/// let store = options.open_on(client.clone()).await?;
/// let tracker = Tracker::new(store.clone()).with_sources("order", ["erp"])?;
///
/// let mut session = client.start_session().await?;
/// session.start_transaction().await?;
/// let orders = client.database("shop").collection("orders");
/// orders.insert_one(doc! { "_id": 7 }).session(&mut session).await?;
/// let told = tracker.created(EntityRef::new("order", 7)?).within(&store, &mut session).await?;
/// session.commit_transaction().await?;
/// told.publish();
/// # Ok(())
/// # }
/// ```
///
/// MongoDB does not let a transaction wait for another one: of two that change one record, or that
/// bring one external id, the later one is
/// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable) at once, and so is one that changes
/// what was changed since it began. It is over then: abort it, and begin it anew. Calls outside of
/// transactions wait for it. Its write concern is the one that it was started with.
///
/// A taken external id is refused, and the transaction remains usable, if it was taken before the
/// transaction began to read. If it was taken since, the server aborts the transaction: that is
/// [`Unavailable`](sync_tracker_core::ErrorKind::Unavailable) too, and who begins anew is told who
/// has it.
///
/// These calls have no deadline of the store's. A future of theirs is one of the driver's, and its
/// makers warn of dropping one before it is done. If it is dropped all the same, the change is in
/// the transaction or not, as a whole; abort it.
impl TransactionalStore for MongoStore {
    type Transaction<'t> = ClientSession;

    async fn apply_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        key: &Key,
        change: &Change,
    ) -> Result<Outcome> {
        let outcome = self.apply_on(transaction, key, change).await;
        outcome.map_err(into_error).map_err(|error| named("apply in")(error).for_key(key))
    }

    async fn records_of_in(
        &self,
        transaction: &mut Self::Transaction<'_>,
        entity: &EntityRef,
    ) -> Result<Vec<SyncRecord>> {
        let found = self.records_on(transaction, of_entity(entity), by_source()).await;
        found.map_err(into_error).map_err(named("records of"))
    }
}

fn into_error(stopped: Stopped) -> sync_tracker_core::Error {
    match stopped {
        Stopped::Server(cause) => in_transaction(&cause),
        Stopped::By(error) => error,
    }
}

/// Whether a change may bring an external id to its record.
fn brings_ids(change: &Change) -> bool {
    change.arms().iter().any(|arm| {
        matches!(arm.then.external_id, ExternalIdOp::Set(_) | ExternalIdOp::Supersede(_))
            || matches!(arm.then.aliases, AliasesOp::Add(_))
    })
}

impl MongoStore {
    async fn apply_on(
        &self,
        session: &mut ClientSession,
        key: &Key,
        change: &Change,
    ) -> Result<Outcome, Stopped> {
        if brings_ids(change)
            && let Some(refused) = self.refused_on(session, key, change).await?
        {
            return Ok(refused);
        }
        let write = Write { call: ChangeId::random(), in_batch: false };
        let Composed { pipeline, may_create } = compose(change, write, self.now_of_call());
        let answer = self
            .records
            .find_one_and_update(doc! { "_id": value::key(key) }, pipeline)
            .upsert(may_create)
            .return_document(ReturnDocument::After)
            .projection(with_time())
            .session(session)
            .await?;
        Ok(self.outcome(key, change, write, answer.as_deref())?)
    }

    /// What a change is refused for, of what the transaction sees: an external id that is taken, so
    /// that the index does not have to refuse it, which would end the transaction.
    async fn refused_on(
        &self,
        session: &mut ClientSession,
        key: &Key,
        change: &Change,
    ) -> Result<Option<Outcome>, Stopped> {
        let read = self.records.find_one(doc! { "_id": value::key(key) }).projection(with_time());
        let answer = read.session(&mut *session).await?;
        let (now, record) = self.timed_record(answer.as_deref())?;
        let mut wanted = Vec::new();
        let _ = change.settle(key, record.as_ref(), now, |id| {
            wanted.push(id.clone());
            None
        });
        if wanted.is_empty() {
            return Ok(None);
        }
        let Key { source, entity } = key;
        let holders = self.holders_in(session, source, &entity.entity_type, &wanted).await?;
        let settled = change.settle(key, record.as_ref(), now, |id| holders.get(id).cloned());
        Ok(Some(settled).filter(|outcome| !outcome.is_applied()))
    }

    /// The entities that hold these external ids, as a transaction sees them.
    pub(crate) async fn holders_in(
        &self,
        session: &mut ClientSession,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<HashMap<ExternalId, EntityRef>, Stopped> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.records_on(session, carriers(source, entity_type, ids), doc! {}).await?;
        Ok(holders_among(&found))
    }

    async fn records_on(
        &self,
        session: &mut ClientSession,
        filter: Document,
        order: Document,
    ) -> Result<Vec<SyncRecord>, Stopped> {
        let found = self.records.find(filter).sort(order).session(&mut *session).await;
        let found: Vec<_> = found?.stream(session).try_collect().await?;
        Ok(answer::records(&found)?)
    }
}
