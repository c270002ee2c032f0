//! Stores on the server that `SYNC_TRACKER_POSTGRES_URL` names, each in a schema of its own.

// Each test target uses some of this, and a test may panic.
#![allow(dead_code, clippy::expect_used)]

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions};
use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_core::layers::Grouped;
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

/// A store whose role has settings that statements could stumble over.
pub(crate) async fn hostile_role(setup: Setup) -> Guarded<PostgresStore, OwnSchema> {
    const ROLE: &str = "sync_tracker_hostile";
    let password = format!("hostile-{}", std::process::id());
    let admin: PgConnectOptions = url().parse().expect("a URL");
    let mut connection = admin.connect().await.expect("a connection");
    let make = format!(
        "BEGIN; SELECT pg_advisory_xact_lock(704);
        DO $$ BEGIN
            IF to_regrole('{ROLE}') IS NULL THEN CREATE ROLE {ROLE} LOGIN; END IF;
            EXECUTE format('GRANT CREATE ON DATABASE %I TO {ROLE}', current_database());
        END $$;
        ALTER ROLE {ROLE} PASSWORD '{password}';
        ALTER ROLE {ROLE} SET default_transaction_isolation = 'serializable';
        ALTER ROLE {ROLE} SET default_transaction_read_only = 'on';
        ALTER ROLE {ROLE} SET default_transaction_deferrable = 'on';
        ALTER ROLE {ROLE} SET timezone = 'Asia/Kathmandu';
        ALTER ROLE {ROLE} SET datestyle = 'SQL, DMY';
        ALTER ROLE {ROLE} SET intervalstyle = 'sql_standard';
        ALTER ROLE {ROLE} SET synchronous_commit = 'off';
        ALTER ROLE {ROLE} SET search_path = 'nowhere';
        ALTER ROLE {ROLE} SET statement_timeout = '1ms';
        ALTER ROLE {ROLE} SET lock_timeout = '1ms';
        ALTER ROLE {ROLE} SET jit_above_cost = 0;
        ALTER ROLE {ROLE} SET plan_cache_mode = 'force_custom_plan';
        ALTER ROLE {ROLE} SET enable_indexscan = 'off';
        ALTER ROLE {ROLE} SET extra_float_digits = -15;
        ALTER ROLE {ROLE} SET standard_conforming_strings = 'off';
        COMMIT"
    );
    let made = sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await;
    made.expect("the role is made");
    let options = admin.username(ROLE).password(&password);
    open(PostgresOptions::from_options(options), setup).await
}

/// A store behind a pooler in transaction mode.
pub(crate) async fn behind_pooler(setup: Setup) -> Guarded<PostgresStore, OwnSchema> {
    let url = env::var("SYNC_TRACKER_PGBOUNCER_URL").expect("SYNC_TRACKER_PGBOUNCER_URL names it");
    let options = PostgresOptions::from_url(&url).expect("a URL");
    open(options.behind_transaction_pooler(true), setup).await
}

/// A store whose calls travel together wherever two are made at once.
pub(crate) async fn grouped(setup: Setup) -> Guarded<Grouped<PostgresStore>, OwnSchema> {
    let Guarded { store, guard } = direct(setup).await;
    Guarded { store: Grouped::new(store, 1), guard }
}

/// A store whose table is partitioned by source.
pub(crate) async fn partitioned(setup: Setup) -> Guarded<PostgresStore, OwnSchema> {
    open(PostgresOptions::from_url(&url()).expect("a URL").partitions(3), setup).await
}

/// A store on a pool of the application's.
pub(crate) async fn on_a_pool(setup: Setup) -> Guarded<PostgresStore, OwnSchema> {
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .test_before_acquire(false)
        .connect_lazy(&url())
        .expect("a URL");
    let schema = OwnSchema::new();
    let options = PostgresOptions::from_url(&url()).expect("a URL").schema(schema.name());
    let store = options.clock(setup.clock).open_on(pool).await.expect("the store opens");
    Guarded { store, guard: schema }
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
