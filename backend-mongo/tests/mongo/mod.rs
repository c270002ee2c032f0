//! Stores on the servers that `SYNC_TRACKER_MONGO_URL` and `SYNC_TRACKER_MONGO_STANDALONE_URL` name,
//! each in a database of its own.

// Each test target uses some of this, and a test may panic.
#![allow(dead_code, clippy::expect_used)]

pub(crate) mod own;

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mongodb::Client;
use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_mongo::{MongoOptions, MongoStore};

/// Where the server is.
pub(crate) fn url() -> String {
    env::var("SYNC_TRACKER_MONGO_URL").expect("SYNC_TRACKER_MONGO_URL names a replica set")
}

/// Where the server is that belongs to no replica set.
pub(crate) fn standalone_url() -> String {
    let url = env::var("SYNC_TRACKER_MONGO_STANDALONE_URL");
    url.expect("SYNC_TRACKER_MONGO_STANDALONE_URL names a standalone")
}

/// A database that goes when its test is done.
#[derive(Debug)]
pub(crate) struct OwnDatabase {
    name: String,
    url: String,
}

impl OwnDatabase {
    pub(crate) fn new() -> Self {
        Self::on(url())
    }

    /// On another server.
    pub(crate) fn on(url: String) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("test_{}_{number}", std::process::id()), url }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let (name, url) = (self.name.clone(), self.url.clone());
        // The runtime of the test may be in the way.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let client = Client::with_uri_str(url).await.expect("a URL");
                client.database(&name).drop().await.expect("the database is dropped");
            });
        });
        if dropping.join().is_err() && !thread::panicking() {
            panic!("the database {} is left", self.name);
        }
    }
}

/// A store in a database of its own, as an application opens it.
pub(crate) async fn direct(setup: Setup) -> Guarded<MongoStore, OwnDatabase> {
    opened(&url(), setup).await
}

/// The same on a standalone.
pub(crate) async fn standalone(setup: Setup) -> Guarded<MongoStore, OwnDatabase> {
    opened(&standalone_url(), setup).await
}

async fn opened(url: &str, setup: Setup) -> Guarded<MongoStore, OwnDatabase> {
    let database = OwnDatabase::on(url.to_owned());
    let options = MongoOptions::from_url(url).await.expect("a URL");
    let options = options.database(database.name()).clock(setup.clock);
    let store = options.open().await.expect("the store opens");
    Guarded { store, guard: database }
}
