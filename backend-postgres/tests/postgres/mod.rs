//! Stores on the server that `SYNC_TRACKER_POSTGRES_URL` names, each in a schema of its own.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sqlx::{AssertSqlSafe, ConnectOptions, postgres::PgConnectOptions};
use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_postgres::{PostgresOptions, PostgresStore};

/// Where the server is.
pub(crate) fn url() -> String {
    env::var("SYNC_TRACKER_POSTGRES_URL").expect("SYNC_TRACKER_POSTGRES_URL names a server")
}

/// A schema that goes when its test is done.
#[derive(Debug)]
pub(crate) struct OwnSchema(String);

impl OwnSchema {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("test_{}_{number}", std::process::id()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for OwnSchema {
    fn drop(&mut self) {
        let statement = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.0);
        // The runtime of the test may be in the way.
        let dropping = thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let options: PgConnectOptions = url().parse().expect("a URL");
                let mut connection = options.connect().await.expect("a connection");
                let statement = sqlx::raw_sql(AssertSqlSafe(statement));
                statement.execute(&mut connection).await.expect("the schema is dropped");
            });
        });
        if dropping.join().is_err() && !thread::panicking() {
            panic!("the schema {} is left", self.0);
        }
    }
}

/// A store in a schema of its own, as an application opens it.
pub(crate) async fn direct(setup: Setup) -> Guarded<PostgresStore, OwnSchema> {
    open(PostgresOptions::from_url(&url()).expect("a URL"), setup).await
}

/// Opens a store in a schema of its own. Of its connections there are few, since many tests run at
/// the same time.
pub(crate) async fn open(
    options: PostgresOptions,
    setup: Setup,
) -> Guarded<PostgresStore, OwnSchema> {
    let schema = OwnSchema::new();
    let options = options.schema(schema.name()).connections(4).clock(setup.clock);
    let store = options.open().await.expect("the store opens");
    Guarded { store, guard: schema }
}
