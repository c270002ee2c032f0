//! The store passes the suite of changes in a transaction of the caller.

#![allow(clippy::expect_used)] // what the suite calls is part of tests

#[path = "postgres/mod.rs"]
mod postgres;

use std::sync::Arc;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgTransaction, Row, query};
use sync_tracker_conformance::{Guarded, Setup, TransactionalFixture};
use sync_tracker_postgres::PostgresStore;

use self::postgres::OwnSchema;

/// An application with a pool of its own, and a table beside the store's.
struct Application {
    store: Arc<PostgresStore>,
    pool: PgPool,
    schema: OwnSchema,
}

async fn application(setup: Setup) -> Application {
    let Guarded { store, guard: schema } = postgres::direct(setup).await;
    let pool = PgPoolOptions::new().max_connections(8).connect_lazy(&postgres::url());
    let pool = pool.expect("a URL");
    let table = format!("CREATE TABLE \"{}\".products (id bigint)", schema.name());
    query(AssertSqlSafe(table)).execute(&pool).await.expect("a table");
    Application { store: Arc::new(store), pool, schema }
}

impl TransactionalFixture for Application {
    type Store = PostgresStore;

    fn store(&self) -> Arc<PostgresStore> {
        Arc::clone(&self.store)
    }

    async fn begin(&self) -> PgTransaction<'static> {
        self.pool.begin().await.expect("it begins")
    }

    async fn commit(&self, transaction: PgTransaction<'static>) {
        transaction.commit().await.expect("it is committed");
    }

    async fn roll_back(&self, transaction: PgTransaction<'static>) {
        transaction.rollback().await.expect("it is rolled back");
    }

    async fn write_row(&self, transaction: &mut PgTransaction<'static>, row: i64) {
        let text = format!("INSERT INTO \"{}\".products VALUES ($1)", self.schema.name());
        let statement = query(AssertSqlSafe(text)).bind(row);
        statement.execute(&mut **transaction).await.expect("it is written");
    }

    async fn rows(&self) -> Vec<i64> {
        let text = format!("SELECT id FROM \"{}\".products ORDER BY id", self.schema.name());
        let rows = query(AssertSqlSafe(text)).fetch_all(&self.pool).await;
        rows.expect("it is read").iter().map(|row| row.get(0)).collect()
    }
}

sync_tracker_conformance::transaction_suite!(
    application,
    #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
);
