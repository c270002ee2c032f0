//! The store passes the suite of changes in a transaction of the caller.

#![allow(clippy::expect_used)] // what the suite calls is part of tests

#[path = "mongo/mod.rs"]
mod mongo;

use std::sync::Arc;

use mongodb::bson::{Document, doc};
use mongodb::{ClientSession, Collection};
use sync_tracker_conformance::{Guarded, Setup, TransactionalFixture};
use sync_tracker_mongo::MongoStore;

use self::mongo::OwnDatabase;

/// An application on the client of the store, with a collection beside the store's.
struct Application {
    store: Arc<MongoStore>,
    products: Collection<Document>,
    _database: OwnDatabase,
}

async fn application(setup: Setup) -> Application {
    let Guarded { store, guard: database } = mongo::direct(setup).await;
    let products = store.client().database(database.name()).collection("products");
    Application { store: Arc::new(store), products, _database: database }
}

impl TransactionalFixture for Application {
    type Store = MongoStore;
    const WAITS: bool = false;

    fn store(&self) -> Arc<MongoStore> {
        Arc::clone(&self.store)
    }

    async fn begin(&self) -> ClientSession {
        let mut session = self.store.client().start_session().await.expect("a session");
        session.start_transaction().await.expect("it begins");
        session
    }

    async fn commit(&self, mut session: ClientSession) {
        session.commit_transaction().await.expect("it is committed");
    }

    async fn roll_back(&self, mut session: ClientSession) {
        session.abort_transaction().await.expect("it is rolled back");
    }

    async fn write_row(&self, session: &mut ClientSession, row: i64) {
        let written = self.products.insert_one(doc! { "row": row }).session(session).await;
        written.expect("it is written");
    }

    async fn rows(&self) -> Vec<i64> {
        let mut found = self.products.find(doc! {}).sort(doc! { "row": 1 }).await.expect("found");
        let mut rows = Vec::new();
        while found.advance().await.expect("it is read") {
            rows.push(
                found.deserialize_current().expect("a row").get_i64("row").expect("a number"),
            );
        }
        rows
    }
}

sync_tracker_conformance::transaction_suite!(
    application,
    #[ignore = "needs SYNC_TRACKER_MONGO_URL"]
);
