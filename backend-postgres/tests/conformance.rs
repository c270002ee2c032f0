//! The store passes the suite on a real server, however the role is set up.

#[path = "postgres/mod.rs"]
mod postgres;

use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_postgres::PostgresStore;

use self::postgres::{OwnSchema, direct};

async fn store(setup: Setup) -> Guarded<PostgresStore, OwnSchema> {
    direct(setup).await
}

sync_tracker_conformance::suite!(store, #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]);
